"""The page of photographs in a real browser, from the disk."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hfpl.stages.review.page import write_page
from tests.review.test_review import CLASSES, FILES, params_of, run  # noqa: F401

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = shutil.which("npm") and shutil.which("node")
SCRIPT = """
const { chromium } = require("playwright-core");
(async () => {
  const options = { executablePath: process.argv[2], args: ["--no-sandbox"] };
  const browser = await chromium.launch(options);
  const page = await browser.newPage({ viewport: JSON.parse(process.argv[4]) });
  const errors = [], elsewhere = [], said = {};
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => { errors.push("a dialog"); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) elsewhere.push(request.url());
  });
  await page.goto("file://" + process.argv[3]);
  await page.waitForSelector("figure");
  const names = () => page.locator("figure .name").allTextContents();
  said.title = await page.locator("h1").textContent();
  said.all = await names();
  said.against = await page.locator("figure").first().locator(".against").allTextContents();
  said.classes = await page.locator("#classes label").allInnerTexts();
  const picture = page.locator("figure img.labels").first();
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => [...document.querySelectorAll("figure img")].slice(0, 2)
    .every((image) => image.complete && image.naturalWidth > 0));
  const opacity = () => picture.evaluate((image) => getComputedStyle(image).opacity);
  said.before = await opacity();
  await page.locator("#opacity").fill("10");
  said.after = await opacity();
  await page.locator("#split").selectOption("val");
  said.val = await names();
  await page.locator("#split").selectOption("");
  await page.locator("#suspicious").check();
  said.suspicious = await names();
  await page.locator("#suspicious").uncheck();
  await page.locator("#order").selectOption("unsure");
  said.unsure = await names();
  await page.locator("#classes input").nth(2).check();
  said.third = await names();
  said.wide = await page.evaluate(() => document.documentElement.scrollWidth);
  said.errors = errors;
  said.elsewhere = elsewhere;
  console.log(JSON.stringify(said));
  await browser.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with playwright-core, which drives the browser."""
    if not (CHROMIUM and NODE):
        pytest.skip("needs chromium, node and npm (Debian's)")
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--no-fund", "--no-audit", "playwright-core@1.65.1"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install playwright-core: {done.stderr[-200:]}")
    (folder / "look.js").write_text(SCRIPT)
    return folder


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_and_filters_and_loads_nothing_from_elsewhere(
    run,  # noqa: F811
    node,
    width,
):
    write_page(params_of(run), Path("results"), Path("page"), 64)
    archive = shutil.make_archive(str(run / "page"), "zip", run, "page")
    shutil.unpack_archive(archive, run / "elsewhere")
    index = run / "elsewhere" / "page" / "index.html"
    size = json.dumps({"width": width, "height": 800})
    command = ["node", "look.js", CHROMIUM, str(index), size]
    done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["errors"] == []
    assert said["elsewhere"] == []
    assert said["title"] == "pets, seam-isl-fsl"
    first, second, third = FILES[0], FILES[2], FILES[1]
    assert said["all"] == [first, second, third]
    assert said["against"] == [
        f"{CLASSES[0]} is tagged and not seen (10 %)",
        "dog is seen without a tag (90 %)",
    ]
    assert [text.strip() for text in said["classes"]] == list(CLASSES)
    assert (said["before"], said["after"]) == ("0.55", "0.1")
    assert said["val"] == [second]
    assert said["suspicious"] == [first, second]
    assert said["unsure"] == [third, first, second]
    assert said["third"] == [second]
    assert said["wide"] <= width
