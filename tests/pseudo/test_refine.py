"""Refining a shard: every image's scores at both background powers, in the order of the tags."""

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.refiners.crf import DenseCrf
from hfpl.plugins.refiners.interface import Refiner
from hfpl.stages.pseudo.refine import pseudo_label_scores, refine_shard
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import Shard, write_shard

SIZES = [(20, 24), (17, 31), (16, 16)]
TAGS = [(1,), (0, 2), ()]


@pytest.fixture(scope="module")
def settings():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


def cams_of(number: int) -> np.ndarray:
    """Middles of steps of 1/200, so that storing them changes nothing."""
    shape = (len(TAGS[number]), *SIZES[number])
    steps = np.random.default_rng(number).integers(0, 200, shape)
    return (steps.astype(np.float32) + np.float32(0.5)) / np.float32(200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        pixels = np.random.default_rng(9 + number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"image{number}.png")
    return folder


def write_part(folder, numbers, name: str):
    records = tuple(
        ImageRecord(f"image{i}", f"image{i}.png", *SIZES[i], TAGS[i], "") for i in numbers
    )
    manifest, cams = folder / f"{name}.json", folder / f"{name}.cams.zip"
    write_manifest(manifest, Manifest("test", "train", ("a", "b", "c"), records))
    with write_shard(cams, counts_from=0) as shard:
        for i in numbers:
            shard.add_scores(f"image{i}", TAGS[i], cams_of(i))
    return manifest, cams


def refine(settings, folder, numbers, name, out):
    manifest, cams = write_part(folder, numbers, name)
    files = [out / f"{name}.{power}.zip" for power in ("low", "high")]
    low, high = files
    declared = JOBS["pseudo"].settings(settings)
    done = refine_shard(declared, images=folder, manifest=manifest, cams=cams, low=low, high=high)
    assert done == f"{len(numbers)} images of {name}"
    return files


def members(path):
    shard = Shard(path)
    return {name: shard.member(name) for name in shard.member_names()}


def test_scores_are_the_crf_s_at_both_powers(settings, folder, tmp_path):
    low, high = map(Shard, refine(settings, folder, range(3), "all", tmp_path))
    for number in (0, 1):
        pixels = np.asarray(Image.open(folder / f"image{number}.png"))
        powers = (settings.pseudo.alpha_low, settings.pseudo.alpha_high)
        refiner = DenseCrf(settings.pseudo.crf)
        expected = pseudo_label_scores(pixels, cams_of(number), powers, refiner)
        for shard, scores in zip((low, high), expected, strict=True):
            channels, found = shard.scores(f"image{number}", SIZES[number], counts_from=1)
            # Background, then the classes: class k is named k + 1.
            assert channels == [0, *(k + 1 for k in TAGS[number])]
            np.testing.assert_allclose(found, scores, atol=0.5 / 200 + 1.1e-4)


def test_the_high_power_leaves_less_background(settings, folder, tmp_path):
    low, high = map(Shard, refine(settings, folder, range(3), "all", tmp_path))
    for number in (0, 1):
        _, one = low.scores(f"image{number}", SIZES[number], counts_from=1)
        _, other = high.scores(f"image{number}", SIZES[number], counts_from=1)
        assert one[0].mean() > other[0].mean()


def test_an_untagged_image_is_background_for_certain(settings, folder, tmp_path):
    for file in refine(settings, folder, range(3), "all", tmp_path):
        channels, scores = Shard(file).scores("image2", SIZES[2], counts_from=1)
        assert channels == [0]
        assert (scores > 0.995).all()


def test_results_do_not_depend_on_the_sharding(settings, folder, tmp_path):
    whole = refine(settings, folder, range(3), "all", tmp_path)
    one = refine(settings, folder, [2, 0], "one", tmp_path)
    two = refine(settings, folder, [1], "two", tmp_path)
    for file, *parts in zip(whole, one, two, strict=True):
        together = {k: v for part in parts for k, v in members(part).items()}
        assert members(file) == together


def test_cams_of_another_size_are_named_and_nothing_is_written(settings, folder, tmp_path):
    manifest, _ = write_part(folder, [0], "zero")
    cams = tmp_path / "cams.zip"
    with write_shard(cams, counts_from=0) as shard:
        shard.add_scores("image0", TAGS[0], np.zeros((1, 5, 5), np.float32))
    with pytest.raises(ValueError, match=r"cams\.zip: 'image0' is \(5, 5\)"):
        refine_shard(
            JOBS["pseudo"].settings(settings),
            images=folder,
            manifest=manifest,
            cams=cams,
            low=tmp_path / "low",
            high=tmp_path / "high",
        )
    assert [file.name for file in tmp_path.iterdir()] == ["cams.zip"]


class Kept(Refiner):
    """Leaves scores as they are, and notes the sizes it was given."""

    def __init__(self) -> None:
        self.seen = []

    def refine(self, image, scores):
        self.seen += [image.shape[:2], *(of_classes.shape for of_classes in scores)]
        return list(scores)


@pytest.mark.parametrize(("size", "scale", "small"), [((20, 24), 0.5, (10, 12)),
                                                      ((17, 31), 0.5, (8, 16)),
                                                      ((3, 40), 0.1, (1, 4))])  # fmt: skip
def test_scores_are_refined_at_another_size_and_enlarged_again(size, scale, small):
    rng, refiner = np.random.default_rng(0), Kept()
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    level = np.float32(0.25)
    cams = np.stack([np.full(size, level), rng.random(size, np.float32) * level])
    low, high = pseudo_label_scores(image, cams, (1, 2), refiner, scale)
    assert refiner.seen == [small, (3, *small), (3, *small)]
    assert low.shape == high.shape == (3, *size)
    # What is the same everywhere stays so: the largest map is the first, at any size.
    np.testing.assert_allclose(low[:2], [np.full(size, 0.75), np.full(size, 0.25)], rtol=1e-6)
    np.testing.assert_allclose(high[0], np.full(size, 0.75**2), rtol=1e-6)
    assert 0 <= low[2].min() <= low[2].max() <= level


def test_the_crf_at_half_size_agrees_where_a_class_is_clear(settings):
    image = np.zeros((80, 96, 3), np.uint8)
    image[:, 48:] = 200
    cams = np.full((1, 80, 96), 0.1, np.float32)
    cams[:, :, 40:] = 0.8
    refiner = DenseCrf(settings.pseudo.crf)
    whole, half = (
        pseudo_label_scores(image, cams, (1,), refiner, scale)[0].argmax(0) for scale in (1, 0.5)
    )
    assert 0.2 < whole.mean() < 0.8
    assert (whole != half).mean() < 0.02
