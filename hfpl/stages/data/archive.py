"""Make the one zip of a data set that is drawn or downloaded."""

from importlib import import_module
from pathlib import Path

from hfpl.jobs.settings import Settings
from hfpl.storage.atomic import write_json
from hfpl.storage.digest import file_digest


def write_archive(settings: Settings, *, downloads: Path, archive: Path, digest: Path) -> str:
    """Write a data set in VOC's layout, and the digest of its file; what was done, in words.

    Args:
        downloads: folder of the archives that it is converted from, where it is.
    """
    entry = settings.chosen.dataset
    if entry.format == "shapes":
        from hfpl.stages.data.generate import write_shapes

        write_shapes(archive, entry)
        done = f"{entry.train} + {entry.val} pictures drawn"
    else:
        archives = {name: downloads / entry.sources[name].file for name in entry.sources}
        counts = import_module(f"hfpl.stages.data.{entry.format}").convert(archives, archive)
        done = ", ".join(f"{count} images in {name}" for name, count in counts.items())
    size = archive.stat().st_size
    write_json(digest, {"size": size, "digest": file_digest([archive])})
    return done
