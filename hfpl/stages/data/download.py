"""Download an archive: resumable, from several mirrors, checked while it streams."""

import fcntl
import hashlib
import http.client
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from hfpl import __version__
from hfpl.jobs.printable import printable
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.jobs.sizes import human
from hfpl.plugins.formats.sources import Source
from hfpl.storage.atomic import write_json

_MIB = 2**20
_TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_MANY, _LEAST = 20, 2**16
"""After so many tries of an address, the bytes that each must have brought on the mean."""
_SLOWEST = 1024
"""Bytes per second, over a minute, below which a connection counts as broken."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP states that may be over in a moment."""


def download_source(settings: Settings, *, downloads: Path, source: str, record: Path) -> str:
    """Download one of a data set's archives, or check the one that is there; what was found.

    Args:
        downloads: folder of the archives.
        source: name of the archive.
        record: file to write, size and checksum of what is there.
    """
    what = Source(**settings.chosen.dataset.sources[source].as_dict())
    path = downloads / what.file
    found = fetch(Wanted(tuple(what.urls), what.size, what.md5), path)
    write_json(record, {"source": source, "size": found.size, "md5": found.digest})
    return f"{path}: {human(found.size)}, md5 {found.digest}"


class _Unfinished(Exception):
    """The connection broke: worth another try."""


class _Useless(Exception):
    """This address does not have the file: no further try."""


@dataclass(frozen=True)
class Wanted:
    """A file to download.

    Attributes:
        urls: addresses, tried in order.
        size: bytes, about.
        digest: checksum in hexadecimal digits; None: any content is taken.
        algorithm: of the checksum, a name that hashlib knows.
    """

    urls: tuple[str, ...]
    size: int
    digest: str | None
    algorithm: str = "md5"


@dataclass(frozen=True)
class Fetched:
    """A file in place: size in bytes, checksum in hexadecimal digits."""

    size: int
    digest: str


def fetch(source: Wanted, path: str | Path, waits: Sequence[float] = (1, 5, 20)) -> Fetched:
    """Put a source's file at ``path``; one that is already there is checked and taken.

    What an interrupted run left in ``<path>.part`` is continued, unless no checksum is known:
    nothing would tell then that the two halves belong together.

    Args:
        source: its addresses and checksum.
        path: where the file shall lie; written only when it is whole and its checksum holds.
        waits: seconds before each further try of an address; tries that brought the file
            forward do not count.

    Raises:
        ValueError: the file at ``path`` has another checksum; no address delivered it; it
            cannot be written. The message says what to do.
    """
    path = Path(path)
    if path.exists():
        return _check_copy(source, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    first = shown_url(source.urls[0])
    _say(f"{path.name}: about {human(source.size)} from {first} to {path.parent}/")
    problems = []
    with _Part(path, source.algorithm) as part:
        for url in source.urls:
            if source.digest is None:
                part.restart()
            problem = _from_mirror(url, part, source, waits)
            if problem is None:
                return part.finish()
            problems.append(f"{shown_url(url)}: {problem}")
            _say(f"{path.name}: {problems[-1]}")
    raise ValueError(
        f"{path}: could not be downloaded ({'; '.join(problems)}); try again later, give other "
        "urls in the parameters, or put a copy there yourself"
    )


class _Part:
    """The beginning of a file, beside it and kept between runs, with the digest of its content."""

    def __init__(self, path: Path, algorithm: str) -> None:
        self.whole, self.algorithm = path, algorithm
        self.path = path.with_name(f"{path.name}.part")
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise ValueError(f"{self.path}: no file but a link or the like; remove it")
        self._file = open(self.path, "ab", buffering=0)  # what is counted is on disk  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ValueError(f"{self.path}: another process is downloading it") from None
        except OSError:
            pass  # a file system without locks
        self.size = self.path.stat().st_size
        self._digest = _hash_file(self.path, algorithm)

    def __enter__(self) -> "_Part":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self.path.exists() and self.size == 0:
            self.path.unlink()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def restart(self) -> None:
        self._file.truncate(0)
        self.size = 0
        self._digest = hashlib.new(self.algorithm, usedforsecurity=False)

    def append(self, chunk: bytes) -> None:
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise ValueError(
                f"{self.path}: cannot be written: {error.strerror}; the next run goes on from here"
            ) from None
        self.size += len(chunk)
        self._digest.update(chunk)

    def finish(self) -> Fetched:
        self.path.replace(self.whole)
        return Fetched(self.size, self.digest)


def _check_copy(source: Wanted, path: Path) -> Fetched:
    if not path.is_file():
        raise ValueError(f"{path}: expected a file there, or nothing")
    digest = _hash_file(path, source.algorithm).hexdigest()
    if source.digest not in (None, digest):
        name = source.algorithm
        correct = ", or correct the md5 in the parameters" if name == "md5" else ""
        raise ValueError(
            f"{path}: its {name.upper()} is {digest}, expected {source.digest}; it is another file "
            f"or a damaged one: remove it to have it downloaded{correct}"
        )
    known = ", checksum holds" if source.digest else ", no checksum known"
    _say(f"{path}: already there{known}")
    return Fetched(path.stat().st_size, digest)


def _hash_file(path: Path, algorithm: str) -> Any:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    steps = -(-path.stat().st_size // _MIB)
    with path.open("rb") as file, track(f"check {path.name}", steps, "MiB") as advance:
        while chunk := file.read(_MIB):
            digest.update(chunk)
            advance()
    return digest


def _from_mirror(url: str, part: _Part, source: Wanted, waits: Sequence[float]) -> str | None:
    """Complete the part from one address; what went wrong, or None."""
    if part.digest == source.digest:
        return None  # stopped between the last byte and the rename
    failures, furthest, mismatches = 0, part.size, 0
    tries, begun = 0, part.size
    while True:
        resumed, tries = part.size > 0, tries + 1
        try:
            _receive(url, part, source)
        except _Useless as error:
            return str(error)
        except (_Unfinished, OSError, http.client.HTTPException) as error:
            failures = 0 if part.size > furthest else failures + 1
            furthest = max(furthest, part.size)
            problem = str(getattr(error, "reason", None) or error or type(error).__name__)
            if failures > len(waits) or not waits:
                return problem
            if tries >= _MANY and furthest - begun < tries * _LEAST:
                return f"{problem}; {tries} tries brought {human(furthest - begun)} in all"
            wait = waits[max(failures - 1, 0)]
            _say(f"{part.whole.name}: {shown_url(url)}: {problem}; next try in {wait:g} s")
            time.sleep(wait)
            continue
        if source.digest in (None, part.digest):
            return None
        problem = (
            f"{part.algorithm.upper()} {part.digest} instead of {source.digest}: a damaged or "
            "another file"
        )
        part.restart()
        mismatches += 1
        # The damage may lie in what an earlier run left.
        if not resumed or mismatches > 1:
            return problem
        _say(f"{part.whole.name}: {problem}; begins anew")


def _receive(url: str, part: _Part, source: Wanted) -> None:
    """Add to the part what one answer holds."""
    about, most = source.size, 2 * source.size + 16 * _MIB
    with _open(url, part, source.digest is not None) as response:
        read = getattr(response, "read1", response.read)  # as it comes, not a whole MiB at a time
        chunk = read(_MIB)
        _refuse_page(response, chunk)
        if getattr(response, "status", None) != 206:
            part.restart()  # no range was asked for, or the server knows none
        elif _range_start(response) != part.size:
            raise _Unfinished("the server sent another range than the one asked for")
        length = response.headers.get("Content-Length", "")
        total = part.size + int(length) if length.isdecimal() else None
        if (total or 0) > most:
            raise _Useless(f"{human(total)}, where about {human(about)} were expected")
        _check_room(part, total)
        steps = -(-(total or max(about, part.size)) // _MIB)
        name = f"download {part.whole.name}"
        begun, at_begin, shown = time.monotonic(), part.size, part.size // _MIB
        with track(name, steps, "MiB", start=shown) as advance:
            while chunk:
                if part.size + len(chunk) > most:
                    part.restart()
                    raise _Useless(f"more than twice the {human(about)} that were expected")
                part.append(chunk)
                for _ in range(part.size // _MIB - shown):
                    advance()
                shown = part.size // _MIB
                seconds = time.monotonic() - begun
                if seconds > _TIMEOUT:
                    if part.size - at_begin < _SLOWEST * seconds:
                        raise _Unfinished(f"less than {_SLOWEST} bytes a second")
                    begun, at_begin = time.monotonic(), part.size
                chunk = read(_MIB)
    if total is not None and part.size < total:
        raise _Unfinished(f"the connection ended after {part.size} of {total} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to another host where a checksum tells what comes from there, and never
    from an encrypted connection to one that is not."""

    def __init__(self, checked: bool) -> None:
        self.checked = checked

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str):
        """As urllib's, or an error that names the other address."""
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        unsafe = (before.scheme, after.scheme) == ("https", "http")
        if unsafe or (before.hostname != after.hostname and not self.checked):
            why = "it is not encrypted" if unsafe else "no checksum is known"
            raise _Useless(f"leads to {shown_url(newurl)}, which is not followed: {why}")
        if before.hostname != after.hostname:
            _say(f"{before.hostname} leads to {after.hostname}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def shown_url(url: str) -> str:
    """An address as it may be printed: without a user's name and password, and without what follows
    a question mark, which may be a key."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    rest = "?…" if parts.query else ""
    return printable(f"{parts.scheme}://{place}{parts.path}{rest}")


def _open(url: str, part: _Part, checked: bool) -> Any:
    if url.startswith("file:") and not Path(url2pathname(urlsplit(url).path)).is_file():
        raise _Useless("no such file")
    request = urllib.request.Request(url, headers={"User-Agent": f"hfpl/{__version__}"})
    if part.size:
        request.add_header("Range", f"bytes={part.size}-")
    try:
        return urllib.request.build_opener(_Redirects(checked)).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            # All of the file is there already, or more than that.
            part.restart()
            raise _Unfinished("the partial file does not fit the server's; begins anew") from None
        text = " ".join(f"HTTP {error.code} {error.reason}".split())
        raise (_Unfinished if error.code in _PASSING else _Useless)(text) from None
    except http.client.InvalidURL:
        raise _Useless("no address that can be asked for") from None  # whose words would quote it
    except urllib.error.URLError as error:
        if url.startswith("file:"):
            raise _Useless(str(error.reason)) from None
        raise


def _refuse_page(response: Any, start: bytes) -> None:
    kind = response.headers.get("Content-Type", "")
    page = start[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if page or kind.startswith("text/html"):
        raise _Useless("a web page instead of the file")


def _range_start(response: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _check_room(part: _Part, total: int | None) -> None:
    free = shutil.disk_usage(part.path.parent).free
    if total is not None and total - part.size > free:
        raise ValueError(
            f"{part.whole}: needs {human(total - part.size)} more, {human(free)} are free there"
        )


def _say(text: str) -> None:
    print(f"download: {printable(text)}", file=sys.stderr, flush=True)
