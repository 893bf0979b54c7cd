"""Photographs of every kind as a person would see them."""

import io
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from hfpl.images import decode
from hfpl.images.decode import (
    ENDINGS,
    UNREADABLE,
    damage,
    decode_image,
    image_size,
    shrunk_size,
)

GREY = np.random.default_rng(0).integers(0, 256, (24, 30)).astype(np.uint8)
PIXELS = np.random.default_rng(1).integers(0, 256, (24, 30, 3)).astype(np.uint8)
RAMP = np.linspace(0, 65535, 24 * 30).reshape(24, 30).astype(np.uint16)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(content: bytes, max_side: int | None = None) -> np.ndarray:
    image = decode_image(content, max_side)
    assert image.mode == "RGB"
    return np.asarray(image)


def turned(image: Image.Image, orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, kind, exif=exif.tobytes())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_size_is_height_then_width(kind):
    assert image_size(encoded(Image.new("RGB", (7, 3)), kind)) == (3, 7)
    with pytest.raises(ValueError, match="no image format that Pillow knows"):
        image_size(b"nothing")


def plainly_turned(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Row 0 and column 0 of what is stored are these sides of the scene (EXIF 2.3, page 37)."""
    row, column = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[orientation]  # fmt: skip
    if row in ("left", "right"):
        stored = stored.transpose(1, 0, *range(2, stored.ndim))
    if "bottom" in (row, column):
        stored = stored[::-1]
    if "right" in (row, column):
        stored = stored[:, ::-1]
    return stored


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_an_image_is_turned_as_its_exif_says(orientation, kind):
    lossless = {"lossless": True} if kind == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(PIXELS), kind, exif=exif.tobytes(), **lossless)
    expected = plainly_turned(PIXELS, orientation)
    assert np.array_equal(decoded(content), expected)
    assert image_size(content) == expected.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_and_shrunk_alike(orientation):
    smooth = Image.fromarray(PIXELS).resize((400, 300), Image.Resampling.BICUBIC)
    content = turned(smooth, orientation, "JPEG")
    found = decode_image(content, 80)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).resize(found.size)
    assert found.size == ((60, 80) if orientation >= 5 else (80, 60))
    difference = np.asarray(found).astype(int) - np.asarray(expected).astype(int)
    assert abs(difference).mean() < 4


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_is_left_alone(orientation):
    content = turned(Image.fromarray(PIXELS), orientation, "PNG")
    assert np.array_equal(decoded(content), PIXELS)
    assert image_size(content) == (24, 30)


def test_broken_exif_does_not_hide_a_picture():
    whole = encoded(Image.fromarray(PIXELS))
    for exif in (b"", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\xff", b"Exif\0\0II*\0\x08\0\0\0\x05\0"):
        content = encoded(Image.fromarray(PIXELS), exif=exif)
        assert np.array_equal(decoded(content), PIXELS)
    assert np.array_equal(decoded(whole), PIXELS)


def test_sixteen_bits_are_scaled_and_not_clipped():
    expected = np.rint(RAMP / 65535 * 255).astype(np.uint8)
    portable = b"P5 30 24 65535\n" + RAMP.astype(">u2").tobytes()
    for content in (
        encoded(Image.fromarray(RAMP), "PNG"),
        encoded(Image.fromarray(RAMP), "TIFF"),
        portable,
    ):
        found = decoded(content)
        assert np.array_equal(found, np.repeat(expected[..., None], 3, 2))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_thirty_two_bits_are_refused_in_words(kind):
    with pytest.raises(ValueError, match="32 bits a pixel .* save the image with 8 or 16"):
        decode_image(encoded(Image.fromarray(GREY.astype(kind)), "TIFF"))


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


def test_what_is_transparent_shows_white():
    alpha = np.tile(np.linspace(0, 255, 30).astype(np.uint8), (24, 1))
    content = encoded(Image.fromarray(np.dstack([PIXELS, alpha])))
    assert abs(decoded(content) - over_white(PIXELS, alpha)).max() <= 1
    content = encoded(Image.fromarray(np.dstack([GREY, alpha]), "LA"))
    grey = np.repeat(GREY[..., None], 3, 2)
    assert abs(decoded(content) - over_white(grey, alpha)).max() <= 1


def test_a_transparent_colour_shows_white():
    levels = (GREY // 64).astype(np.uint8)
    palette = Image.fromarray(levels, "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    colours = np.arange(10, 130, 10).reshape(4, 3)
    assert np.array_equal(decoded(encoded(palette)), colours[levels])
    colours[2] = 255
    assert np.array_equal(decoded(encoded(palette, transparency=2)), colours[levels])
    found = decoded(encoded(Image.fromarray(levels), transparency=1))
    assert np.array_equal(found[..., 0], np.where(levels == 1, 255, levels))


MEASURE = """
import resource, sys
from hfpl.images.decode import ENDINGS, decode_image

content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode_image(content, 500)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_no_kind_of_image_takes_more_memory_than_its_pixels_and_their_rgb(mode):
    content = encoded(Image.new(mode, (4000, 4000)), compress_level=1)
    command = [sys.executable, "-c", MEASURE]
    kilobytes = int(subprocess.run(command, input=content, capture_output=True, check=True).stdout)
    # Pillow holds either in four bytes a pixel.
    assert kilobytes < 2 * 4 * 16_000 + 20_000


def test_strips_join_without_a_seam(monkeypatch):
    alpha = np.tile(np.linspace(0, 255, 24).astype(np.uint8)[:, None], (1, 30))
    contents = [
        encoded(Image.fromarray(RAMP)),
        encoded(Image.fromarray(np.dstack([PIXELS, alpha]))),
    ]
    whole = [decoded(content) for content in contents]
    monkeypatch.setattr(decode, "_ROWS", 7)
    for content, expected in zip(contents, whole, strict=True):
        assert np.array_equal(decoded(content), expected)


def as_grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


@pytest.mark.parametrize(
    ("change", "kind"),
    [(as_grey, "JPEG"), (as_grey, "PNG"), (lambda i: i.convert("1"), "PNG"),
     (lambda i: i.convert("1"), "TIFF"), (lambda i: i.convert("CMYK"), "JPEG"),
     (lambda i: i.convert("CMYK"), "TIFF"), (lambda i: i.convert("YCbCr"), "TIFF")],
)  # fmt: skip
def test_other_modes_keep_their_look(change: Callable, kind: str):
    smooth = Image.fromarray(PIXELS).resize((60, 48), Image.Resampling.BICUBIC)
    changed = change(smooth)
    found = decoded(encoded(changed, kind)).astype(int)
    assert abs(found - np.asarray(changed.convert("RGB")).astype(int)).mean() < 6


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_picture_is_taken(kind):
    black, white = Image.new("RGB", (8, 6)), Image.new("RGB", (8, 6), "white")
    content = encoded(black, kind, save_all=True, append_images=[white])
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert (decoded(content) == 0).all()


def test_an_image_too_large_for_the_memory_is_named_with_its_size(monkeypatch):
    monkeypatch.setattr(decode, "LARGEST", 24 * 30)
    content = encoded(Image.fromarray(PIXELS))
    assert decoded(content).shape == (24, 30, 3)
    larger = encoded(Image.new("L", (24, 31)))
    for read in (decode_image, image_size):
        with pytest.raises(ValueError, match="24x31 pixels, more than 720"):
            read(larger)


def test_no_warning_reaches_a_person(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    content = encoded(Image.fromarray(PIXELS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(content).shape == (24, 30, 3)
    with pytest.raises(UNREADABLE, match="bomb"):
        decode_image(encoded(Image.new("L", (40, 40))))


@settings(deadline=None)
@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.integers(1, 5000))
def test_shrunk_sizes_keep_their_shape(size, most):
    found = shrunk_size(size, most)
    assert shrunk_size(size, None) == size
    if max(size) <= most:
        assert found == size
        return
    assert max(found) == most
    assert min(found) >= 1
    for side, whole in zip(found, size, strict=True):
        assert abs(side - whole * most / max(size)) <= 0.5 or side == 1
    # The same turned by a right angle, and once more changes nothing.
    assert shrunk_size(size[::-1], most) == found[::-1]
    assert shrunk_size(found, most) == found


def test_a_phone_s_heic_is_read_or_says_which_package_reads_it():
    start = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="pip install pillow-heif"):
            decode_image(start)
    else:
        with pytest.raises(ValueError, match="no image format that Pillow knows, or damaged"):
            decode_image(start)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("JPEG2000", ".jp2"), ("PPM", ".ppm"), ("TGA", ".tga"), ("MPO", ".mpo"), ("DIB", ".dib")],
)
def test_less_common_kinds_are_decoded_whole(kind, ending):
    assert ending in ENDINGS
    buffer = io.BytesIO()
    Image.new("RGB", (9, 5), (200, 100, 50)).save(buffer, kind)
    image = decode_image(buffer.getvalue())
    assert image.size == (9, 5)
    assert np.abs(np.asarray(image).astype(int) - (200, 100, 50)).max() <= 4


def test_what_is_whole_has_no_damage_and_what_is_not_has():
    rng = np.random.default_rng(0)
    pixels = np.repeat(np.repeat(rng.integers(0, 256, (9, 12, 3)), 8, 0), 8, 1).astype(np.uint8)
    found = {}
    for kind, mode in (("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB")):
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, kind)
        content = bytearray(buffer.getvalue())
        assert damage(bytes(content)) is None
        assert kind == "PNG" or damage(bytes(content[:-2])) is not None
        middle = 9 * len(content) // 10
        if kind == "PNG":
            content[middle] ^= 1
        else:
            content[middle : middle + 6] = b"\xff\xd9\xff\xd9\xff\xd9"  # the end, too early
        found[kind, mode] = damage(bytes(content))
    assert None not in found.values()
    assert damage(b"GIF89a") is None


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_12_bits_in_16_are_not_taken_for_night(kind):
    twelve = (RAMP // 16).astype(np.uint16)
    found = np.asarray(decode_image(encoded(Image.fromarray(twelve), kind)))[..., 0]
    assert np.array_equal(found, np.rint(twelve * (255 / 4095)).astype(np.uint8))
    assert found.max() == 255


def test_a_png_with_much_text_or_a_large_profile_is_read():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("history", "edited " * 300_000, zip=True)
    picture = Image.fromarray(PIXELS)
    for options in ({"pnginfo": notes}, {"icc_profile": bytes(3_000_000)}):
        content = encoded(picture, "PNG", **options)
        assert np.array_equal(np.asarray(decode_image(content)), PIXELS)
        assert image_size(content) == PIXELS.shape[:2]
