"""The page of many photographs: seconds to write and to open it, kB on disk for each.

    python -m benchmarks.page FOLDER [--count 2000] [--size 480]

The photographs of a folder are shown again and again under other names until there are enough, with
labels that are drawn at random. Opened in Chromium, from the disk, with an empty cache; Debian's
chromium, node and npm drive it, where they are there.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import machine
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.formats.kinds import is_photograph
from hfpl.stages.review.listing import Scored, write_scores
from hfpl.stages.review.page import write_page
from hfpl.storage.manifest import SPLITS, ImageRecord, Manifest, write_manifest
from hfpl.storage.plain_yaml import load_yaml
from hfpl.storage.shards import write_shard

CLASSES = ("cat", "dog", "sheep")
ROUNDS = 5
OPEN = """
const { chromium } = require("playwright-core");
(async () => {
  const options = { executablePath: process.argv[2], args: ["--no-sandbox"] };
  const seconds = [];
  for (let round = 0; round < Number(process.argv[4]); round++) {
    const browser = await chromium.launch(options);
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const began = Date.now();
    await page.goto("file://" + process.argv[3]);
    await page.waitForFunction(() => {
      const first = document.querySelector("figure img");
      return first && first.complete && first.naturalWidth > 0;
    });
    const first = (Date.now() - began) / 1000;
    const count = Number(process.argv[5]);
    await page.waitForFunction((n) => document.querySelectorAll("figure").length === n, count);
    seconds.push([first, (Date.now() - began) / 1000]);
    await browser.close();
  }
  console.log(JSON.stringify(seconds));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def main() -> None:
    """Print what the page takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", type=int, default=480)
    args = parser.parse_args()
    photographs = sorted(p for p in args.folder.rglob("*") if is_photograph(p.name))
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        params = finished_run(work, [p.resolve() for p in photographs], args.count)
        began = time.perf_counter()
        write_page(params, work / "results", work / "page", args.size)
        seconds = time.perf_counter() - began
        size = sum(path.stat().st_size for path in (work / "page").rglob("*") if path.is_file())
        print(f"{args.count} photographs, {args.size} pixels: written in {seconds:.1f} s, ", end="")
        print(f"{size / args.count / 1000:.0f} kB each")
        opened = open_in_browser(work, work / "page" / "index.html", args.count)
    if opened:
        first, every = np.median(opened, axis=0)
        slowest = max(seconds for seconds, _ in opened)
        print(
            f"opened {ROUNDS} times: the first is seen after {first:.2f} s, at most {slowest:.2f}"
        )
        print(f"all are there after {every:.2f} s")
    else:
        print("not opened: needs chromium, node and npm")


def finished_run(work: Path, photographs: list[Path], count: int):
    """Photographs, and what a run would have made of them; its parameters."""
    rng = np.random.default_rng(0)
    (work / "photos").mkdir()
    common = work / "results" / "pets"
    run = common / "seam-isl-fsl"
    for split, numbers in zip(SPLITS, (range(0, count, 2), range(1, count, 2)), strict=True):
        records, scores = [], {}
        with write_shard(run / "segment" / f"{split}-0.crf.zip", CLASSES) as shard:
            for number in numbers:
                source = photographs[number % len(photographs)]
                file = work / "photos" / f"{number:05}{source.suffix}"
                file.symlink_to(source)
                with Image.open(file) as image:
                    width, height = image.size
                tag = number % len(CLASSES)
                records.append(ImageRecord(file.stem, file.name, height, width, (tag,), ""))
                coarse = Image.fromarray((rng.random((9, 9)) < 0.4).astype(np.uint8) * (tag + 1))
                mask = coarse.resize((width, height), Image.Resampling.NEAREST)
                shard.add_mask(file.stem, np.asarray(mask))
                seen = tuple(float(p) for p in rng.random(len(CLASSES)).round(4))
                scores[file.stem] = Scored(seen, float(rng.random()), {tag + 1: 0.4})
        write_manifest(
            common / "data" / f"{split}-0.json", Manifest("pets", split, CLASSES, tuple(records))
        )
        write_scores(run / "review" / f"{split}-0.json", scores)
    root = work / "photos"
    entry = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.5}
    settings = ["dataset=pets", f"datasets.pets={json.dumps(entry)}", "shards=1"]
    return validate_params(load_yaml(preset_text("micro", settings)))


def open_in_browser(work: Path, index: Path, count: int) -> list[tuple[float, float]]:
    """Seconds of each opening until the first photograph is seen, and until all are there; none
    where there is no browser that can be driven."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not (chromium and shutil.which("node") and shutil.which("npm")):
        return []
    install = ["npm", "install", "--no-fund", "--no-audit", "--silent", "playwright-core@1.65.1"]
    subprocess.run(install, cwd=work, check=True, stdout=subprocess.DEVNULL)
    (work / "open.js").write_text(OPEN)
    command = ["node", "open.js", chromium, str(index), str(ROUNDS), str(count)]
    done = subprocess.run(command, cwd=work, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
