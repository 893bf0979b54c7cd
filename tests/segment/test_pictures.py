"""Pictures for the pages: photographs beside their labels, and drawings in place of photographs."""

from pathlib import Path

import numpy as np
from PIL import Image

from hfpl import Segmenter
from scripts.pictures import WIDTH, side_by_side, write_drawings


def test_photographs_stand_beside_their_labels(model: Path, tmp_path: Path):
    sizes = [(40, 30), (30, 40)]
    files = [tmp_path / f"{width}.png" for width, _ in sizes]
    for file, size in zip(files, sizes, strict=True):
        Image.new("RGB", size, (200, 30, 30)).save(file)
    picture = side_by_side(Segmenter.load(model, device="cpu", threads=1), files)
    heights = [round(height * WIDTH / width) for width, height in sizes]
    assert picture.width > 2 * WIDTH
    assert picture.height > sum(heights)
    left = np.asarray(picture)[: heights[0], :WIDTH]
    assert (left == (200, 30, 30)).all()


def test_drawings_lie_with_each_of_their_classes(tmp_path: Path):
    write_drawings(tmp_path, 6)
    files = list(tmp_path.glob("*/*.png"))
    assert {file.name for file in files} == {f"drawing-{k:03}.png" for k in range(6)}
    assert len(files) > 6  # some show two classes
