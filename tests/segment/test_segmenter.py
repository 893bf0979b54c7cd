"""A trained network in Python: what goes in, and what comes out is what the command finds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hfpl
from hfpl import Segmenter
from hfpl.cli import main
from hfpl.images.palette import decode_mask
from tests.segment.conftest import CLASSES


def picture(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def segmenter(model: Path) -> Segmenter:
    return Segmenter.load(model, device="cpu", threads=1)


@pytest.mark.parametrize("crf", [True, False])
def test_files_images_and_arrays_are_labelled_as_by_the_command(model, tmp_path, crf):
    picture().save(tmp_path / "a.png")
    options = ["--device", "cpu", "--threads", "1", *([] if crf else ["--no-crf"])]
    line = ["segment", "--model", model, tmp_path / "a.png", "--out", tmp_path / "out", *options]
    assert main([str(word) for word in line]) == 0
    expected = decode_mask((tmp_path / "out" / "masks" / "a.png").read_bytes())
    segmenter = Segmenter.load(model, crf=crf, device="cpu", threads=1)
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), picture(), np.asarray(picture())):
        found = segmenter(given)
        np.testing.assert_array_equal(found.labels, expected)
        assert found.labels.dtype == np.uint8
        assert found.classes == segmenter.classes == ("background", *CLASSES)
        assert found.scores.dtype == np.float32
        assert found.scores.shape == (4, 30, 40)
        np.testing.assert_allclose(found.scores.sum(0), 1, atol=1e-4)
        np.testing.assert_array_equal(found.scores.argmax(0), expected)
    shares = {found.classes[k]: (expected == k).mean() for k in np.unique(expected) if k}
    assert found.found() == pytest.approx(shares)


def test_large_photographs_are_shrunk_for_the_network_alone(segmenter):
    found = segmenter(picture((192, 144)))
    assert found.labels.shape == (144, 192)
    assert found.scores.shape == (4, 36, 48)
    assert segmenter.long_side == 48


def test_photographs_are_seen_upright_and_in_colour(segmenter, tmp_path):
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    expected = segmenter(picture()).labels
    np.testing.assert_array_equal(segmenter(tmp_path / "turned.png").labels, expected)
    with Image.open(tmp_path / "turned.png") as image:
        np.testing.assert_array_equal(segmenter(image).labels, expected)
    grey = picture().convert("L")
    same = segmenter(grey.convert("RGB")).labels
    np.testing.assert_array_equal(segmenter(grey).labels, same)
    np.testing.assert_array_equal(segmenter(np.asarray(grey)).labels, same)
    clear = picture().convert("RGBA")
    np.testing.assert_array_equal(segmenter(clear).labels, expected)


def test_many_are_labelled_in_their_order_on_any_number_of_processes(segmenter):
    photographs = [picture((40 + n, 30), seed=n) for n in range(5)]
    expected = [segmenter(photograph) for photograph in photographs]
    for workers in (0, 1):
        found = list(segmenter.stream(iter(photographs), workers))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none.jpg", "none.jpg: not a readable photograph: No such file"),
        (Path(__file__), "test_segmenter.py: not a readable photograph: "),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \(h, w, 3\), RGB, or \(h, w\), grey; got uint8"),
        (np.zeros((4, 4, 3), np.float32), "got float32"),
    ],
)
def test_what_is_no_photograph_is_an_error(segmenter, given, message):
    with pytest.raises(ValueError, match=message):
        segmenter(given)


def test_one_that_is_wrong_keeps_no_other_from_being_labelled(segmenter):
    given = [("a", picture()), ("b", "none.jpg"), ("c", picture())]
    found = dict(segmenter.labelled(given))
    assert isinstance(found["b"], ValueError)
    np.testing.assert_array_equal(found["a"].labels, found["c"].labels)


def test_a_file_that_is_no_model_is_an_error(tmp_path, model):
    (tmp_path / "x.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="x.safetensors"):
        Segmenter.load(tmp_path / "x.safetensors", device="cpu")
    with pytest.raises(ValueError, match="long_side 0: expected at least 1"):
        Segmenter.load(model, device="cpu", long_side=0)


def test_the_package_has_no_other_names():
    assert hfpl.__all__ == ["Segmenter", "__version__"]
    with pytest.raises(AttributeError, match="Segmentor"):
        hfpl.Segmentor  # noqa: B018
