"""Many names in little memory."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np


class Names:
    """Sorted names, each in its own bytes and eight more: a Python string takes sixty more."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take names that are sorted; one may come several times."""
        encoded = [name.encode() for name in names]
        self._ends = np.cumsum([0, *map(len, encoded)])
        self._text = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._text[self._ends[place] : self._ends[place + 1]].decode()

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def find(self, name: str) -> int | None:
        """The last place of a name, or None."""
        place = bisect_right(range(len(self)), name, key=self.__getitem__) - 1
        return place if place >= 0 and self[place] == name else None
