"""Prepare a data set by its format: its archive, its manifests, its masks' manifests."""

from collections.abc import Sequence
from pathlib import Path

from hfpl.jobs.settings import Settings
from hfpl.plugins.formats import build_format
from hfpl.storage.atomic import write_json
from hfpl.storage.digest import file_digest


def write_archive(settings: Settings, *, downloads: Path, archive: Path, digest: Path) -> str:
    """Write the zip of a data set, and the digest of it; what was done, in words.

    Args:
        downloads: folder of the archives that it is converted from, where it is.

    Raises:
        ValueError: an archive is missing or malformed.
    """
    done = build_format(settings.chosen.dataset).make(archive, downloads)
    write_json(digest, {"size": archive.stat().st_size, "digest": file_digest([archive])})
    return done


def index_images(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
) -> str:
    """Write the manifests of a data set; what was found, in words.

    Raises:
        ValueError: something is missing or malformed; the message names the file.
    """
    manifests = {"train": train_manifests, "val": val_manifests}
    return build_format(settings.chosen.dataset).index(settings.dataset, images, manifests)


def index_masks(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    train_masks: Sequence[Path],
    val_masks: Sequence[Path],
) -> str:
    """Write the manifests of a data set's masks; as :func:`index_images`."""
    manifests = {"train": train_manifests, "val": val_manifests}
    masks = {"train": train_masks, "val": val_masks}
    return build_format(settings.chosen.dataset).masks(images, manifests, masks)
