"""The generated data set as a file: VOC's layout, equal bytes, pictures that fit their masks."""

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.shapes import Settings
from hfpl.plugins.formats.shapes.drawing import CLASS_NAMES, draw_scene
from hfpl.plugins.formats.shapes.generate import write_shapes
from hfpl.storage.manifest import ImageRecord, MaskRecord
from hfpl.storage.reading import ImageRoot

SETTINGS = Settings(
    format="shapes",
    train=6,
    val=3,
    size=48,
    classes=3,
    min_extent=0.5,
    max_extent=0.9,
    texture_amplitude=0.08,
    head_fraction=0.42,
    seed=5,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes") / "shapes.zip"
    write_shapes(path, SETTINGS)
    return path


@pytest.fixture(scope="module")
def root(archive: Path) -> ImageRoot:
    return ImageRoot(archive)


def ids_of(root: ImageRoot) -> list[str]:
    return [name for split in ("train", "val") for name in voc.read_list(root, split)]


def picture_and_mask(root: ImageRoot, name: str) -> tuple[np.ndarray, np.ndarray]:
    picture = root.image(ImageRecord(name, f"{voc.IMAGES}/{name}.jpg", 48, 48, (), ""))
    return np.array(picture), root.mask(MaskRecord(name, f"{voc.MASKS}/{name}.png", ""))


def test_equal_settings_give_equal_bytes(archive, tmp_path):
    write_shapes(tmp_path / "again.zip", SETTINGS)
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()
    write_shapes(tmp_path / "other.zip", SETTINGS.model_copy(update={"seed": 6}))
    assert (tmp_path / "other.zip").read_bytes() != archive.read_bytes()


def test_the_archive_has_vocs_layout(archive, root):
    assert voc.read_classes(root) == tuple(CLASS_NAMES[:3])
    assert voc.read_list(root, "train") == [f"train_{n:06d}" for n in range(6)]
    assert voc.read_list(root, "val") == [f"val_{n:06d}" for n in range(3)]
    names = ids_of(root)
    for folder, ending in ((voc.IMAGES, "jpg"), (voc.MASKS, "png"), (voc.ANNOTATIONS, "xml")):
        assert root.names(folder) == [f"{name}.{ending}" for name in names]
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_tags_and_boxes_are_those_of_the_mask(root):
    for name in ids_of(root):
        _, mask = picture_and_mask(root, name)
        labels = sorted(set(np.unique(mask).tolist()) - {0, 255})
        assert labels
        assert voc.read_tags(root, name, CLASS_NAMES[:3]) == tuple(k - 1 for k in labels)
        tree = ElementTree.fromstring(root.read(f"{voc.ANNOTATIONS}/{name}.xml"))
        for found in tree.findall("object"):
            label = CLASS_NAMES.index(found.findtext("name")) + 1
            ys, xs = np.nonzero(mask == label)
            corners = [int(found.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")]
            assert 1 <= corners[0] <= corners[2] <= 48
            assert 1 <= corners[1] <= corners[3] <= 48
            assert xs.min() + 1 <= corners[0]
            assert corners[2] <= xs.max() + 1
            assert ys.min() + 1 <= corners[1]
            assert corners[3] <= ys.max() + 1


def test_pictures_are_the_scenes_but_for_compression(root):
    for name in ids_of(root):
        split, _, place = name.partition("_")
        # Numbered apart, so that more training pictures change none of val.
        number = int(place) + (10**6 if split == "val" else 0)
        scene = draw_scene(
            5,
            number,
            size=48,
            num_classes=3,
            min_extent=0.5,
            max_extent=0.9,
            texture_amplitude=0.08,
            head_fraction=0.42,
        )
        picture, mask = picture_and_mask(root, name)
        assert np.array_equal(mask, scene.mask)
        # Red and blue swapped would be off by far more.
        error = np.abs(picture.astype(int) - scene.image).mean((0, 1))
        assert error.max() < 6


def test_colours_have_the_full_resolution(root):
    content = root.read(f"{voc.IMAGES}/train_000000.jpg")
    with Image.open(io.BytesIO(content)) as image:
        factors = [layer[1:3] for layer in image.layer]
    assert factors == [(1, 1)] * 3


def test_no_two_pictures_are_equal(root):
    contents = {root.read(f"{voc.IMAGES}/{name}.jpg") for name in ids_of(root)}
    assert len(contents) == len(ids_of(root)) == 9


def test_a_failure_leaves_no_file(tmp_path):
    impossible = SETTINGS.model_copy(update={"classes": 99})
    with pytest.raises((ValueError, IndexError)):
        write_shapes(tmp_path / "shapes.zip", impossible)
    assert list(tmp_path.iterdir()) == []
