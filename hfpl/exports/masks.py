"""Unpack shards into PNG files that any program opens."""

from collections.abc import Sequence
from pathlib import Path

from hfpl.storage.atomic import replacing
from hfpl.storage.batch import Batch
from hfpl.storage.shards import Shard

CLASSES = "classes.csv"


def export_shards(paths: Sequence[Path], folder: Path) -> int:
    """Write every member of shards as a PNG below a folder.

    Label maps keep their palette; what each label is called stands in ``classes.csv`` beside them.
    The scores of an image are one grey PNG, its classes below each other.

    Returns:
        How many PNGs were written.

    Raises:
        ValueError: not a shard, two shards hold the same image or name labels differently, or a
            member's name leads outside the folder: nothing is written then. Or, at the end, files
            could not be written.
    """
    shards = [Shard(path) for path in paths]
    targets = _targets(shards, folder)
    table = _class_table(shards)
    batch, written = Batch("files"), 0
    for target, (shard, name) in targets.items():
        with batch.item(target):
            with replacing(target) as temporary:
                temporary.write_bytes(shard.member(name))
            written += 1
    if table:
        with replacing(folder / CLASSES) as temporary:
            temporary.write_bytes(table)
    batch.end(written, folder)
    return written


def _targets(shards: Sequence[Shard], folder: Path) -> dict[Path, tuple[Shard, str]]:
    found: dict[Path, tuple[Shard, str]] = {}
    inside = folder.resolve()
    for shard in shards:
        for name in shard.member_names():
            target = folder / f"{name}.png"
            if not target.resolve().is_relative_to(inside):
                raise ValueError(f"{shard.path}: '{name}' leads outside of {folder}")
            if target in found:
                raise ValueError(
                    f"{found[target][0].path} and {shard.path} both hold '{name}': one would "
                    f"replace the other in {folder}; give each run a folder of its own"
                )
            found[target] = shard, name
    return found


def _class_table(shards: Sequence[Shard]) -> bytes | None:
    tables = {shard.class_table(): shard for shard in shards if shard.class_table()}
    if len(tables) > 1:
        first, second, *_ = (shard.path for shard in tables.values())
        raise ValueError(
            f"{first} and {second} name their labels differently; give each a folder of its own"
        )
    return next(iter(tables), None)
