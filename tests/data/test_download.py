"""Downloads against a real server on this machine: whole, broken off, wrong, missing."""

import errno
import fcntl
import hashlib
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfpl.stages.data.download import Fetched, Wanted, fetch

CONTENT = bytes(range(256)) * 12_000  # 3 MB: several chunks
AT_ONCE = (0, 0, 0)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def source(*urls: str, content: bytes | None = CONTENT) -> Wanted:
    checksum = None if content is None else md5(content)
    return Wanted(urls, 3_000_000, checksum)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "a.zip"


@pytest.fixture
def part(path: Path) -> Path:
    path.parent.mkdir()
    return path.with_name("a.zip.part")


def complaint(given: Wanted, path: Path, waits=AT_ONCE) -> str:
    with pytest.raises(ValueError, match=".") as caught:
        fetch(given, path, waits)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_file_arrives_whole(server, served, path, capsys):
    server.files["a"] = served(CONTENT)
    assert fetch(source(server.url("a")), path) == Fetched(len(CONTENT), md5(CONTENT))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["a.zip"]
    assert server.requests == [("a", None)]
    # Size and place are shown before it begins.
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"download: a.zip: about 3.0 MB from {server.url('a')} to {path.parent}/"


def test_a_broken_connection_is_resumed(server, served, path, capsys):
    server.files["a"] = served(CONTENT, cuts=[1_500_000, 700_000])
    fetch(source(server.url("a")), path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", "bytes=1500000-"), ("a", "bytes=2200000-")]
    assert "ended after 1500000 of 3072000 bytes; next try in 0 s" in capsys.readouterr().err


def test_a_later_run_resumes(server, served, path):
    server.files["a"] = served(CONTENT, cuts=[1_000_000])
    message = complaint(source(server.url("a")), path, ())
    assert "the connection ended after 1000000 of 3072000 bytes" in message
    assert not path.exists()
    assert path.with_name("a.zip.part").read_bytes() == CONTENT[:1_000_000]
    fetch(source(server.url("a")), path, ())
    assert path.read_bytes() == CONTENT
    assert server.requests[1:] == [("a", "bytes=1000000-")]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=500), st.lists(st.integers(0, 200), max_size=3), st.booleans())
def test_wherever_it_breaks_the_content_arrives(server, served, tmp_path, content, cuts, ranges):
    content = b"PK" + content  # else the beginning of a web page is found sooner or later
    path = tmp_path / md5(content + repr((cuts, ranges)).encode())
    server.files["a"] = served(content, ranges=ranges, cuts=list(cuts))
    fetch(source(server.url("a"), content=content), path, AT_ONCE)
    assert path.read_bytes() == content


def test_a_server_without_ranges_begins_anew(server, served, path, part):
    part.write_bytes(CONTENT[:1000])
    server.files["a"] = served(CONTENT, ranges=False)
    fetch(source(server.url("a")), path, ())
    assert path.read_bytes() == CONTENT
    assert server.requests == [("a", "bytes=1000-")]


@pytest.mark.parametrize("left", [b"something else", CONTENT + b"more", CONTENT[1:]])
def test_a_part_of_another_file_is_given_up(server, served, path, part, left):
    part.write_bytes(left)
    server.files["a"] = served(CONTENT)
    fetch(source(server.url("a")), path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert not part.exists()


def test_a_complete_part_needs_no_request(server, path, part):
    part.write_bytes(CONTENT)
    fetch(source(server.url("a")), path, ())
    assert path.read_bytes() == CONTENT
    assert server.requests == []


def test_mirrors_are_tried_in_order(server, served, path):
    server.files["damaged"] = served(CONTENT[:-1] + b"!")
    server.files["good"] = served(CONTENT)
    names = ("missing", "damaged", "good", "unused")
    fetch(source(*map(server.url, names)), path, ())
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["missing", "damaged", "good"]


def test_a_mirror_goes_on_where_another_broke_off(server, served, path):
    server.files["weak"] = served(CONTENT, cuts=[100])
    server.files["good"] = served(CONTENT)
    fetch(source(server.url("weak"), server.url("good")), path, ())
    assert path.read_bytes() == CONTENT
    assert server.requests == [("weak", None), ("good", "bytes=100-")]


def test_a_damaged_file_leaves_nothing(server, served, path):
    server.files["a"] = served(b"x" + CONTENT[1:])
    message = complaint(source(server.url("a")), path)
    assert f"MD5 {md5(b'x' + CONTENT[1:])} instead of {md5(CONTENT)}" in message
    assert "put a copy there yourself" in message
    assert list(path.parent.iterdir()) == []


def test_a_file_that_always_ends_early_is_given_up_and_kept(server, served, path):
    server.files["a"] = served(CONTENT[:1000], length=2000)
    assert "ended after" in complaint(source(server.url("a")), path)
    assert path.with_name("a.zip.part").exists()
    assert not path.exists()


def test_redirects_are_followed_and_resumed(server, served, path):
    server.files["a"] = served(redirect=server.url("b"))
    server.files["b"] = served(CONTENT, cuts=[10])
    fetch(source(server.url("a")), path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("a", None), ("b", None), ("a", "bytes=10-"), ("b", "bytes=10-")]


def test_redirects_in_a_circle_and_to_local_files_end(server, served, path, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    server.files["a"] = served(redirect=server.url("a"))
    server.files["b"] = served(redirect=(tmp_path / "secret").as_uri())
    message = complaint(source(server.url("a"), server.url("b")), path)
    assert message.count("HTTP 302") == 2


def test_a_missing_file_is_asked_for_once(server, path):
    assert "HTTP 404 Not Found" in complaint(source(server.url("a")), path)
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again(server, served, path):
    server.files["a"] = served(CONTENT, states=[503, 500])
    fetch(source(server.url("a")), path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    server.files["b"] = served(CONTENT, states=[503] * 9)
    del server.requests[:]
    assert "HTTP 503" in complaint(source(server.url("b")), path.with_name("b.zip"))
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("page", "kind"),
    [(b"\n<!DOCTYPE html><p>Sign in", None), (b"<HTML>", "application/zip"), (b"hi", "text/html")],
)
def test_a_web_page_is_no_archive_and_harms_no_part(server, served, path, part, page, kind):
    part.write_bytes(CONTENT[:1000])
    server.files["a"] = served(page, ranges=False, kind=kind)
    assert "a web page instead of the file" in complaint(source(server.url("a")), path)
    assert part.read_bytes() == CONTENT[:1000]


def test_an_unreachable_server_is_named(path):
    # A port of this machine that nothing listens on.
    message = complaint(source("http://127.0.0.1:9/a"), path)
    assert "http://127.0.0.1:9/a: " in message
    assert "refused" in message


def test_a_local_copy_is_checked_and_taken(server, path, part):
    path.write_bytes(CONTENT)
    assert fetch(source(server.url("a")), path) == Fetched(len(CONTENT), md5(CONTENT))
    assert fetch(source(server.url("a"), content=None), path).digest == md5(CONTENT)
    assert server.requests == []


def test_another_local_file_is_named_and_stays(server, path, part):
    path.write_bytes(b"mine")
    message = complaint(source(server.url("a")), path)
    assert f"its MD5 is {md5(b'mine')}, expected {md5(CONTENT)}" in message
    assert path.read_bytes() == b"mine"
    path.unlink()
    path.mkdir()
    assert "expected a file there" in complaint(source(server.url("a")), path)


def test_a_file_address_is_copied(tmp_path, path):
    copy = tmp_path / "with space.zip"
    copy.write_bytes(CONTENT)
    fetch(source((tmp_path / "gone.zip").as_uri(), copy.as_uri()), path)
    assert path.read_bytes() == copy.read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_joined(server, served, path, part):
    part.write_bytes(b"from another mirror")
    server.files["a"] = served(CONTENT, cuts=[10])
    fetch(source(server.url("a"), content=None), path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", "bytes=10-")]


def test_two_downloads_of_a_file_do_not_mix(server, served, path, part):
    server.files["a"] = served(CONTENT)
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process is downloading it" in complaint(source(server.url("a")), path)
    fetch(source(server.url("a")), path)


def test_a_file_that_does_not_fit_is_not_begun(server, served, path):
    server.files["a"] = served(CONTENT, length=10**17)
    message = complaint(Wanted((server.url("a"),), 10**17, md5(CONTENT)), path)
    assert "needs 100000000.0 GB more, " in message
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_named_and_the_beginning_kept(server, served, path):
    server.files["a"] = served(CONTENT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))
    try:
        message = complaint(source(server.url("a")), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written: File too large; the next run goes on from here" in message
    fetch(source(server.url("a")), path)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", "bytes=1500000-")]


# What a server, or whoever wrote the address, may try


def test_no_more_is_taken_than_was_expected(server, served, path):
    much = CONTENT * 14
    server.files["a"] = served(much)
    assert "43.0 MB, where about 3.0 MB were expected" in complaint(
        source(server.url("a"), content=much), path
    )
    server.files["b"] = served(much, length=-1)  # which tells nobody how much will come
    message = complaint(source(server.url("b"), content=None), path)
    assert "more than twice the 3.0 MB that were expected" in message
    assert not path.with_name("a.zip.part").exists()


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", "/nowhere"])
def test_a_file_address_names_a_file(path, name):
    assert "no such file" in complaint(source(f"file://{name}"), path)


def test_a_byte_for_each_connection_is_not_waited_for(server, served, path):
    server.files["a"] = served(CONTENT, cuts=[1] * 1000)
    message = complaint(source(server.url("a")), path)
    assert "20 tries brought 20 bytes in all" in message
    assert len(server.requests) == 20


def test_a_connection_that_drips_is_broken_off(server, served, path, monkeypatch):
    monkeypatch.setattr("hfpl.stages.data.download._TIMEOUT", 0.2)
    monkeypatch.setattr("hfpl.stages.data.download._SLOWEST", 10**9)
    server.files["a"] = served(CONTENT, pause=0.1)
    assert "less than 1000000000 bytes a second" in complaint(source(server.url("a")), path, ())


def test_another_host_is_followed_where_a_checksum_tells(server, served, path, capsys):
    other = server.url("b").replace("127.0.0.1", "localhost")
    server.files["a"], server.files["b"] = served(redirect=other), served(CONTENT)
    fetch(source(server.url("a")), path)
    assert "127.0.0.1 leads to localhost" in capsys.readouterr().err
    again = path.with_name("b.zip")
    message = complaint(source(server.url("a"), content=None), again)
    assert f"leads to {other}, which is not followed: no checksum is known" in message


def test_no_password_and_no_key_of_an_address_is_printed(server, served, path, capsys):
    address = server.url("a?token=secret").replace("http://", "http://me:secret@")
    server.files["a?token=secret"] = served(CONTENT, states=[503])
    message = complaint(source(f"{address}\x1b[2J", address), path)
    told = capsys.readouterr().err + message
    assert "secret" not in told
    assert "\x1b" not in told
    assert "/a?…" in told


def test_a_server_s_words_cannot_move_the_cursor(server, served, path, capsys):
    server.files["a"] = served(CONTENT, states=[(404, "\x1b[2Jgone")])
    message = complaint(source(server.url("a")), path)
    assert "\x1b" not in capsys.readouterr().err
    assert "HTTP 404" in message


def test_a_part_that_is_a_link_is_left_alone(server, served, path, part, tmp_path):
    target = tmp_path / "mine"
    target.write_text("mine")
    part.symlink_to(target)
    server.files["a"] = served(CONTENT)
    assert "a.zip.part: no file but a link or the like; remove it" in complaint(
        source(server.url("a")), path
    )
    assert target.read_text() == "mine"


def test_a_file_system_without_locks_is_no_hindrance(server, served, path, monkeypatch):
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    server.files["a"] = served(CONTENT)
    assert fetch(source(server.url("a")), path).size == len(CONTENT)
