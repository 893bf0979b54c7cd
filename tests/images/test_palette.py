"""Label maps as PNG files in PASCAL VOC's colours."""

import contextlib
import csv
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from hfpl.images.palette import (
    IGNORE,
    class_table,
    colour_mask,
    decode_mask,
    encode_mask,
    voc_palette,
)

MASKS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)))


def plain_colour(label: int) -> tuple[int, int, int]:
    """The devkit's loop, one label at a time."""
    red = green = blue = 0
    for bit in range(8):
        red |= (label & 1) << (7 - bit)
        green |= ((label >> 1) & 1) << (7 - bit)
        blue |= ((label >> 2) & 1) << (7 - bit)
        label >>= 3
    return red, green, blue


def test_the_colours_are_those_of_the_devkit():
    palette = voc_palette()
    assert palette.dtype == np.uint8
    assert [tuple(row) for row in palette.tolist()] == [plain_colour(n) for n in range(256)]
    published = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    assert {n: tuple(palette[n].tolist()) for n in published} == published
    assert palette[IGNORE].tolist() == [224, 224, 192]


@settings(deadline=None, max_examples=60)
@given(MASKS)
def test_a_label_map_comes_back(mask):
    content = encode_mask(mask)
    assert np.array_equal(decode_mask(content), mask)
    assert decode_mask(content).dtype == np.uint8
    assert encode_mask(mask.copy()) == content
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image.convert("RGB")), colour_mask(mask))


def test_strides_do_not_matter():
    mask = np.arange(48, dtype=np.uint8).reshape(6, 8)
    for view in (mask[:, ::-1], mask[::2, 1::3], mask.T, np.asfortranarray(mask)):
        assert np.array_equal(decode_mask(encode_mask(view)), view)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_what_is_no_label_map_is_not_written(wrong):
    with pytest.raises(ValueError, match=r"a label map is uint8 \(h, w\), found"):
        encode_mask(wrong)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16", "1"])
def test_pictures_of_colours_are_no_label_maps(mode):
    image = Image.new("RGB", (3, 2)).convert(mode) if mode != "I;16" else Image.new(mode, (3, 2))
    with pytest.raises(ValueError, match=f"palette or one channel, found mode {mode}"):
        decode_mask(encoded(image))


def test_grey_and_few_coloured_files_keep_their_labels():
    labels = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)
    assert np.array_equal(decode_mask(encoded(Image.fromarray(labels))), labels)
    few = Image.fromarray(labels, mode="P")
    few.putpalette(voc_palette()[:4].tobytes())
    content = encoded(few)  # four colours: Pillow writes two bits a pixel
    assert np.array_equal(decode_mask(content), labels)


def test_a_grey_file_of_few_bits_is_refused_or_keeps_its_labels():
    # Pillow stretches such grey levels to 0 to 255: label 1 of two bits would become 85.
    rows = [[0, 1, 2, 3], [3, 2, 1, 0]]
    packed = b"".join(
        b"\x00" + bytes([sum(value << (6 - 2 * i) for i, value in enumerate(row))]) for row in rows
    )
    content = _png(width=4, height=2, bits=2, colour=0, data=packed)
    with contextlib.suppress(ValueError):
        assert decode_mask(content).tolist() == rows


def _png(width: int, height: int, bits: int, colour: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def test_official_masks_have_this_palette(photographs: Path):
    files = sorted((photographs / "SegmentationClass").glob("*.png"))[:8]
    assert files
    for file in files:
        with Image.open(file) as image:
            official = np.array(image.convert("RGB"))
        assert np.array_equal(colour_mask(decode_mask(file.read_bytes())), official)


def test_no_spreadsheet_takes_a_class_for_a_formula():
    names = ["=1+1", "+cat", "-dog", "@SUM(A1)", "a=b", "it's"]
    rows = list(csv.DictReader(io.StringIO(class_table(names))))
    assert [row["name"] for row in rows] == [
        "background", "'=1+1", "'+cat", "'-dog", "'@SUM(A1)", "a=b", "it's",
    ]  # fmt: skip
