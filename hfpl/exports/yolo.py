"""Labels for training YOLO's segmentation: a text file of polygons per photograph."""

import io
import os
import shutil
from pathlib import Path, PurePosixPath

from ruamel.yaml import YAML

from hfpl.exports.labelled import Results
from hfpl.images.regions import outlines
from hfpl.jobs.progress import track
from hfpl.storage.atomic import replacing, write_text

_INSIDE = 0.25
"""Where in its pixel a vertex lies: readers round to the nearest pixel, or down; both find it."""


def write_yolo(results: Results, folder: Path) -> str:
    """Write ``labels/<split>/…txt`` and ``data.yaml``; what was written, in words.

    Where the photographs are at hand they are put (linked, where the file system can) into
    ``images/<split>``, which is where YOLO looks for them.
    """
    names = _names(results)
    with track("export", len(results), "photographs") as advance:
        for one in results:
            name = names[one.split, one.file]
            height, width = one.labels.shape
            lines = [
                f"{label - 1} "
                + " ".join(
                    f"{(x + _INSIDE) / width:.6f} {(y + _INSIDE) / height:.6f}" for x, y in outline
                )
                for label in one.found
                for outline in outlines(one.labels == label)
            ]
            stem = PurePosixPath(name).with_suffix("")
            write_text(folder / "labels" / one.split / f"{stem}.txt", "\n".join([*lines, ""]))
            if results.root is not None:
                _put(results, one.file, folder / "images" / one.split / name)
            advance()
    splits = results.splits()
    content = {split: f"images/{split}" for split in splits}
    # YOLO wants both; where one is missing, the other stands in.
    content = {"path": ".", "train": "images/train", "val": "images/val", **content}
    for split in {"train", "val"} - set(splits):
        content[split] = content[splits[0]]
    content["names"] = dict(enumerate(results.classes))
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(content, text)
    write_text(folder / "data.yaml", text.getvalue())
    images = "images, " if results.root is not None else ""
    return f"{images}labels, data.yaml"


def _names(results: Results) -> dict[tuple[str, str], str]:
    """A flat name for each photograph, which its labels share."""
    found: dict[tuple[str, str], str] = {}
    taken: set[tuple[str, str]] = set()
    for split, file in results.files():
        flat = file.removeprefix("images/").replace("/", "-")
        stem = PurePosixPath(flat).stem.casefold()
        if (split, stem) in taken:
            raise ValueError(f"two photographs of {split} would be called '{flat}'")
        taken.add((split, stem))
        found[split, file] = flat
    return found


def _put(results: Results, file: str, target: Path) -> None:
    source = results.root.root / file
    with replacing(target) as temporary:
        if not source.is_file():  # in a zip
            temporary.write_bytes(results.root.read(file))
            return
        try:
            temporary.unlink(missing_ok=True)
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
