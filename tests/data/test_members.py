"""Archives that are not trusted: what is read, left out, refused."""

import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from hfpl.plugins.formats.members import Members


@pytest.fixture
def pack(tmp_path: Path):
    """Write a zip or tar of (name, content, kind) and open it; kinds are tar's."""

    def write(form: str, *entries: tuple[str, bytes, bytes]) -> Path:
        path = tmp_path / f"a.{form}"
        if form == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content, kind in entries:
                    info = zipfile.ZipInfo(name)
                    info.external_attr = _MODES[kind] << 16
                    archive.writestr(info, content, zipfile.ZIP_DEFLATED)
            return path
        with tarfile.open(path, "w") as archive:
            for name, content, kind in entries:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, content.decode() if kind != FILE else ""
                info.size = len(content) if kind == FILE else 0
                archive.addfile(info, io.BytesIO(content))
        return path

    return write


FILE, LINK, FOLDER, DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE
_MODES = {
    FILE: stat.S_IFREG | 0o644, LINK: stat.S_IFLNK, FOLDER: stat.S_IFDIR, DEVICE: stat.S_IFCHR
}  # fmt: skip
FORMS = pytest.mark.parametrize("form", ["zip", "tar"])


@FORMS
def test_files_are_read_by_name(pack, form, capsys):
    path = pack(form, ("a/", b"", FOLDER), ("a/b.txt", b"one", FILE), ("./c", b"", FILE))
    with Members(path) as members:
        assert sorted(members) == ["a/b.txt", "c"]
        assert "a/b.txt" in members
        assert "a/" not in members
        assert members.read("a/b.txt") == b"one"
        assert members.read("c") == b""
        with pytest.raises(ValueError, match=rf"a\.{form}: no file 'a/b' in it"):
            members.read("a/b")
    assert capsys.readouterr().err == ""


@FORMS
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/etc/x", FILE), ("../x", FILE), ("a/../../x", FILE), ("C:/x", FILE), ("C:x", FILE),
        ("a\\..\\x", FILE), ("link", LINK), ("device", DEVICE),
    ],
)  # fmt: skip
def test_what_leads_out_is_left_out_with_a_line(pack, form, name, kind, capsys, tmp_path):
    path = pack(form, ("good", b"1", FILE), (name, b"/etc/passwd", kind))
    with Members(path) as members:
        assert list(members) == ["good"]
        assert members.read("good") == b"1"
        with pytest.raises(ValueError, match="no file"):
            members.read(name)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path}: 1 entries ignored: links, devices, or names that lead out")
    assert repr(name) in line
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing is unpacked


@FORMS
def test_a_large_file_is_refused_before_it_is_unpacked(pack, form):
    path = pack(form, ("bomb", bytes(100_000), FILE))
    with Members(path) as members:
        assert len(members.read("bomb", 100_000)) == 100_000
        with pytest.raises(ValueError, match="'bomb' cannot be read: 100000 bytes, more"):
            members.read("bomb", 99_999)


def test_a_zip_that_lies_about_a_size_is_damaged(pack):
    path = pack("zip", ("bomb", bytes(100_000), FILE))
    content = path.read_bytes()
    assert content.count(struct.pack("<I", 100_000)) == 2
    path.write_bytes(content.replace(struct.pack("<I", 100_000), struct.pack("<I", 10)))
    with (
        Members(path) as members,
        pytest.raises(ValueError, match="'bomb' cannot be read: Bad CRC"),
    ):
        members.read("bomb")


def test_unbounded_methods_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", b"1")
    with Members(tmp_path / "a.zip") as members, pytest.raises(ValueError, match="unusual method"):
        members.read("a")


def test_a_damaged_file_is_named(pack):
    path = pack("zip", ("a", bytes(range(256)) * 40, FILE))
    whole = path.read_bytes()
    middle = len(whole) // 3
    path.write_bytes(whole[:middle] + b"\xff\xff\xff" + whole[middle + 3 :])
    with Members(path) as members, pytest.raises(ValueError, match=r"a\.zip: 'a' cannot be read"):
        members.read("a")


@FORMS
def test_a_truncated_archive_is_named(pack, form):
    path = pack(form, ("a", bytes(10_000), FILE), ("b", bytes(10_000), FILE))
    path.write_bytes(path.read_bytes()[:-100] if form == "zip" else path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=rf"a\.{form}: neither a readable zip nor"):
        Members(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 and no more", bytes(700)])
def test_what_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    if content == bytes(700):  # tar's end mark: an archive without files
        assert list(Members(path)) == []
        return
    with pytest.raises(ValueError, match=r"a\.zip: neither a readable zip nor"):
        Members(path)


def test_compressed_tars_and_missing_files_are_named(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    with pytest.raises(ValueError, match="nor a readable uncompressed tar"):
        Members(tmp_path / "a.tar.gz")
    with pytest.raises(ValueError, match="no such file; 'hfpl data download' puts it there"):
        Members(tmp_path / "gone")
