"""Prepare a data set by its format: its archive, its manifests, its masks' manifests."""

from collections.abc import Sequence
from pathlib import Path

from hfpl.jobs.settings import Settings
from hfpl.plugins.formats import build_format
from hfpl.storage.atomic import write_json
from hfpl.storage.digest import file_digest
from hfpl.storage.manifest import read_manifests


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
        ValueError: something is missing or malformed, or there are fewer training images than one
            step takes; the message names the file, or the parameter.
    """
    manifests = {"train": train_manifests, "val": val_manifests}
    found = build_format(settings.chosen.dataset).index(settings.dataset, images, manifests)
    number = len(read_manifests(train_manifests).images)
    for stage in ("cam", "affinity", "segment"):
        batch = getattr(settings, stage).batch
        if number < batch:
            raise ValueError(
                f"{number} training images are fewer than a batch of {batch}: lower {stage}.batch "
                "in the parameters, or add images"
            )
    return found


def index_corrections(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    corrections: Sequence[Path],
) -> str:
    """Write the manifests of masks that a person has put right; as :func:`index_images`."""
    manifests = {"train": train_manifests, "val": val_manifests}
    return build_format(settings.chosen.dataset).corrections(images, manifests, corrections)


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
