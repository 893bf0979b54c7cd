"""Calibrated CAMs: the share of pixels above the threshold, and what reads them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.stages.cam.calibrate import LEVELS, Cams, calibrate_cams, exponent, level_shares
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import write_shard


def maps_of(seed: int, shape=(2, 40, 50), power: float = 3.0) -> np.ndarray:
    """Smoothly spread maps; the larger the power, the lower they lie."""
    return np.random.default_rng(seed).random(shape).astype(np.float32) ** power


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    power=st.floats(0.5, 6.0),
    foreground=st.floats(0.1, 0.9),
    threshold=st.floats(0.1, 0.6),
)
def test_the_share_lies_above_the_threshold(seed, power, foreground, threshold):
    cams = maps_of(seed, power=power)
    found = exponent(level_shares(cams), foreground, threshold)
    if 0.1 < found < 10:
        above = (cams.max(0) ** found > threshold).mean()
        # One level of the histogram: where maps lie low, many pixels share it.
        level = np.abs(cams.max(0)[..., None] - np.quantile(cams.max(0), 1 - foreground)) < (
            1 / LEVELS
        )
        assert abs(above - foreground) <= level.mean() + 1e-3


def test_maps_that_fit_already_stay():
    shares = np.zeros(LEVELS)
    shares[:50], shares[50:] = 0.65 / 50, 0.35 / 150
    assert exponent(shares, 0.35, 0.25) == pytest.approx(1.0)


@given(foreground=st.floats(0.05, 0.9), more=st.floats(0.01, 0.09))
def test_a_larger_share_never_raises_the_exponent(foreground, more):
    shares = level_shares(maps_of(0))
    assert exponent(shares, foreground + more, 0.25) <= exponent(shares, foreground, 0.25)


@pytest.mark.parametrize("level", [0, LEVELS - 1])
def test_maps_without_shape_stay_within_bounds(level):
    shares = np.zeros(LEVELS)
    shares[level] = 1
    assert 0.1 <= exponent(shares, 0.35, 0.25) <= 10


def test_every_image_counts_alike_whatever_its_size():
    small, large = maps_of(0, (1, 4, 5)), maps_of(1, (3, 64, 80))
    assert level_shares(small).sum() == pytest.approx(1)
    assert level_shares(large).sum() == pytest.approx(1)
    assert np.argmax(level_shares(np.full((1, 3, 3), 1.0, np.float32))) == LEVELS - 1


RECORDS = tuple(
    ImageRecord(f"i{k}", f"i{k}.png", 30, 40, tags, "0" * 64)
    for k, tags in enumerate([(0,), (0, 1), ()])
)


@pytest.fixture
def written(tmp_path):
    """A shard of CAMs of three images, one of them without a tag, and its manifest."""
    write_manifest(tmp_path / "train-0.json", Manifest("d", "train", ("a", "b"), RECORDS))
    with write_shard(tmp_path / "cams.zip", counts_from=0) as shard:
        for number, record in enumerate(RECORDS):
            shape = (len(record.tags), 30, 40)
            shard.add_scores(record.id, record.tags, maps_of(number, shape))
    return tmp_path


def params(**calibration):
    content = YAML(typ="safe", pure=True).load(preset_text("micro"))
    content["cam"]["calibration"] = calibration
    return validate_params(content)


def calibrate(folder, **changes) -> float:
    chosen = params(**{"foreground": 0.3, "threshold": 0.25, **changes})
    out = folder / "calibration.json"
    calibrate_cams(
        JOBS["cam_calibrate"].settings(chosen),
        manifests=[folder / "train-0.json"],
        cams=[folder / "cams.zip"],
        calibration=out,
    )
    return json.loads(out.read_text())["exponent"]


def test_the_job_takes_the_mean_over_tagged_images(written):
    found = calibrate(written)
    source = Cams([written / "cams.zip"], written / "calibration.json")
    above = [(source.of(record)[1].max(0) > 0.25).mean() for record in RECORDS[:2]]
    assert np.mean(above) == pytest.approx(0.3, abs=0.02)
    assert calibrate(written, foreground=0.6) < found


def test_readers_get_powers_of_what_is_stored(written):
    found = calibrate(written)
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


@pytest.mark.parametrize("foreground", [None, 0.3])
def test_a_run_has_the_job_where_a_share_is_given(foreground):
    chosen = params(foreground=foreground, threshold=0.25)
    made = {one.job.name: one for job in JOBS.values() for one in job.made(chosen, "r")}
    assert ("cam_calibrate" in made) == (foreground is not None)
    for name in ("pseudo", "walk", "evaluate_cams"):
        reads = [path for path in made[name].inputs if path.endswith("calibration.json")]
        assert len(reads) == (foreground is not None)
