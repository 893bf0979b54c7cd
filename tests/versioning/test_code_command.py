"""``hfpl code``: what it calls edited and what new, and names that are none."""

import pytest

import hfpl.jobs.code
import hfpl.versioning.code
from hfpl.cli import main
from hfpl.jobs.code import Recorded, code_digest
from hfpl.versioning.code import raise_versions, units


@pytest.fixture
def recorded(monkeypatch):
    """All code as it is now, but for what a test takes out or alters."""
    entries = {unit: Recorded(1, code_digest(module)) for unit, module in units().items()}
    for place in (hfpl.jobs.code, hfpl.versioning.code):
        monkeypatch.setattr(place, "record", lambda: entries)
    return entries


@pytest.mark.parametrize(
    ("new", "edited", "told"),
    [
        ([], [], ["nothing is edited"]),
        (["methods/ppc"], [], ["methods/ppc: new", "1 new; --raise records them"]),
        (["methods/ppc"], ["walk", "pseudo"],
         ["pseudo: edited", "walk: edited", "methods/ppc: new",
          "1 new; --raise records them; 2 edited; --same or --raise records them"]),
    ],
)  # fmt: skip
def test_what_no_record_knows_is_new(recorded, capsys, new, edited, told):
    for unit in new:
        del recorded[unit]
    for unit in edited:
        recorded[unit] = Recorded(1, "0" * 16)
    assert main(["code"]) == 0
    found = "".join(capsys.readouterr())
    assert all(line in found for line in told)
    assert found.count(": edited") == len(edited)


@pytest.mark.parametrize(
    ("name", "hint"), [("ppc", "methods/ppc"), ("wlak", "walk"), ("methods/seems", "methods/seam")]
)
def test_an_unknown_name_is_told_the_one_that_is_meant(recorded, name, hint):
    with pytest.raises(ValueError, match=f"{name}: no job or plug-in; did you mean '{hint}'"):
        raise_versions([name])
