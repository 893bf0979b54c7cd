"""Label maps of a run with the photographs that they belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hfpl.images.decode import UNREADABLE, image_size
from hfpl.storage.manifest import SPLITS, ImageRecord, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shard


@dataclass(frozen=True)
class Labelled:
    """A photograph and its labels.

    Attributes:
        file: of the photograph, below the folder of the photographs, with forward slashes.
        split: ``train`` or ``val``.
        labels: uint8 (h, w); 0 is background, k + 1 the class k.
    """

    file: str
    split: str
    labels: NDArray[np.uint8]

    @property
    def found(self) -> list[int]:
        """Labels of classes that are there, ascending."""
        return [label for label in np.unique(self.labels).tolist() if 0 < label < 255]


class Results:
    """The label maps of shards, photograph by photograph.

    Args:
        shards: of one run.
        manifests: of the same photographs; empty: those of the run, found by the shards' paths.
        photographs: folder or zip of the photographs; where it is given, labels have their size,
            else the size that was worked on.

    Raises:
        ValueError: a file is missing or malformed, a shard holds scores, or a photograph is in two
            shards.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        manifests: Sequence[Path] = (),
        photographs: Path | None = None,
    ) -> None:
        self.root = ImageRoot(photographs) if photographs else None
        self.classes: tuple[str, ...] = ()
        self._shards = [Shard(path) for path in shards]
        known: dict[str, tuple[str, ImageRecord]] = {}
        for path in manifests or sorted({_manifest_of(path) for path in shards}):
            manifest = read_manifests([path])
            if self.classes not in ((), manifest.classes):
                raise ValueError(f"{path}: other classes than in the manifests before it")
            self.classes = manifest.classes
            known.update({image.id: (manifest.split, image) for image in manifest.images})
        self._places: dict[str, tuple[str, ImageRecord, Shard]] = {}
        for shard in self._shards:
            for image_id in shard.ids:
                if shard.holds_scores(image_id):
                    raise ValueError(f"{shard.path}: holds scores; give shards of label maps")
                if image_id not in known:
                    raise ValueError(
                        f"{shard.path}: '{image_id}' is in none of the manifests; give those of "
                        "the run with --manifests"
                    )
                if image_id in self._places:
                    other = self._places[image_id][2].path
                    raise ValueError(
                        f"{other} and {shard.path} both hold '{image_id}'; give the shards of one "
                        "run and one state (.crf or .plain)"
                    )
                self._places[image_id] = (*known[image_id], shard)

    def __len__(self) -> int:
        return len(self._places)

    def splits(self) -> list[str]:
        """Splits that photographs are of."""
        found = {split for split, _, _ in self._places.values()}
        return [split for split in SPLITS if split in found]

    def files(self) -> list[tuple[str, str]]:
        """Split and file of every photograph."""
        return [(split, image.file) for split, image, _ in self._places.values()]

    def __iter__(self) -> Iterator[Labelled]:
        order = sorted(self._places.items(), key=lambda item: (item[1][0], item[0]))
        for image_id, (split, image, shard) in order:
            labels = shard.mask(image_id)
            if self.root is not None:
                labels = self._enlarged(image, labels)
            yield Labelled(image.file, split, labels)

    def _enlarged(self, image: ImageRecord, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        try:
            height, width = image_size(self.root.read(image.file))
        except UNREADABLE as error:
            raise ValueError(f"{self.root.root}/{image.file}: not readable: {error}") from None
        if labels.shape == (height, width):
            return labels
        large = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
        return np.asarray(large)


def _manifest_of(shard: Path) -> Path:
    """``<results>/<data set>/data/val-0.json`` of ``…/<variant>/segment/val-0.crf.zip``."""
    path = shard.absolute()
    manifest = path.parents[2] / "data" / f"{path.name.split('.')[0]}.json"
    if not manifest.is_file():
        raise ValueError(
            f"{shard}: no manifest at {manifest}; say with --manifests which photographs these are"
        )
    return manifest
