"""Unpack shards into PNG files that any program opens."""

from pathlib import Path

from hfpl.storage.atomic import replacing
from hfpl.storage.shards import Shard


def export_shard(path: Path, folder: Path) -> int:
    """Write every member of a shard as a PNG below a folder; returns the number of PNGs.

    Label maps keep their palette; what each label is called stands in ``classes.csv`` beside them.
    The scores of an image are one grey PNG, its classes below each other.

    Raises:
        ValueError: not a shard, or a member's name that leads outside the folder.
    """
    written = 0
    shard = Shard(path)
    for name, content in shard.members():
        target = folder / f"{name}.png"
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path}: '{name}' leads outside of {folder}")
        with replacing(target) as temporary:
            temporary.write_bytes(content)
        written += 1
    if table := shard.class_table():
        with replacing(folder / "classes.csv") as temporary:
            temporary.write_bytes(table)
    return written
