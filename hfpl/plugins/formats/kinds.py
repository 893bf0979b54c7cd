"""Which files of a folder are photographs, by their endings."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from hfpl.images.decode import ENDINGS


def is_photograph(name: str) -> bool:
    """Whether a file's name is that of a photograph; hidden ones are none."""
    return not name.startswith(".") and PurePath(name).suffix.lower() in ENDINGS


def other_kinds(names: Iterable[str]) -> str:
    """How many files are no photographs, by their endings; empty where all are."""
    endings = Counter(
        PurePath(name).suffix.lower() or "without an ending"
        for name in names
        if not name.startswith(".") and not is_photograph(name)
    )
    kinds = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(8))
    return f"{endings.total()} files are no photographs: {kinds}" if endings else ""


def by_stem(names: Iterable[str]) -> dict[str, str]:
    """Photographs by their names without endings, in Unicode's composed form; of several with one
    name the JPEG counts."""
    found: dict[str, str] = {}
    for name in sorted(filter(is_photograph, names)):
        stem = unicodedata.normalize("NFC", PurePath(name).stem)
        if stem not in found or PurePath(name).suffix.lower() in (".jpg", ".jpeg"):
            found[stem] = name
    return found
