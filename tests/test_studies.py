"""Studies are no part of CI; that they can be asked how they are run is."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = (
    "corrections",
    "dependencies",
    "losses",
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


def test_losses_gives_means_over_the_seeds_that_have_both():
    from studies.losses import table

    def run(isl, fsl, seed, miou, changes=None):
        score = {"split": "val", "threshold_chosen": "fixed beforehand", "contour_f": miou / 2}
        best = {**score, "threshold_chosen": "best against ground truth", "miou": 99.0}
        scores = [{**score, "split": "train", "miou": 99.0}, best, {**score, "miou": miou}]
        facts = {"method": "cam", "isl": isl, "fsl": fsl, "seed": seed, "changes": changes or {}}
        return {**facts, "scores": scores}

    runs = [run("none", False, 0, 40.0), run("none", False, 1, 44.0), run("none", False, 2, 90.0),
            run("binomial", True, 0, 50.0), run("binomial", True, 1, 52.0),
            run("binomial", False, 2, 80.0), run("multinomial", True, 2, 80.0),
            run("binomial", True, 2, 80.0, {"cam.fsl.mu": 1.0})]  # fmt: skip
    found = table({"photographs": runs, "drawings": []})
    assert found[0].startswith("| method | photographs, mIoU % | photographs, contour F % | draw")
    assert found[2:] == ["| cam | 42.0 → 51.0 | 21.0 → 25.5 |  |  |"]


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


def test_corrections_are_compared_with_none_of_the_same_run():
    from studies.corrections import table

    def row(variant, corrected, chosen, miou):
        scores = {"post_processing": "CRF", "miou": str(miou), "contour_f": str(miou / 2)}
        return {"variant": variant, "corrected": corrected, "chosen": chosen, **scores}

    rows = [row("seam", "0", "", 60), row("seam", "50", "at random", 63),
            row("seam", "10", "by suspicion", 61), row("seam@seed=1", "0", "", 64),
            row("seam@seed=1", "10", "by suspicion", 67)]  # fmt: skip
    assert table(rows)[4:] == [
        "| 0 |  | CRF | 62.0 ± 2.8 |  | 31.0 ± 1.4 |  |",
        "| 10 | by suspicion | CRF | 64.0 ± 4.2 | +2.0 ± 1.4 | 32.0 ± 2.1 | +1.0 ± 0.7 |",
        "| 50 | at random | CRF | 63.0 | +3.0 | 31.5 | +1.5 |",
    ]


def test_photographs_to_correct_come_from_the_list_or_from_a_seed():
    from hfpl.storage.manifest import ImageRecord
    from studies.corrections import shuffled, suspicious

    images = [ImageRecord(f"i{k}", f"i{k}.jpg", 4, 4, (0,), "0" * 64) for k in range(30)]
    listed = [{"file": f"i{k}.jpg", "split": "val" if k == 7 else "train"} for k in (9, 7, 2)]
    assert suspicious([*images[:7], *images[8:]], listed) == ["i9", "i2"]
    assert sorted(shuffled(images, "a")) == sorted(image.id for image in images)
    assert shuffled(images, "a") == shuffled(images[::-1], "a") != shuffled(images, "b")
