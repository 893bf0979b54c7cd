"""Images and masks of a folder or a zip: equal content, and clear words about broken files."""

import dataclasses
import io
import multiprocessing
import pickle
import random
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.images.palette import encode_mask
from hfpl.storage.manifest import ImageRecord, MaskRecord
from hfpl.storage.reading import ImageRoot

MASK = np.random.default_rng(0).integers(0, 21, (24, 30)).astype(np.uint8)
PIXELS = np.random.default_rng(1).integers(0, 256, (24, 30, 3)).astype(np.uint8)


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "JPEGImages/a ü.jpg": encoded(Image.fromarray(PIXELS), "JPEG"),
    "JPEGImages/grey.jpg": encoded(Image.fromarray(PIXELS[..., 0]), "JPEG"),
    "JPEGImages/cmyk.jpg": encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"),
    "JPEGImages/clear.jpg": encoded(Image.fromarray(PIXELS).convert("RGBA"), "PNG"),
    "JPEGImages/deeper/b.jpg": b"below",
    "SegmentationClass/a.png": encode_mask(MASK),
    "classes.txt": b"cat\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["folder", "zip"])
def root(request, tmp_path: Path, folder: Path) -> ImageRoot:
    if request.param == "folder":
        return ImageRoot(folder)
    return ImageRoot(zipped(tmp_path / "data.zip", FILES))


def image(name: str) -> ImageRecord:
    return ImageRecord(name, f"JPEGImages/{name}.jpg", 24, 30, (), "")


def mask(name: str) -> MaskRecord:
    return MaskRecord(name, f"SegmentationClass/{name}.png", "")


def test_labels_of_other_classes_are_open_where_the_data_set_has_some_alone(root):
    part = dataclasses.replace(mask("a"), labels=(3, 1))
    expected = np.full_like(MASK, 255)
    for own, label in enumerate((0, 3, 1)):
        expected[label == MASK] = own
    assert (expected == 255).any()
    assert np.array_equal(root.mask(part), expected)


def test_files_are_listed_found_and_read(root):
    assert root.names("JPEGImages") == ["a ü.jpg", "clear.jpg", "cmyk.jpg", "grey.jpg"]
    assert root.names("SegmentationClass") == ["a.png"]
    assert root.names("Nothing") == []
    assert root.exists("classes.txt")
    assert not root.exists("JPEGImages")
    assert not root.exists("JPEGImages/nothing.jpg")
    for name, content in FILES.items():
        assert root.read(name) == content


def test_every_image_becomes_rgb(root):
    for name in ("a ü", "grey", "cmyk", "clear"):
        found = root.image(image(name))
        assert found.mode == "RGB"
        assert found.size == (30, 24)
    grey = np.array(root.image(image("grey")))
    assert (grey == grey[..., :1]).all()
    assert np.array_equal(np.array(root.image(image("clear"))), PIXELS)


def test_masks_are_label_maps(root):
    assert np.array_equal(root.mask(mask("a")), MASK)


def test_a_missing_file_is_named(root):
    for read in (lambda: root.image(image("lost")), lambda: root.read("JPEGImages/lost.jpg")):
        with pytest.raises(ValueError, match=r"JPEGImages/lost\.jpg: cannot be read: "):
            read()
    with pytest.raises(ValueError, match="JPEGImages: cannot be read: "):
        root.read("JPEGImages")


def test_a_root_that_is_none_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder or zip file"):
        ImageRoot(tmp_path / "nowhere")
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(ValueError, match="text: neither a folder nor a zip file"):
        ImageRoot(tmp_path / "text")


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is large, and holds nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data


BROKEN = {
    "empty": b"",
    "text": b"this is no picture",
    "cut in half": FILES["JPEGImages/a ü.jpg"][: len(FILES["JPEGImages/a ü.jpg"]) // 2],
    "cut header": FILES["SegmentationClass/a.png"][:20],
    "bomb": png_of_size(40_000, 40_000),
    "cut data": png_of_size(40, 40),
    "odd chunk": FILES["JPEGImages/clear.jpg"][:33] + b"\0\0\0\1\x86<\xd9;xyzzz",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=list(BROKEN))
def test_files_that_are_no_images_are_named(folder, content):
    (folder / "JPEGImages" / "bad.jpg").write_bytes(content)
    (folder / "SegmentationClass" / "bad.png").write_bytes(content)
    root = ImageRoot(folder)
    with pytest.raises(ValueError, match=r"JPEGImages/bad\.jpg: not a readable image: ."):
        root.image(image("bad"))
    with pytest.raises(ValueError, match=r"SegmentationClass/bad\.png: not a readable mask: ."):
        root.mask(mask("bad"))


@pytest.mark.parametrize("name", ["JPEGImages/clear.jpg", "SegmentationClass/a.png"])
def test_flipped_bytes_give_a_picture_or_one_clear_error(folder, name):
    content = FILES[name]
    root = ImageRoot(folder)
    read = root.mask if name.endswith("png") else root.image
    record = mask("a") if name.endswith("png") else image("clear")
    other = []
    for seed in range(400):
        chosen = random.Random(seed)
        changed = bytearray(content)
        for _ in range(chosen.randrange(1, 4)):
            changed[chosen.randrange(len(content))] = chosen.randrange(256)
        (folder / name).write_bytes(changed)
        try:
            read(record)
        except ValueError as error:
            if f"{folder}/{name}: not a readable" not in str(error):
                other.append((seed, error))
        except Exception as error:  # what this test is about
            other.append((seed, error))
    assert other == []


def test_a_mask_with_three_channels_is_refused(folder):
    (folder / "SegmentationClass" / "rgb.png").write_bytes(FILES["JPEGImages/clear.jpg"])
    with pytest.raises(ValueError, match=r"rgb\.png: not a readable mask: .* found mode RGBA"):
        ImageRoot(folder).mask(mask("rgb"))


def test_a_damaged_member_of_a_zip_is_named(tmp_path):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        content = bytes(range(256)) * 40
        path = zipped(tmp_path / "d.zip", {"a.txt": b"good", "b.jpg": content}, method)
        damaged = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("b.jpg").header_offset
        for place in range(start + 40, start + 60):
            damaged[place] ^= 0x55
        path.write_bytes(damaged)
        root = ImageRoot(path)
        assert root.read("a.txt") == b"good"
        with pytest.raises(ValueError, match=r"d\.zip/b\.jpg: cannot be read: "):
            root.read("b.jpg")


@pytest.mark.parametrize("use", ["exists", "names", "read"])
def test_a_zip_with_a_damaged_list_of_members_is_named(tmp_path, use):
    path = zipped(tmp_path / "d.zip", FILES)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"PK\x01\x02")] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"d\.zip"):
        getattr(ImageRoot(path), use)("classes.txt")


def test_a_root_travels_to_another_process(root):
    root.read("classes.txt")
    again = pickle.loads(pickle.dumps(root))
    assert again.read("classes.txt") == b"cat\n"
    assert again.root == root.root


def _read_at_random(root: ImageRoot, expected: dict[str, bytes], seed: int, answers) -> None:
    wrong = 0
    for name in random.Random(seed).choices(list(expected), k=400):
        try:
            wrong += root.read(name) != expected[name]
        except Exception:  # whatever a mixed-up read raises
            wrong += 1
    answers.put(wrong)


def test_loader_processes_can_share_a_zip_that_was_read_before_they_began(tmp_path):
    # Forked processes share the position in an open file: what one seeks, the other reads.
    rng = np.random.default_rng(0)
    files = {f"{n}.jpg": rng.bytes(9000 + 100 * n) for n in range(30)}
    root = ImageRoot(zipped(tmp_path / "d.zip", files, zipfile.ZIP_STORED))
    assert root.read("0.jpg") == files["0.jpg"]
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    workers = [
        context.Process(target=_read_at_random, args=(root, files, seed, answers))
        for seed in range(3)
    ]
    for worker in workers:
        worker.start()
    wrong = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert wrong == [0, 0, 0]


def test_real_photographs_and_their_masks_are_read(photographs: Path):
    root = ImageRoot(photographs)
    names = [name.removesuffix(".png") for name in root.names("SegmentationClass")][::40]
    assert len(names) > 3
    for name in names:
        labels = root.mask(mask(name))
        picture = root.image(ImageRecord(name, f"JPEGImages/{name}.jpg", *labels.shape, (), ""))
        assert picture.mode == "RGB"
        assert picture.size == labels.shape[::-1]
        assert set(np.unique(labels)) <= {*range(21), 255}
        assert len(np.unique(labels)) > 1


@pytest.mark.parametrize("content", [b"", b"a text, whatever its name says"])
def test_what_is_no_image_is_named_without_an_object_in_memory(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    record = ImageRecord("a", "a.jpg", 4, 4, (), "")
    with pytest.raises(ValueError, match=r"a\.jpg: not a readable image: in no image format"):
        ImageRoot(tmp_path).image(record)
    with pytest.raises(ValueError, match=r"a\.jpg: not a readable mask: in no image format"):
        ImageRoot(tmp_path).mask(MaskRecord("a", "a.jpg", ""))
