"""What a format of data sets offers: where its images come from, how they are indexed."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from hfpl.plugins.formats.sources import Source
from hfpl.storage.fingerprint import fingerprint

Part = Literal["images", "masks", "corrections"]
"""``images``: images, tags and lists. ``masks``: what they are scored against, and its lists.
``corrections``: masks that a person has put right, to learn from."""
Files = Mapping[str, Sequence[Path]]
"""Split → the files of its shards."""


class Format:
    """A data set of some format; subclasses say what differs.

    Args:
        settings: the data set's entry of ``datasets``: the ``Settings`` of the format's file, or
            what a job may read of it.

    Attributes:
        archived: whether its images lie in a zip that :meth:`make` writes, and in no folder.
        every_image_tested: whether the segmentation network labels every image, or those that
            have masks alone.
        corrected: whether the segmentation network learns from corrections in its folder.
        archive_reads, index_reads, mask_reads: keys of the entry that :meth:`make`,
            :meth:`index` and :meth:`masks` read; nothing else may be read there.
        parts: folders and files below the root that images, and masks, consist of.
    """

    archived: ClassVar[bool] = False
    every_image_tested: ClassVar[bool] = False
    corrected: ClassVar[bool] = False
    archive_reads: Sequence[str] = ()
    index_reads: Sequence[str] = ()
    mask_reads: Sequence[str] = ()
    parts: ClassVar[Mapping[Part, Sequence[str]]] = {"images": (), "masks": ()}

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @property
    def sources(self) -> Mapping[str, Source]:
        """Archives that are downloaded, by name."""
        return {}

    def make(self, archive: Path, downloads: Path) -> str:
        """Write the zip of an archived data set; what was done, in words.

        Args:
            archive: zip to write, in a layout that :meth:`index` reads.
            downloads: folder that the sources' files lie in.
        """
        raise NotImplementedError

    def index(self, dataset: str, images: Path, manifests: Files) -> str:
        """Write the manifests of all shards; what was found, in words.

        Args:
            dataset: name that results carry.
            images: folder or zip.

        Raises:
            ValueError: something is missing or malformed; the message names the file.
        """
        raise NotImplementedError

    def masks(self, images: Path, manifests: Files, masks: Files) -> str:
        """Write the manifests of masks of all shards; as :meth:`index`."""
        raise NotImplementedError

    def corrections(self, images: Path, manifests: Files, corrections: Sequence[Path]) -> str:
        """Write the manifests of corrected masks, one for each shard of ``train``; as
        :meth:`index`."""
        raise NotImplementedError

    def fingerprint(self, part: Part) -> str:
        """Digest of a part's files in ``root``, subfolders included, by their contents.

        It is taken anew when names, sizes or times of files are others. ``absent`` where there is
        no such folder, so that a plan needs no data.
        """
        counts = partial(self.counts, part)
        return fingerprint(Path(self.settings.root), self.files_of(part), counts=counts)

    def foreseen(self, shards: int) -> Mapping[str, str] | None:
        """What :meth:`index` will write, before it runs: a shard's name, as ``val-3``, and a digest
        of all that decides on its manifest, so that a job runs again by its own photographs alone.

        Empty where nothing can be foreseen today: there is no such folder, or a mistake in it. None
        where nothing ever can: jobs then run again by the manifests that were written.
        """
        return None

    def counts(self, part: Part, file: str) -> bool:
        """Whether a file of a part counts: by one that nothing reads, nothing has changed."""
        return True

    def files_of(self, part: Part) -> Sequence[str]:
        """Folders and files below ``root`` that a part consists of."""
        return self.parts[part]
