"""Remotes and caches of a team: S3, results that stay, linked caches, DVC's own runs."""

import hashlib
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_s3_sends_all_or_the_work_tree_stays_as_it_was(pushed, clone_of, s3):
    one = clone_of(pushed, results=True)
    one.environment |= s3.keys
    one.run("dvc", "remote", "modify", "store", "url", "s3://team/hfpl")
    one.run("dvc", "remote", "modify", "store", "endpointurl", s3.url)
    one.share("a remote for all")

    two = clone_of(one)
    two.environment |= s3.keys
    two.run("hfpl", "dvc", "pull")
    assert "Nothing to be done" in two.plan()
    assert two.read("evaluate/table.csv") == one.read("evaluate/table.csv")

    lock = (one.folder / "dvc.lock").read_text()
    md5 = re.search(r"walk/val-0\.zip\n +hash: md5\n +md5: (\w+)", lock)[1]
    name = f"files/md5/{md5[:2]}/{md5[2:]}"
    s3.client.put_object(Bucket="team", Key=f"hfpl/{name}", Body=b"something else")
    three = clone_of(one)
    three.environment |= s3.keys
    said = three.run("hfpl", "dvc", "pull", status=1)
    (line,) = said.splitlines()
    assert "walk/val-0.zip: remote 'store' (s3://team/hfpl) holds a damaged" in line
    assert name in line
    assert not (three.folder / "results").exists()
    # Mended as the line says.
    s3.client.delete_object(Bucket="team", Key=f"hfpl/{name}")
    one.run("hfpl", "dvc", "push")
    three.run("hfpl", "dvc", "pull")
    assert "Nothing to be done" in three.plan()

    s3.stop()
    four = clone_of(one)
    four.environment |= s3.keys
    (line,) = four.run("hfpl", "dvc", "pull", status=1).splitlines()
    assert "failed to connect to s3" in line
    assert not (four.folder / "results").exists()


def test_results_that_stay_where_they_were_made_are_missed_by_nobody(
    pushed, clone_of, read_plan, after_walk
):
    one = clone_of(pushed, results=True)
    remote = one.folder.parent / "remote"
    one.run("dvc", "remote", "modify", "store", "url", str(remote))
    one.run("hfpl", "dvc", "write", "--local", "cam", "pseudo")
    one.share("large results are kept here")
    assert "push: false" in (one.folder / "dvc.yaml").read_text()

    two = clone_of(one)
    assert "12 more are kept where they were made" in two.run("hfpl", "dvc", "pull")
    run = two.folder / "results/shapes/seam-isl-fsl"
    assert sorted(p.name for p in run.glob("pseudo/*")) == ["provenance.json"]
    assert "Nothing to be done" in two.plan()
    # What is not there is known all the same.
    two.write_params("pseudo.alpha_low=2")
    assert read_plan(two.plan())["pseudo"][1].startswith("pseudo.alpha_low: 1.0 → 2.0")
    two.write_params("walk.beta=4")
    assert "12 of 12 local results made again" in two.run("hfpl", "dvc", "restore")
    assert two.read("pseudo/val-0.low.zip") == one.read("pseudo/val-0.low.zip")
    assert set(read_plan(two.plan())) == after_walk


@pytest.mark.parametrize("link", ["symlink", "hardlink"])
def test_nobody_writes_into_a_shared_cache(pushed, clone_of, read_plan, link):
    clone = clone_of(pushed)
    cache = clone.folder.parent / "cache"
    for name, value in (("dir", cache), ("type", link), ("shared", "group")):
        clone.run("dvc", "config", f"cache.{name}", str(value))
    clone.run("hfpl", "dvc", "pull")
    result = clone.folder / "results/shapes/seam-isl-fsl/evaluate/table.csv"
    assert result.is_symlink() if link == "symlink" else result.stat().st_nlink > 1
    held = contents(cache)
    assert len(held) > 40
    assert "Nothing to be done" in clone.plan()
    # Everything but the pretraining is made again, over the linked files.
    clone.write_params("variants.seam-isl-fsl.seed=5", "shards=1", "datasets.shapes.seed=5")
    assert "data_archive" in read_plan(clone.plan())
    clone.compute()
    clone.share("all of it again")
    assert "Nothing to be done" in clone.plan()
    assert {path: contents(cache)[path] for path in held} == held


def contents(cache: Path) -> dict[str, str]:
    files = (path for path in (cache / "files").rglob("*") if path.is_file())
    return {str(path): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def test_dvc_s_own_runs_and_what_others_have_run(pushed, clone_of, read_plan):
    one = clone_of(pushed, results=True)
    one.run("dvc", "remote", "modify", "store", "url", str(one.folder.parent / "remote"))
    one.run("git", "commit", "-aqm", "a remote of its own")
    one.run("hfpl", "dvc", "push")
    assert "Data and pipelines are up to date" in one.run("dvc", "repro")
    one.run("dvc", "exp", "run", "-S", "evaluate.background_score.seam=0.3")
    assert "seam: 0.3" in (one.folder / "params.yaml").read_text()
    assert "Nothing to be done" in one.plan()
    table = one.read("evaluate/table.csv")
    assert "cam" in one.run("dvc", "metrics", "diff")
    one.run("dvc", "plots", "show", "--out", "plots")
    page = (one.folder / "plots/index.html").read_text()
    assert "cam: total loss" in page
    assert "contact-val.png" in page
    one.run("hfpl", "dvc", "push")
    # Back, and forth again: nothing is computed a second time, and Snakemake agrees.
    one.run("git", "checkout", "-q", "--", "params.yaml")
    assert "Stage 'evaluate' is cached" in one.run("dvc", "repro")
    assert "Nothing to be done" in one.plan()
    assert one.read("evaluate/table.csv") != table

    two = clone_of(one)
    two.run("hfpl", "dvc", "pull")
    two.write_params("evaluate.background_score.seam=0.3")
    assert set(read_plan(two.plan())) == {"evaluate_cams", "evaluate_table", "report"}
    assert "Stage 'evaluate' is cached" in two.run("dvc", "repro", "--pull")
    assert two.read("evaluate/table.csv") == table
    assert "Nothing to be done" in two.plan()
