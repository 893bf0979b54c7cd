"""The benchmark of the page shows photographs again until there are enough."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.page import finished_run
from hfpl.stages.review.page import write_page


def test_every_photograph_is_on_the_page(tmp_path: Path):
    rng = np.random.default_rng(0)
    photographs = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in photographs:
        Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(path)
    work = tmp_path / "work"
    work.mkdir()
    params = finished_run(work, photographs, 5)
    assert write_page(params, work / "results", work / "page", 64) == 5
    content = (work / "page" / "data.js").read_text().removeprefix("const DATA = ")
    entries = json.loads(content.rstrip(";\n"))["photographs"]
    assert sorted(entry["file"] for entry in entries) == [f"{k:05}.png" for k in range(5)]
    assert all(entry["found"] for entry in entries)
