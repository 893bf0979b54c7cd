"""Calibrated CAMs: the threshold that colours ask for, the power, and what reads them."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.stages.cam.calibrate import (
    LEVELS,
    Cams,
    best_threshold,
    calibrate_cams,
    exponent,
    likelihood,
    separations,
    shares,
)
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard


def maps_of(seed: int, shape=(2, 40, 50), power: float = 3.0) -> np.ndarray:
    """Smoothly spread maps; the larger the power, the lower they lie."""
    return np.random.default_rng(seed).random(shape).astype(np.float32) ** power


def plain_separation(image: np.ndarray, cam: np.ndarray, threshold: float) -> float:
    """One threshold's value, by the definition: masks, means and the inverse covariance."""
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(float)
    spread = np.cov(colours.T, bias=True) + 4 * np.eye(3)
    above = cam.ravel() >= threshold
    share = above.mean()
    if share in (0, 1):
        return 0.0
    apart = colours[above].mean(0) - colours[~above].mean(0)
    return (share * (1 - share)) ** 0.6 * float(apart @ np.linalg.inv(spread) @ apart)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), grey=st.booleans())
def test_separations_are_those_of_the_definition(seed, grey):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 50, 1 if grey else 3), dtype=np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(image, (40, 50, 3)))
    cam = maps_of(seed, (40, 50))
    found = separations(image, cam)
    assert found.shape == (LEVELS,)
    for level in (0, 10, 57, 120, 199):
        # On an edge of levels float32 may round either way: none of these maps has one there.
        expected = plain_separation(image, cam, (level + 1) / LEVELS)
        assert found[level] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("inside", "level"), [(0.9, 0.5), (0.4, 0.15), (0.8, 0.7)])
def test_the_threshold_is_found_where_the_colour_changes(inside, level):
    """A red disc on blue, and a map that falls off through its contour at a known level."""
    y, x = np.mgrid[:96, :96] - 47.5
    distance = np.hypot(y, x)
    image = np.where((distance < 30)[..., None], [200, 40, 40], [40, 40, 200]).astype(np.uint8)
    slope = (inside - level) / 30
    cam = np.clip(level + slope * (30 - distance), 0, 1).astype(np.float32)
    assert best_threshold(separations(image, cam)) == pytest.approx(level, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_shares_are_counted(seed):
    cam = maps_of(seed, (40, 50))
    found = shares(cam)
    for level in (0, 10, 57, 120, 199):
        assert found[level] == pytest.approx((cam >= (level + 1) / LEVELS).mean())


def test_a_share_of_a_third_is_the_likeliest_and_twice_as_much_not_unlikely():
    at = likelihood(np.array([0.0, 0.05, 0.175, 0.35, 0.7, 1.0]))
    assert at[3] == 1
    assert list(at.argsort()) == [5, 0, 1, 4, 2, 3]
    assert at[2] > 0.85
    assert at[4] > 0.7
    assert (at > 0).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_maps_and_pictures_without_shape_are_no_error(value):
    flat = np.full((20, 30, 3), 128, np.uint8)
    assert not separations(flat, np.full((20, 30), value, np.float32)).any()
    assert not separations(flat, maps_of(0, (20, 30))).any()
    assert 0 < best_threshold(np.zeros(LEVELS)) < 1


@given(found=st.floats(0.01, 0.99), threshold=st.floats(0.05, 0.95))
def test_the_power_moves_one_threshold_to_the_other(found, threshold):
    power = exponent(found, threshold)
    assert 0.1 <= power <= 10
    if 0.1 < power < 10:
        assert found**power == pytest.approx(threshold)


RECORDS = tuple(
    ImageRecord(f"i{k}", f"i{k}.png", 30, 40, tags, "") for k, tags in enumerate([(0,), (0, 1), ()])
)


@pytest.fixture
def written(tmp_path):
    """Three images, one of them without a tag, their manifest and their CAMs."""
    for record in RECORDS:
        pixels = np.random.default_rng(len(record.id)).integers(0, 256, (30, 40, 3), np.uint8)
        pixels[:, :12] //= 4
        Image.fromarray(pixels).save(tmp_path / record.file)
    write_manifest(tmp_path / "train-0.json", Manifest("d", "train", ("a", "b"), RECORDS))
    with write_shard(tmp_path / "cams.zip", counts_from=0) as shard:
        for number, record in enumerate(RECORDS):
            cams = 0.6 * maps_of(number, (len(record.tags), 30, 40), 1.0)
            cams[:, :, :12] += 0.4
            shard.add_scores(record.id, record.tags, cams)
    return tmp_path


def params(threshold: float | None):
    content = YAML(typ="safe", pure=True).load(preset_text("micro"))
    content["cam"]["calibration"] = {"threshold": threshold}
    return validate_params(content)


def calibrate(folder, threshold: float = 0.25) -> dict[str, float]:
    out = folder / "calibration.json"
    calibrate_cams(
        JOBS["cam_calibrate"].settings(params(threshold)),
        images=folder,
        manifests=[folder / "train-0.json"],
        cams=[folder / "cams.zip"],
        calibration=out,
    )
    return json.loads(out.read_text())


def test_the_job_sums_over_tagged_images(written):
    found = calibrate(written)
    source, root = Cams([written / "cams.zip"], None), ImageRoot(written)
    maps = [source.of(record)[1].max(0) for record in RECORDS[:2]]
    total = sum(
        separations(np.asarray(root.image(record)), cam)
        for record, cam in zip(RECORDS, maps, strict=False)
    )
    above = [np.mean([(cam >= (k + 1) / LEVELS).mean() for cam in maps]) for k in range(LEVELS)]
    weights = [
        np.exp(-((math.log(p / (1 - p)) - math.log(0.35 / 0.65)) ** 2) / (2 * 2.0**2))
        for p in np.clip(above, 1e-4, 1 - 1e-4)
    ]
    assert found["threshold"] == best_threshold(total * np.array(weights))
    assert 0.3 < found["threshold"] < 0.7  # the strip's maps lie above, most of the others below
    assert found["threshold"] ** found["exponent"] == pytest.approx(0.25)
    assert calibrate(written, 0.1)["exponent"] > found["exponent"]


def test_readers_get_powers_of_what_is_stored(written):
    found = calibrate(written)["exponent"]
    plain = Cams([written / "cams.zip"], None)
    source = Cams([written / "cams.zip"], written / "calibration.json")
    for record in RECORDS:
        classes, cams = source.of(record)
        assert classes == plain.of(record)[0]
        np.testing.assert_allclose(cams, plain.of(record)[1] ** found, rtol=1e-5)
        assert cams.dtype == np.float32


def test_a_file_that_is_none_is_named(written):
    (written / "calibration.json").write_text('{"power": 2}')
    with pytest.raises(ValueError, match=r"calibration\.json: holds no exponent of CAMs"):
        Cams([written / "cams.zip"], written / "calibration.json")


def test_without_any_tag_there_is_nothing_to_calibrate(written):
    images = (replace(RECORDS[2], id="i2"),)
    write_manifest(written / "train-0.json", Manifest("d", "train", ("a", "b"), images))
    with pytest.raises(ValueError, match="no training image has a tag"):
        calibrate(written)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_a_run_has_the_job_where_a_threshold_is_given(threshold):
    chosen = params(threshold)
    made = {one.job.name: one for job in JOBS.values() for one in job.made(chosen, "r")}
    assert ("cam_calibrate" in made) == (threshold is not None)
    for name in ("pseudo", "walk", "evaluate_cams"):
        reads = [path for path in made[name].inputs if path.endswith("calibration.json")]
        assert len(reads) == (threshold is not None)
