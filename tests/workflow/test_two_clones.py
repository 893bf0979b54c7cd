"""What one clone has computed another one pulls, and nothing passes for what it is not."""

import os

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clones(pushed, clone_of):
    """Two clones: what the first has computed and pushed, the second has pulled."""
    one = clone_of(pushed, results=True)
    two = clone_of(one)
    two.run("hfpl", "dvc", "pull")
    return one, two


def test_nothing_is_left_to_do_where_results_were_pulled(clones):
    one, two = clones
    assert "Nothing to be done" in two.run("snakemake", "--cores", "2")
    assert two.read("evaluate/table.csv") == one.read("evaluate/table.csv")
    assert "Nothing to be done" in one.plan()


def test_a_change_runs_its_dependants_alone_and_comes_back(clones, read_plan, after_walk):
    one, two = clones
    two.write_params("walk.beta=4")
    plan = read_plan(two.plan())
    assert set(plan) == after_walk
    assert plan["walk"] == (4, "walk.beta: 8.0 → 4.0")
    two.compute()
    two.share("another beta")
    one.run("git", "pull", "-q", str(two.folder), "HEAD")
    # The new parameters are there, the results are not yet.
    assert read_plan(one.plan())["walk"] == (4, "walk.beta: 8.0 → 4.0")
    one.run("hfpl", "dvc", "pull")
    assert "Nothing to be done" in one.plan()
    assert one.read("evaluate/table.csv") == two.read("evaluate/table.csv")
    assert "walk" in one.run("dvc", "metrics", "diff", "HEAD~1")


def test_results_of_other_parameters_do_not_pass_for_current(clones, read_plan):
    one, _ = clones
    now = one.read("walk/val-0.zip")
    one.run("git", "checkout", "-q", "HEAD~1", "--", "params.yaml")
    assert read_plan(one.plan())["walk"] == (4, "walk.beta: 4.0 → 8.0")
    # Back to the whole earlier version, in the same clone.
    one.run("git", "checkout", "-q", "HEAD", "--", "params.yaml")
    one.run("git", "checkout", "-q", "HEAD~1")
    one.run("dvc", "checkout", "-q")
    assert one.read("walk/val-0.zip") != now
    assert "Nothing to be done" in one.plan()
    one.write_params("walk.beta=4")
    assert read_plan(one.plan())["walk"] == (4, "walk.beta: 8.0 → 4.0")
    one.run("git", "checkout", "-q", "--", "params.yaml")


def test_an_unfinished_run_is_not_committed(clones):
    one, _ = clones
    one.write_params("walk.beta=2")
    said = one.run("hfpl", "dvc", "commit", status=1)
    assert "the run is not finished" in said
    assert "walk.beta" in said
    one.run("git", "checkout", "-q", "--", "params.yaml")


def test_a_deleted_result_is_named_and_no_version_goes_without_it(clones):
    one, _ = clones
    model = one.folder / "results/shapes/seam-isl-fsl/segment/network.safetensors"
    content, times = model.read_bytes(), model.stat()
    model.unlink()
    name = str(model.relative_to(one.folder))
    plan = one.plan()
    assert "Nothing to be done" in plan
    assert f"1 results are not here, and nothing that would run needs them: {name};" in plan
    said = one.run("hfpl", "dvc", "commit", status=1)
    assert f"{name}: not there, and it would be part of the version; make it again: " in said
    model.write_bytes(content)
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_code_counts_and_what_is_said_about_it_does_not(clones, read_plan, after_walk):
    one, _ = clones
    module = one.folder / "hfpl/stages/walk/label.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(f'{text}\n# A remark.\n"""And another."""\n', encoding="utf-8")
    assert "Nothing to be done" in one.plan()
    module.write_text(f"{text}\nUNUSED = 1\n", encoding="utf-8")
    plan = read_plan(one.plan())
    assert plan["walk"] == (4, "its code")
    assert set(plan) == after_walk
    module.write_text(text, encoding="utf-8")
    assert "Nothing to be done" in one.plan()


def test_a_file_among_results_is_left(clones):
    one, _ = clones
    file = one.folder / "results/shapes/seam-isl-fsl/walk/val-7.zip"
    file.write_bytes(b"")
    said = one.run("hfpl", "clean", "--yes")
    assert "walk/val-7.zip  (not made with these parameters, and no record" in said
    assert "nothing left over" in said or "0 leftovers, 0 bytes removed" in said
    assert "Nothing to be done" in one.plan()
    file.unlink()
