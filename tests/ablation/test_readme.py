"""What the README takes of the comparison's tables."""

import pytest

from hfpl.ablation.compare import compare
from hfpl.ablation.tables import as_markdown
from scripts.update_readme import first_place, replaced


def test_the_readme_has_facts_and_the_tables_of_the_first_place(row):
    runs = [row("cam", 0, {"val": (60.0, 20.0)}), row("cam-isl-fsl", 0, {"val": (70.0, 30.0)}),
            row("cam-isl-fsl", 0, {"val": (65.0, 25.0)}, cam__fsl__mu="3.0")]  # fmt: skip
    whole = as_markdown(compare(runs), "val", ["Some facts."])
    found = first_place(whole)
    assert whole.startswith(found.rstrip())
    assert found.startswith("Some facts.")
    assert "threshold fixed beforehand" in found
    assert "| cam-isl-fsl | cam.fsl.mu = 3.0 |" in found
    assert "threshold best against ground truth" in whole.removeprefix(found)
    assert "threshold best" not in found


def test_a_readme_without_its_markers_is_an_error():
    assert replaced("a <!-- x -->\nold<!-- /x --> b", "x", "new\n") == (
        "a <!-- x -->\nnew\n<!-- /x --> b"
    )
    with pytest.raises(ValueError, match="no markers '<!-- ablation -->'"):
        replaced("nothing", "ablation", "")
