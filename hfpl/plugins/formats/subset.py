"""A part of a data set: photographs of some classes alone, at most so many of each."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Count, Section, Text

SUBSET_READS = ("only", "limit")
"""Keys of :class:`Subset`, for the formats' declarations of what they read."""


class Subset(Section):
    """Which photographs of a data set are taken."""

    only: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = Field(
        title="classes to keep; null: all",
        description="classes to keep: photographs are taken whose tags are all among them, one at "
        "least; null: all classes and photographs",
    )
    limit: Count | None = Field(
        title="most photographs of a class in each split; null: all",
        description="most photographs of a class in each split, chosen by a hash of their names; "
        "null: all",
    )


def chosen_classes(classes: Sequence[str], only: Sequence[str] | None, where: str) -> list[int]:
    """Classes to keep, by their place among all, ascending.

    Args:
        where: names the parameter in errors.

    Raises:
        ValueError: a name is unknown, or stands there twice.
    """
    if only is None:
        return list(range(len(classes)))
    for name in only:
        if name not in classes:
            raise ValueError(f"{where}: unknown class '{name}'; known: {', '.join(classes)}")
    if len(set(only)) < len(only):
        raise ValueError(f"{where}: a class stands there twice")
    return sorted(classes.index(name) for name in only)


def chosen_images(
    tags: Iterable[tuple[str, tuple[int, ...]]], kept: Sequence[int], limit: int | None
) -> set[str]:
    """Ids of the photographs of a split that are taken.

    Taken are, in the order of a hash of their names, those whose tags are all kept, one at least,
    as long as none of their classes has its number.

    Args:
        tags: id and tags of each photograph.
        kept: classes that are kept.
        limit: most photographs of a class; None for all.
    """
    allowed = set(kept)
    fitting = {i: found for i, found in tags if found and allowed.issuperset(found)}
    if limit is None:
        return set(fitting)
    counts: Counter[int] = Counter()
    taken = set()
    for image_id in sorted(fitting, key=lambda i: hashlib.sha256(i.encode()).digest()):
        if all(counts[k] < limit for k in fitting[image_id]):
            counts.update(fitting[image_id])
            taken.add(image_id)
    return taken
