"""What a job does not declare it cannot read."""

import copy
import pickle
from functools import reduce

import pytest

from hfpl.jobs.settings import Settings, UndeclaredParameter

VALUES = {
    "walk.beta": 8.0,
    "walk.log_steps": 6,
    "affinity.radius": 5,
    "network.options.widths": [1, 2],
    "cam.methods.cam": {},
    "cam.fsl.sigma": None,
}


@pytest.fixture
def settings() -> Settings:
    return Settings(VALUES, "walk")


def test_declared_values_are_read_as_sections(settings):
    assert settings.walk.beta == 8.0
    assert settings.cam.fsl.sigma is None
    assert settings.network.options.as_dict() == {"widths": [1, 2]}
    assert settings.cam.methods["cam"].as_dict() == {}
    assert dict(**settings.walk) == {"beta": 8.0, "log_steps": 6}
    assert list(settings) == ["walk", "affinity", "network", "cam"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (["affinity", "channels"], "affinity.channels"),
        (["segment"], "segment"),
        (["walk", "beta_2"], "walk.beta_2"),
        (["cam", "methods", "cam", "alpha"], "cam.methods.cam.alpha"),
        (["wal"], "wal"),
    ],
)
def test_what_is_not_declared_raises_and_names_job_and_key(settings, path, key):
    *above, last = path
    node = reduce(getattr, above, settings)
    with pytest.raises(UndeclaredParameter, match=f"job walk reads '{key}', which it does not"):
        getattr(node, last)


def test_a_view_can_be_copied_and_sent_to_a_loader_s_process(settings):
    for other in (copy.deepcopy(settings), pickle.loads(pickle.dumps(settings.walk))):
        assert (other.walk if "walk" in list(other) else other).beta == 8.0
