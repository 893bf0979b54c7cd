"""Studies are no part of CI; that they can be asked how they are run is."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = (
    "operations",
    "parts",
    "photographs",
    "prices",
    "retraining",
    "scale",
    "stages",
    "storage",
    "times",
    "versions",
    "where",
)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_says_how_it_is_run(repository: Path, study):
    done = subprocess.run(
        [sys.executable, "-m", f"studies.{study}", "--help"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_every_study_has_its_page(repository: Path):
    listed = (repository / "studies" / "README.md").read_text(encoding="utf-8")
    found = {path.stem for path in (repository / "studies").glob("[!_]*") if path.suffix != ".md"}
    assert found - {""} == set(STUDIES)
    assert all(f"`studies.{name}`" in listed for name in STUDIES)


def test_stages_gives_means_deviations_and_the_share_of_the_ceiling():
    from studies.stages import lines

    def run(variant, seed, stage, miou, contour_f):
        place = {"split": "val", "stage": stage, "post_processing": "CRF", "threshold_chosen": ""}
        score = {**place, "images": 7, "miou": miou, "contour_f": contour_f}
        other = {**score, "split": "train", "miou": 99.0}
        facts = {"variant": variant, "seed": seed, "device": "CPU", "changes": {}}
        return {**facts, "scores": [other, score]}

    runs = [run("seam", 0, "segment", 59.0, 40.0), run("seam", 1, "segment", 61.0, 43.0),
            run("supervised", 0, "segment, official masks", 75.0, 50.0)]  # fmt: skip
    found = lines(runs, "seam", "val")
    assert "(7 photographs)" in found[0]
    assert "seeds 0, 1; CPU" in found[0]
    assert found[4:] == [
        "| segment | CRF |  | 60.0 ± 1.4 | 41.5 ± 2.1 | 80 % |",
        "| segment, official masks | CRF |  | 75.0 | 50.0 |  |",
    ]
