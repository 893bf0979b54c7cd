"""What a person should look at before training: one line, of every format."""

from collections import Counter
from collections.abc import Iterable, Mapping

from hfpl.plugins.formats.class_names import mixed_alphabets, shown
from hfpl.storage.manifest import Manifest

_MOST = 30


def summary(wholes: Mapping[str, Manifest], notes: Iterable[str] = ()) -> str:
    """Images per split, classes with the number of their images, and what is odd about them.

    Args:
        wholes: manifest of each split.
        notes: what else there is to say.
    """
    classes = wholes["train"].classes
    counts = {
        split: Counter(classes[k] for image in whole.images for k in image.tags)
        for split, whole in wholes.items()
    }
    total = sum(counts.values(), Counter())
    tagged = ", ".join(f"{name} {total[name]}" for name in classes[:_MOST])
    tagged += ", …" if len(classes) > _MOST else ""
    unseen = [name for name in classes if not counts["train"][name]]
    untagged = sum(not image.tags for whole in wholes.values() for image in whole.images)
    notes = list(notes)
    if mixed := mixed_alphabets(classes):
        notes.append(f"letters of several alphabets are in {', '.join(mixed[:5])}")
    if unseen:
        more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
        notes.append(f"no training image is tagged {', '.join(map(shown, unseen[:5]))}{more}")
    if untagged:
        notes.append(f"{untagged} images have no tag: they are taken to show none of the classes")
    images = ", ".join(f"{len(whole.images)} {split} images" for split, whole in wholes.items())
    return "; ".join([f"{images} indexed", f"classes: {tagged}", *notes])
