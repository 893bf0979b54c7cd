"""Zip files of which a small directory is kept: they read as Python's own do."""

import pickle
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfpl.storage.archive import Archive

# As Python's zipfile says it: a name ends before the first null, and none is empty.
MEMBER = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.dictionaries(MEMBER, st.binary(max_size=20)), st.booleans())
def test_members_are_read_as_python_reads_them(tmp_path_factory, members, packed):
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    found = Archive(path)
    for archive in (found, pickle.loads(pickle.dumps(found))):  # as a loading process gets it
        assert list(archive.names()) == sorted(members)
        for name, content in members.items():
            assert name in archive
            assert archive.read(name, 20) == content
        assert "no such member" not in archive
        with pytest.raises(KeyError):
            archive.read("no such member", 20)


def test_of_an_empty_file_nothing_is_found(tmp_path):
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    assert "a" not in Archive(tmp_path / "a.zip")


def test_of_members_with_one_name_the_last_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"last")
    assert Archive(tmp_path / "a.zip").read("a", 20) == b"last"


def test_a_member_that_begins_before_the_file_is_an_error(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("name", "content")
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 16] += 40  # where the directory is said to begin
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="before the file"):
        Archive(path).read("name", 20)


def test_a_member_that_is_not_what_the_directory_says_is_an_error(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("name", "content")
    path.write_bytes(path.read_bytes().replace(b"content", b"kontent"))
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        Archive(path).read("name", 20)
