"""A folder of photographs, shrunk, so that it travels: images, masks, tags and classes.

python -m scripts.gpu.shrink FOLDER OUT [--side 256]
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from hfpl.images.decode import decode_image, shrunk_size
from hfpl.images.palette import decode_mask, encode_mask

_QUALITY = 85


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=256)
    args = parser.parse_args()
    for name in ("images", "masks"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    for file in sorted((args.folder / "images").iterdir()):
        image = decode_image(file.read_bytes(), args.side)
        image.save(args.out / "images" / f"{file.stem}.jpg", quality=_QUALITY)
    for file in sorted((args.folder / "masks").glob("*.png")):
        mask = decode_mask(file.read_bytes())
        size = shrunk_size(mask.shape[::-1], args.side)
        small = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
        (args.out / "masks" / file.name).write_bytes(encode_mask(np.asarray(small)))
    for name in ("labels.csv", "classes.txt"):
        shutil.copyfile(args.folder / name, args.out / name)


if __name__ == "__main__":
    main()
