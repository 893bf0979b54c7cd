"""The pictures on the pages that no run draws by itself.

    python -m scripts.pictures labelled MODEL PHOTOGRAPH... --out docs/photographs.jpg
    python -m scripts.pictures drawings FOLDER

``labelled``: photographs, each beside the classes that a trained network finds in it; the README's
is of chelsea.png and astronaut.png, which scikit-image's wheel brings in skimage/data.

``drawings``: drawings of the embedded data set in a folder per class, in place of a person's
photographs, for a picture of the page about them (CONTRIBUTING.md).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hfpl.images.decode import decode_image
from hfpl.params.presets import preset_params
from hfpl.plugins.formats.shapes.drawing import CLASS_NAMES
from hfpl.plugins.formats.shapes.generate import draw_picture
from hfpl.stages.report.sheets import GAP, name_labels
from hfpl.stages.segment.segmenter import Segmenter, draw_overlay
from hfpl.storage.atomic import replacing

WIDTH = 400
"""Of a photograph, in pixels: two of them are as wide as a page."""
SIDE = 192
"""Of a drawing, in pixels."""


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    labelled = actions.add_parser("labelled")
    labelled.add_argument("model", type=Path)
    labelled.add_argument("photographs", type=Path, nargs="+")
    labelled.add_argument("--out", type=Path, required=True)
    drawings = actions.add_parser("drawings")
    drawings.add_argument("folder", type=Path)
    drawings.add_argument("--count", type=int, default=120)
    args = parser.parse_args()
    if args.action == "labelled":
        picture = side_by_side(Segmenter.load(args.model, device="cpu"), args.photographs)
        with replacing(args.out) as temporary:
            picture.save(temporary, "JPEG", quality=88)
    else:
        write_drawings(args.folder, args.count)


def side_by_side(segmenter: Segmenter, photographs: Sequence[Path]) -> Image.Image:
    """A row for each photograph: itself, and its labels over it with their names; their shares are
    printed."""
    rows = []
    for path in photographs:
        image = decode_image(path.read_bytes())
        found = segmenter(image)
        overlay = Image.fromarray(draw_overlay(np.asarray(image), found.labels))
        size = WIDTH, round(image.height * WIDTH / image.width)
        small, named = (p.resize(size, Image.Resampling.LANCZOS) for p in (image, overlay))
        name_labels(named, found.labels, found.classes[1:])
        rows.append((small, named))
        shares = (f"{name} {100 * share:.1f} %" for name, share in found.found().items())
        print(f"{path.stem}: {', '.join(shares)}")
    height = sum(small.height + GAP for small, _ in rows) - GAP
    whole = Image.new("RGB", (2 * WIDTH + GAP, height), "white")
    top = 0
    for row in rows:
        for column, picture in enumerate(row):
            whole.paste(picture, (column * (WIDTH + GAP), top))
        top += row[0].height + GAP
    return whole


def write_drawings(folder: Path, count: int) -> None:
    """So many drawings, each in the folders of all its classes."""
    settings = preset_params("demo").chosen_dataset.model_copy(update={"size": SIDE})
    for number in range(count):
        scene = draw_picture(settings, number)
        for place in (folder / CLASS_NAMES[k] for k in scene.classes):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene.image).save(place / f"drawing-{number:03}.png")


if __name__ == "__main__":
    main()
