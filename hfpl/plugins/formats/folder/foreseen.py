"""What the index of a folder will write, before it runs: which shard's manifest will be another."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hfpl.jobs.key import key_digest
from hfpl.plugins.formats.folder import Settings
from hfpl.plugins.formats.folder.index import read_folder_classes, read_photographs
from hfpl.plugins.formats.folder.listing import assign_splits
from hfpl.storage.manifest import SPLITS, shard_of
from hfpl.storage.reading import ImageRoot


def foreseen_shards(
    folder: Path, settings: Settings, contents: Mapping[str, str], shards: int
) -> dict[str, str]:
    """As :meth:`hfpl.plugins.formats.interface.Format.foreseen`.

    Args:
        contents: file below the folder → SHA-256 of its content.
    """
    root = ImageRoot(folder)
    try:
        listing, photographs, _ = read_photographs(root)
        classes = read_folder_classes(root, listing)
        members = assign_splits(photographs, settings.val_share, f"{folder}")
        found = {f"{split}-{k}": [] for split in SPLITS for k in range(shards)}
        for split in SPLITS:
            for photo in members[split]:
                # A file directly in the folder counts as a folder with itself in it.
                inside = contents.get(photo.file) or contents.get(f"{photo.file}/{photo.file}")
                content = inside or hashlib.sha256(root.read(photo.file)).hexdigest()
                entry = [photo.id, photo.file, sorted(photo.tags), content]
                found[f"{split}-{shard_of(photo.id, shards)}"].append(entry)
    except ValueError:
        return {}  # The index itself says what is wrong, in its one line.
    return {
        shard: key_digest({"classes": classes, "images": images}) for shard, images in found.items()
    }
