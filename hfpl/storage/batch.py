"""Many files, of which one that fails does not keep the others from being made."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hfpl.images.decode import UNREADABLE

_log = logging.getLogger(__name__)
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that every other file would meet as well."""
_LISTED = 5


class Batch:
    """What failed, of a batch.

    Args:
        things: what its items are called: ``photographs``.
    """

    def __init__(self, things: str) -> None:
        self._things = things
        self.failed: list[str] = []

    @contextmanager
    def item(self, name: str | Path, problem: str = "") -> Iterator[None]:
        """Go on after the block where it fails; the reason is said at once, in a line.

        Args:
            name: of the item.
            problem: stands before the reason: ``not a readable photograph``.

        Raises:
            ValueError: no other item could be written either, on a full disk, say.
        """
        try:
            yield
        except UNREADABLE as error:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            place = getattr(error, "filename", None)
            if place and str(place) != str(name):
                reason = f"{place}: {reason}"
            line = ": ".join(filter(None, [str(name), problem, reason]))
            if isinstance(error, OSError) and error.errno in _HOPELESS:
                raise ValueError(line) from None
            _log.warning("%s", line)
            self.failed.append(str(name))

    def end(self, done: int, where: Path) -> None:
        """Raise ValueError where an item failed; it names the first few."""
        if self.failed:
            more = len(self.failed) - _LISTED
            names = ", ".join(self.failed[:_LISTED]) + (f" and {more} more" if more > 0 else "")
            raise ValueError(
                f"{len(self.failed)} of {done + len(self.failed)} {self._things} failed: {names}; "
                f"results in {where}"
            )
