"""A folder per class, as torchvision's ImageFolder and most people have it."""

from collections.abc import Mapping, Sequence

from hfpl.plugins.formats.class_names import clean, likeness, problem_of, shown
from hfpl.plugins.formats.folder.listing import (
    CORRECTIONS,
    MASKS,
    SPLIT_WORDS,
    Listing,
    Row,
    merge_copies,
)
from hfpl.plugins.formats.kinds import is_photograph
from hfpl.storage.reading import ImageRoot

Tree = Mapping[str, Sequence[str]]


def read_class_folders(root: ImageRoot, tree: Tree) -> Listing:
    """Photographs in ``dog/``, ``cat/``, …, or in ``train/dog/``, ``val/dog/``, ….

    What lies below a class's folder belongs to it, however deep. The same file in the folders of
    two classes is one photograph with both tags.

    Raises:
        ValueError: a photograph lies in no class's folder, a class's folder is empty, or two are
            hard to tell apart.
    """
    tree = {
        place: [name for name in names if is_photograph(name)]
        for place, names in tree.items()
        if place.partition("/")[0] not in (MASKS, CORRECTIONS)
    }
    top = _only(tree, "images") or _only(tree, "photographs") or ""
    start = f"{top}/" if top else ""
    below = {place.removeprefix(start): names for place, names in tree.items()
             if place.startswith(start) or place == top}  # fmt: skip
    below[""] = below.pop(top, []) if top else below.get("", [])
    divided = _is_divided(below)
    notes: list[str] = []
    tested: list[str] = []
    if divided:
        for place in filter(_tested, list(below)):
            tested += [f"{start}{place}/{name}" for name in below.pop(place)]
        if tested:
            notes.append(f"{len(tested)} photographs in test are not used")
    depth = 2 if divided else 1
    classes = sorted(place for place in below if place and place.count("/") == depth - 1)
    _check(root, below, classes, start, divided)
    rows = []
    for place in classes:
        split = SPLIT_WORDS[place.partition("/")[0].casefold()] if divided else None
        tag = clean(place.rpartition("/")[2])
        for folder, names in sorted(below.items()):
            if folder == place or folder.startswith(f"{place}/"):
                rows += [
                    Row(f"{start}{folder}", f"{start}{folder}/{name}", (tag,), split)
                    for name in names
                ]
    rows, copies = merge_copies(root, rows)
    if copies:
        notes.append(f"{len(copies)} copies in other folders add their tags")
    return Listing("a folder per class", top or ".", rows, "", notes, told=[*tested, *copies])


def _only(tree: Tree, name: str) -> str | None:
    """A folder that holds all others, and all photographs."""
    outside = [place for place, names in tree.items() if place and place.partition("/")[0] != name]
    return name if name in tree and not outside and not tree.get("") else None


def _is_divided(below: Tree) -> bool:
    """Whether the first folders are splits, and the classes' folders lie in them."""
    firsts = {place.partition("/")[0] for place in below if place}
    firsts = {name for name in firsts if not _tested(name)}
    return bool(firsts) and all(
        name.casefold() in SPLIT_WORDS and not below.get(name) and _children(below, name)
        for name in firsts
    )


def _tested(place: str) -> bool:
    return place.partition("/")[0].casefold() == "test"


def _children(below: Tree, place: str) -> list[str]:
    return [other for other in below if other.startswith(f"{place}/")]


def _check(root: ImageRoot, below: Tree, classes: Sequence[str], start: str, divided: bool) -> None:
    where = f"{root.root}"
    stray = [(place, names[0]) for place, names in below.items()
             if names and not any(f"{place}/".startswith(f"{c}/") for c in classes)]  # fmt: skip
    if stray:
        place, name = stray[0]
        file = "/".join(filter(None, [start.rstrip("/"), place, name]))
        raise ValueError(
            f"{where}: {shown(file)} lies in no class's folder; move it into one, or write a list "
            "(labels.csv)"
        )
    if not classes:
        raise ValueError(
            f"{where}: neither a list of tags (labels.csv, metadata.csv, a JSON of COCO or Label "
            "Studio, an XML of CVAT) nor a folder per class"
        )
    alike: dict[tuple[str, str], str] = {}
    for place in classes:
        split, _, raw = place.rpartition("/")
        name = clean(raw)
        if not any(below[p] for p in [place, *_children(below, place)]):
            raise ValueError(
                f"{where}: {shown(start + place)} is a class's folder without photographs; put "
                "some there, or remove it"
            )
        if problem := problem_of(name):
            raise ValueError(f"{where}: folder {shown(start + place)}: class {problem}")
        other = alike.setdefault((split, likeness(name)), raw)
        if other != raw:
            raise _alike(where, raw, other)
    whole: dict[str, str] = {}
    for (_, like), raw in alike.items():
        other = whole.setdefault(like, raw)
        if other != raw:
            raise _alike(where, raw, other)


def _alike(where: str, one: str, other: str) -> ValueError:
    return ValueError(
        f"{where}: folders {shown(other)} and {shown(one)} differ in capitals, width or white "
        "space alone; give them one name"
    )
