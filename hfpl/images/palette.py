"""Label maps as palette PNGs in PASCAL VOC's colours."""

import csv
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, PngImagePlugin

from hfpl.images.decode import opened
from hfpl.storage.spreadsheet import as_text

IGNORE = 255
"""Label of pixels that count neither as a class nor as background."""


def voc_palette() -> np.ndarray:
    """PASCAL VOC's colour of each label, uint8 (256, 3).

    The label's bits are dealt out to red, green and blue, most significant bit first.
    """
    labels = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((labels >> channel) & 1) << (7 - bit)).astype(np.uint8)
        labels = labels >> 3
    return colours


_PALETTE = voc_palette().tobytes()


def encode_mask(mask: np.ndarray, texts: dict[str, str] | None = None) -> bytes:
    """PNG with palette of a label map, uint8 (h, w); ``texts`` are kept in it by their keys."""
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"a label map is uint8 (h, w), found {mask.dtype} {mask.shape}")
    image = Image.fromarray(mask, mode="P")
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    notes = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        notes.add_text(key, text)
    image.save(buffer, "PNG", compress_level=6, pnginfo=notes)
    return buffer.getvalue()


def decode_mask(content: bytes) -> np.ndarray:
    """Label map, uint8 (h, w), of a palette or grey PNG.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: not an image, or one that has
            neither a palette nor one channel.
    """
    with opened(content) as image:
        if image.format in ("JPEG", "MPO"):
            raise ValueError("JPEG, which blurs labels; save it as PNG")
        if image.mode not in ("P", "L"):
            raise ValueError(f"a label map has a palette or one channel, found mode {image.mode}")
        if image.mode == "L" and image.format == "PNG" and content[24] < 8:
            # Pillow would stretch the labels to 0 to 255.
            raise ValueError(f"a grey label map has 8 bits a pixel, found {content[24]}")
        return np.array(image)


def mask_palette(content: bytes) -> bytes | None:
    """Red, green and blue of each label of a palette PNG, one after the other; else None."""
    with opened(content) as image:
        return bytes(image.getpalette("RGB")) if image.mode == "P" else None


def colour_mask(mask: np.ndarray) -> np.ndarray:
    """Label map, uint8 (h, w), in colours: uint8 (h, w, 3)."""
    return voc_palette()[mask]


def class_table(classes: Sequence[str]) -> str:
    """CSV of all labels, their names and colours, from the names of the foreground classes.

    A name that a spreadsheet would take for a formula has an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["label", "name", "red", "green", "blue"])
    colours = voc_palette()
    for label, name in enumerate(["background", *classes]):
        writer.writerow([label, as_text(name), *colours[label]])
    return buffer.getvalue()
