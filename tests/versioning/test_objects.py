"""What dvc.lock names becomes paths only in the form that it must have."""

import pytest

from hfpl.versioning.objects import absent, locked_objects

GOOD = "0123456789abcdef" * 2


@pytest.fixture
def project(tmp_path):
    """A function that writes dvc.yaml and dvc.lock with one output."""

    def write(path: str, md5: str):
        (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    outs:\n    - x\n")
        out = f"    - path: {path}\n      md5: {md5}\n"
        (tmp_path / "dvc.lock").write_text(f"stages:\n  a:\n    outs:\n{out}")
        return tmp_path

    return write


def test_an_output_is_taken_as_it_is_named(project):
    (found,) = locked_objects(project("results/x.zip", GOOD))
    assert (found.path, found.md5, found.pushed) == ("results/x.zip", GOOD, True)
    assert found.name == f"files/md5/{GOOD[:2]}/{GOOD[2:]}"


@pytest.mark.parametrize(
    "md5",
    ["../../victim.txt", "aa/../../../victim.txt", GOOD.upper(), GOOD[:-1], f"{GOOD}.dir", "''",
     "null", "12", "[a]"],
)  # fmt: skip
def test_what_is_no_digest_is_refused_and_nothing_is_removed(project, md5):
    folder = project("x", md5)
    victim = folder / "victim.txt"
    victim.write_text("mine")
    with pytest.raises(ValueError, match=r"dvc\.lock: 'x' has no MD5"):
        absent(locked_objects(folder), folder / "cache" / "deep")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "5", "null"])
def test_a_path_that_leads_outside_is_refused(project, path):
    with pytest.raises(ValueError, match=r"dvc\.lock: .* leads outside of the project"):
        locked_objects(project(path, GOOD))


@pytest.mark.parametrize("text", ["stages: {a: 3}", "stages: {a: {outs: 3}}", "stages: {a: null}"])
def test_stages_of_another_form_name_nothing(tmp_path, text):
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "dvc.lock").write_text(text)
    assert locked_objects(tmp_path) == []
