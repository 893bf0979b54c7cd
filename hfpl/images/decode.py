"""Decode photographs of any kind to RGB: turned as their EXIF says, scaled, without alpha."""

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import simplejpeg
from PIL import Image, PngImagePlugin, UnidentifiedImageError

UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises on files that are no images."""

HEIF = (".heic", ".heif", ".hif")
"""Endings of what Pillow reads with the package pillow-heif alone."""
ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".tif", ".tiff", ".webp", ".avif",
    ".bmp", ".dib", ".gif", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm",
    ".tga", ".pcx", ".psd", ".qoi", ".sgi", *HEIF,
)  # fmt: skip
"""Endings, in small letters, by which a file in a folder is taken for a photograph."""

LARGEST = 100_000_000
"""Pixels of the largest image that is decoded; Pillow holds it in 400 MB, and as much as RGB."""

_ROWS = 256
# Pillow refuses a PNG with a megabyte of text or of a colour profile.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation; from 5 on height and width swap."""


def image_size(content: bytes) -> tuple[int, int]:
    """Height and width of an encoded image as it is looked at, from its header.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: not an image.
    """
    with opened(content) as image:
        return (image.width, image.height) if _turn(image) >= 5 else (image.height, image.width)


def decode_image(content: bytes, max_side: int | None = None) -> Image.Image:
    """An encoded image as a person would see it, RGB.

    It is turned as its EXIF orientation says; transparent parts show white; 16 bits a pixel are
    scaled to 8, and 12 where no value is above 4095; of an animation or of several pages the first
    is taken; greyscale, palette, 1-bit and CMYK images become RGB.

    Args:
        content: of a file that Pillow knows.
        max_side: an image whose longer side has more pixels is shrunk to this.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: not an image, or one whose
            values have no known range.
    """
    with opened(content) as image:
        turn = _turn(image)
        width, height = shrunk_size(image.size, max_side)
        if (width, height) != image.size:
            image.draft(None, (width, height))  # a JPEG decodes faster at a half, a quarter, …
        rgb = _to_rgb(image)
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BICUBIC)
    return _turned(rgb, turn)


def upright(image: Image.Image) -> Image.Image:
    """An image of Pillow's as :func:`decode_image` makes it of a file; errors as there."""
    return _turned(_to_rgb(image), _turn(image))


def _turned(rgb: Image.Image, turn: int) -> Image.Image:
    turned = rgb.transpose(_TURNS[turn]) if turn > 1 else rgb
    turned.info = {}  # Whoever looks for an orientation there would turn it once more.
    return turned


def damage(content: bytes) -> str | None:
    """What a decoder finds wrong with an image that it decodes all the same; None where nothing.

    Pillow decodes a JPEG whose middle is broken, and a PNG whose checksums do not hold, without a
    word.

    Args:
        content: of a file that :func:`decode_image` reads.
    """
    if content.startswith(b"\xff\xd8"):
        try:
            _, _, colours, _ = simplejpeg.decode_jpeg_header(content)
            grey = "CMYK" if "CMYK" in colours or "YCCK" in colours else "GRAY"
            simplejpeg.decode_jpeg(content, grey, fastdct=True, strict=True)
        except ValueError as error:
            return str(error)
    elif content.startswith(b"\x89PNG"):
        try:
            with opened(content) as image:
                image.verify()  # the checksum of each part, and not the pixels
        except UNREADABLE as error:
            return str(error)
    return None


def _opened_heif(content: bytes) -> Image.Image:
    """An image that Pillow alone does not know: a phone's HEIC, with the package pillow-heif.

    Raises:
        ValueError: it is none, or the package is not installed.
    """
    # Pillow's own words name an object in memory.
    unknown = ValueError("in no image format that Pillow knows, or damaged")
    if content[4:8] != b"ftyp":
        raise unknown
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ValueError(
            "HEIC or another kind of HEIF, which takes a package: pip install pillow-heif"
        ) from None
    register_heif_opener()
    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        raise unknown from None


def shrunk_size(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Two sides in pixels, shrunk alike so that none is longer than ``max_side``; at least 1."""
    if max_side is None or max(size) <= max_side:
        return size
    first, second = (max(1, round(side * max_side / max(size))) for side in size)
    return first, second


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """An encoded image of any size up to the limit, its pixels not read yet.

    Raises:
        ValueError: in no known format, or larger; others of :data:`UNREADABLE` as Pillow says.
    """
    with warnings.catch_warnings():
        # Pillow warns of images that are larger than its limit and reads them; ours is an error.
        warnings.simplefilter("ignore")
        try:
            opened = Image.open(io.BytesIO(content))
        except UnidentifiedImageError:
            opened = _opened_heif(content)
        with opened as image:
            if image.width * image.height > LARGEST:
                raise ValueError(
                    f"{image.width}x{image.height} pixels, more than {LARGEST}: shrink it"
                )
            yield image


def _turn(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    if image.format == "TIFF":
        return 1  # Pillow turns these itself
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (*UNREADABLE, struct.error, LookupError, TypeError):
        return 1
    return found if found in _TURNS else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Formats whose samples have at most 16 bits: Pillow reads some of them into 32.
        if not image.mode.startswith("I;16") and image.format not in ("PNG", "PPM"):
            raise ValueError("32 bits a pixel have no known range; save the image with 8 or 16")
        # Sensors have 12 bits, and files 16: an image without any brighter pixel holds 12.
        largest = 4095 if image.getextrema()[1] <= 4095 else 65535
        return _by_rows(image, partial(_from_wide, largest=largest))
    if image.has_transparency_data:
        return _by_rows(image, _over_white)
    return image.convert("RGB")


def _by_rows(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert a strip at a time: what is made in between takes no memory of the whole's size."""
    rgb = Image.new("RGB", image.size)
    for top in range(0, image.height, _ROWS):
        strip = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        rgb.paste(convert(strip), (0, top))
    return rgb


def _from_wide(image: Image.Image, largest: int) -> Image.Image:
    """Grey of 0 to ``largest`` in 8 bits; Pillow's own conversion clips."""
    values = np.clip(np.asarray(image, np.float32), 0, largest)
    return Image.fromarray(np.rint(values * (255 / largest)).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(white, coloured).convert("RGB")
