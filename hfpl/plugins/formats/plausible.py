"""Whether tags and masks can be meant: what no single file shows, and training would not notice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hfpl.images.palette import IGNORE, voc_palette
from hfpl.plugins.formats.class_names import counted, shown
from hfpl.storage.manifest import ImageRecord, Manifest

_COLOURS = {tuple(colour): label for label, colour in enumerate(voc_palette().tolist())}


@dataclass
class MaskLook:
    """What is seen of one mask.

    Attributes:
        file: of the mask.
        tags: classes of its image, from 0.
        found: classes that it shows, from 0.
        ignored: whether it holds pixels that are not scored.
        coloured: classes that its palette's colours stand for, where those are all VOC's and not
            in VOC's order; None otherwise.
    """

    file: str
    tags: frozenset[int]
    found: frozenset[int]
    ignored: bool
    coloured: frozenset[int] | None = None


@dataclass
class MasksLook:
    """What is seen of all masks, and what is odd about it."""

    classes: Sequence[str]
    of_split: dict[str, list[MaskLook]] = field(default_factory=dict)

    def add(self, split: str, look: MaskLook) -> None:
        """Take note of a mask."""
        self.of_split.setdefault(split, []).append(look)

    def warnings(self, where: str) -> list[str]:
        """What may be meant and looks odd, a line each.

        Raises:
            ValueError: what cannot be meant; the message begins with ``where``.
        """
        every = [look for looks in self.of_split.values() for look in looks]
        for problem in (self._nothing(every), self._renumbered(every), self._swapped(every)):
            if problem:
                raise ValueError(f"{where}: {problem}")
        found = [self._untagged(every), *self._unseen()]
        return [line for line in found if line]

    def _nothing(self, looks: Sequence[MaskLook]) -> str | None:
        unscored = any(look.tags and look.ignored for look in looks)
        if any(look.found for look in looks) or not unscored:
            return None
        return (
            f"all {len(looks)} masks hold 0 and {IGNORE} alone, and show no class; labels are 1 to "
            f"{len(self.classes)} for the classes in their order, {IGNORE} for what is not scored"
        )

    def _renumbered(self, looks: Sequence[MaskLook]) -> str | None:
        odd = [
            look
            for look in looks
            if look.coloured is not None
            and look.coloured <= look.tags
            and not look.found <= look.tags
        ]
        if not odd:
            return None
        return (
            f"{_masks(odd)} have VOC's colours under other labels, as an editor leaves "
            "them that renumbers a palette: by their colours they fit the tags, by their labels "
            "they do not; save them with the palette as it was"
        )

    def _swapped(self, looks: Sequence[MaskLook]) -> str | None:
        labelled = [look for look in looks if look.found and look.tags]
        odd = [look for look in labelled if not look.found & look.tags]
        if len(odd) < 2 or 2 * len(odd) < len(labelled):
            return None
        return (
            f"{_masks(odd)} of {len(labelled)} show none of their images' tags; is the "
            f"order of the labels that of the classes ({_named(range(len(self.classes)), self)})?"
        )

    def _untagged(self, looks: Sequence[MaskLook]) -> str | None:
        odd = [look for look in looks if not look.found <= look.tags]
        if not odd:
            return None
        classes = Counter(k for look in odd for k in look.found - look.tags)
        return f"{_masks(odd)} show classes that their images are not tagged with: " + ", ".join(
            f"{shown(self.classes[k])} {n}" for k, n in classes.most_common(5)
        )

    def _unseen(self) -> list[str]:
        lines = []
        for split, looks in self.of_split.items():
            tagged = Counter(k for look in looks for k in look.tags)
            lost = sorted(set(tagged) - {k for look in looks for k in look.found})
            if lost:
                numbers = ", ".join(f"{shown(self.classes[k])} {tagged[k]}" for k in lost[:5])
                lines.append(
                    f"{split}: no mask shows a pixel of classes that images are tagged with: "
                    f"{numbers}"
                )
        return lines


def look_at(
    file: str, image: ImageRecord, mask: np.ndarray, palette: bytes | None, labels: Sequence[int]
) -> MaskLook:
    """What is seen of a mask.

    Args:
        mask: uint8 (h, w), labels of the file.
        palette: red, green and blue of each label, one after the other; None without.
        labels: which label each class has in the file.
    """
    held = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    class_of = {label: k for k, label in enumerate(labels)}
    found = frozenset(class_of[label] for label in held if label in class_of)
    return MaskLook(
        file, frozenset(image.tags), found, IGNORE in held, _by_colour(held, palette, class_of)
    )


def _by_colour(
    held: Sequence[int], palette: bytes | None, class_of: Mapping[int, int]
) -> frozenset[int] | None:
    used = [label for label in held if label not in (0, IGNORE)]
    if palette is None or not used:
        return None
    colours = [tuple(palette[3 * label : 3 * label + 3]) for label in used]
    meant = [_COLOURS.get(colour) for colour in colours]
    if meant == used or any(label not in class_of for label in meant):
        return None
    return frozenset(class_of[label] for label in meant)


def copies(wholes: Mapping[str, Manifest]) -> list[str]:
    """A line about images of val whose very file is also in train; none without."""
    trained = {image.sha256: image.file for image in wholes["train"].images}
    twice = [image for image in wholes["val"].images if image.sha256 in trained]
    if not twice:
        return []
    pairs = ", ".join(f"{shown(i.file)} is {shown(trained[i.sha256])}" for i in twice[:3])
    more = ", …" if len(twice) > 3 else ""
    return [
        f"{len(twice)} of {len(wholes['val'].images)} images of val are also in train, and are no "
        f"test of what was learned ({pairs}{more})"
    ]


def _masks(looks: Sequence[MaskLook]) -> str:
    return counted([look.file for look in looks], "masks")


def _named(numbers: Sequence[int], looks: MasksLook) -> str:
    names = ", ".join(f"{k + 1} {looks.classes[k]}" for k in numbers[:6])
    return names + (", …" if len(numbers) > 6 else "")
