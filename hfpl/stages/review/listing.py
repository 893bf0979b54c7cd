"""The list of photographs that a person should look at."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from hfpl.storage.atomic import write_json, write_text
from hfpl.storage.manifest import ImageRecord, Manifest, read_manifests
from hfpl.storage.schema import read_as
from hfpl.storage.spreadsheet import as_text

_Share = Annotated[float, Field(ge=0, le=1)]
SURE = 0.5
"""Above this probability the classifier says that a class is there."""


@dataclass(frozen=True)
class Scored:
    """What the networks say of a photograph.

    Attributes:
        seen: probability of each foreground class, by the classifier.
        unsure: mean entropy of the segmentation network's pixels, as a share of the largest.
        shares: label → share of the photograph that the segmentation network gives it.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    seen: tuple[_Share, ...]
    unsure: _Share
    shares: Mapping[int, _Share]


@dataclass(frozen=True)
class Contradiction:
    """A tag that the classifier does not see, or a class that it sees without a tag.

    Attributes:
        label: of the class, from 1.
        probability: that it is there, by the classifier.
        tagged: whether the photograph has the tag.
    """

    label: int
    probability: float
    tagged: bool

    @property
    def size(self) -> float:
        """How far the classifier is from the tag, in [0, 1]."""
        return 1 - self.probability if self.tagged else self.probability


def contradictions(seen: Sequence[float], tags: Iterable[int]) -> list[Contradiction]:
    """Where the classifier would decide otherwise than the tags, the worst first.

    Args:
        seen: probability of each foreground class.
        tags: classes from 0.
    """
    tagged = set(tags)
    found = [
        Contradiction(k + 1, probability, k in tagged)
        for k, probability in enumerate(seen)
        if (probability > SURE) != (k in tagged)
    ]
    return sorted(found, key=lambda one: -one.size)


def write_scores(path: Path, scores: Mapping[str, Scored]) -> None:
    """Write the scores of a shard."""
    write_json(path, {image_id: asdict(one) for image_id, one in scores.items()})


def read_scores(paths: Iterable[Path]) -> dict[str, Scored]:
    """Scores of several shards, by image.

    Raises:
        ValueError: a file is missing or malformed; the message names it.
    """
    found: dict[str, Scored] = {}
    for path in paths:
        found.update(read_as(dict[str, Scored], path, "scores of photographs"))
    return found


def write_list(
    settings: object,
    *,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    scores: Sequence[Path],
    table: Path,
) -> str:
    """Write the list as CSV; how many photographs are suspicious, in words.

    Sorted by how far the classifier is from the tags, then by how unsure the network is.
    """
    scored = read_scores(scores)
    rows = []
    for manifest in (read_manifests(train_manifests), read_manifests(val_manifests)):
        for image in manifest.images:
            rows.append(_row(manifest, image, scored[image.id]))
    rows.sort(key=lambda row: (-float(row["contradiction"] or 0), -float(row["unsure"])))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(table, text.getvalue())
    suspicious = sum(bool(row["contradiction"]) for row in rows)
    return f"{suspicious} of {len(rows)} photographs have tags that the classifier contradicts"


def _row(manifest: Manifest, image: ImageRecord, scored: Scored) -> dict[str, str]:
    classes = manifest.classes
    found = contradictions(scored.seen, image.tags)
    return {
        "file": as_text(image.file),
        "split": manifest.split,
        "tags": as_text("; ".join(classes[k] for k in image.tags)),
        "not seen": as_text("; ".join(_named(classes, c) for c in found if c.tagged)),
        "seen without a tag": as_text("; ".join(_named(classes, c) for c in found if not c.tagged)),
        "contradiction": f"{found[0].size:.4f}" if found else "",
        "unsure": f"{scored.unsure:.4f}",
    }


def _named(classes: Sequence[str], one: Contradiction) -> str:
    return f"{classes[one.label - 1]} ({one.probability:.2f})"
