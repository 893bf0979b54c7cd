"""A photograph or mask that was changed in place, at equal size and time, is no longer read."""

import dataclasses
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from hfpl.images.palette import encode_mask
from hfpl.storage.manifest import ImageRecord, MaskRecord
from hfpl.storage.reading import ImageRoot


@pytest.fixture
def root(tmp_path) -> ImageRoot:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), 7, np.uint8)).save(buffer, "BMP")
    (tmp_path / "a.bmp").write_bytes(buffer.getvalue())
    (tmp_path / "a.png").write_bytes(encode_mask(np.ones((4, 5), np.uint8)))
    return ImageRoot(tmp_path)


def digest(root: ImageRoot, name: str) -> str:
    return hashlib.sha256((root.root / name).read_bytes()).hexdigest()


def test_another_content_is_named(root):
    image = ImageRecord("a", "a.bmp", 4, 5, (), digest(root, "a.bmp"))
    mask = MaskRecord("a", "a.png", digest(root, "a.png"))
    assert root.image(image).size == (5, 4)
    assert root.mask(mask).shape == (4, 5)
    file = root.root / "a.bmp"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.bmp: not the file that was indexed; it was changed"):
        root.image(image)
    (root.root / "a.png").write_bytes(encode_mask(np.zeros((4, 5), np.uint8)))
    with pytest.raises(ValueError, match=r"a\.png: not the file that was indexed"):
        root.mask(mask)


def test_a_record_without_a_digest_is_not_checked(root):
    image = ImageRecord("a", "a.bmp", 4, 5, (), digest(root, "a.bmp"))
    (root.root / "a.bmp").write_bytes((root.root / "a.bmp").read_bytes() + b"\0")
    assert root.image(dataclasses.replace(image, sha256="")).size == (5, 4)
