"""Zip files of which a small directory is kept: they read as Python's own do."""

import pickle
import zipfile

import pytest

from hfpl.storage.archive import Archive

NAMES = [f"folder/Straße {number}.png" for number in range(300)]


@pytest.fixture
def path(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(NAMES):
            method = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            archive.writestr(name, name.encode() * number, method)
    return tmp_path / "a.zip"


def test_every_member_is_found_and_read(path):
    archive = Archive(path)
    with zipfile.ZipFile(path) as plain:
        assert list(archive.names()) == sorted(plain.namelist())
        for name in NAMES:
            assert name in archive
            assert archive.read(name) == archive.read(name, 2**20) == plain.read(name)


@pytest.mark.parametrize("name", ["", "folder", "folder/Straße 300.png", "~"])
def test_what_is_not_there_is_not_found(path, name):
    archive = Archive(path)
    assert name not in archive
    with pytest.raises(KeyError):
        archive.read(name)


def test_of_an_empty_file_nothing_is_found(tmp_path):
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    assert "a" not in Archive(tmp_path / "a.zip")


def test_of_members_with_one_name_the_last_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"last")
    assert Archive(tmp_path / "a.zip").read("a") == b"last"


def test_a_copy_in_another_process_opens_the_file_anew(path):
    archive = Archive(path)
    assert archive.read(NAMES[1]) == NAMES[1].encode()
    copy = pickle.loads(pickle.dumps(archive))
    assert copy.read(NAMES[1]) == NAMES[1].encode()
