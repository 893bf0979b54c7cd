"""``hfpl code`` on edited code: what changes no result is recorded, what changes one is refused."""

import pytest

pytestmark = pytest.mark.slow

WALK = "hfpl/stages/walk/label.py"


def edit(clone, before: str, after: str) -> None:
    file = clone.folder / WALK
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_an_edit_that_changes_no_result_is_recorded_under_its_version(clone):
    record = (clone.folder / "hfpl/code.yaml").read_text(encoding="utf-8")
    edit(clone, "np.zeros(size, np.uint8)", "np.full(size, 0, np.uint8)")
    assert "walk: edited" in clone.run("hfpl", "code")
    assert "1 recorded again" in clone.run("hfpl", "code", "--same")
    assert "nothing is edited" in clone.run("hfpl", "code")
    changed = clone.run("git", "diff", "--unified=0", "hfpl/code.yaml")
    assert changed.count("\n+") == 2  # the file's name, and one line
    assert (clone.folder / "hfpl/code.yaml").read_text(encoding="utf-8") != record
    assert clone.run("git", "worktree", "list").count("\n") == 1


def test_an_edit_that_changes_a_result_needs_a_new_version(clone):
    edit(clone, "shard.add_mask(record.id, mask)", "shard.add_mask(record.id, np.roll(mask, 1))")
    refused = clone.run("hfpl", "code", "--same", status=1)
    assert ".json of variant seam-isl-fsl differs" in refused
    assert "'hfpl code --raise' what changes results, of walk" in refused
    assert "walk: edited" in clone.run("hfpl", "code")
    assert "new versions: walk" in clone.run("hfpl", "code", "--raise", "walk")
    assert "nothing is edited" in clone.run("hfpl", "code")
