"""Jobs of stage data, and what later stages take of them."""

from collections.abc import Sequence
from dataclasses import replace

from hfpl.jobs.job import SPLITS, File, Job, Names, Params
from hfpl.plugins.formats import build_format
from hfpl.plugins.formats.interface import Format

_SHARD = "data/{split}-{shard}.json"
_MASKS = "data/{split}-{shard}.masks.json"


def format_of(params: Params) -> Format:
    """The format of the data set."""
    return build_format(params.chosen_dataset)


def format_plugin(params: Params) -> list[str]:
    """Module of the data set's format."""
    return [f"hfpl.plugins.formats.{params.chosen_dataset.format}"]


def _of_format(params: Params, keys: Sequence[str]) -> list[str]:
    return ["chosen.dataset.format", *(f"chosen.dataset.{key}" for key in keys)]


def archive(params: Params, common: str) -> str:
    """The zip that a job makes of a data set's images; such a data set has no folder."""
    return f"{common}/data/{params.chosen_dataset.format}.zip"


def _sources_of(params: Params) -> list[str]:
    return ["chosen.dataset.sources"] if format_of(params).sources else []


# The archive itself is no output: Snakemake would remove a copy that was put there by hand, or one
# of many gigabytes, before it runs the rule again.
DOWNLOAD = Job(
    "data_download",
    "download an archive; one that is already there is checked and taken",
    "hfpl.stages.data.download:download_source",
    # Whichever mirror a file comes from and wherever it lies, its checksum says what it is.
    reads=lambda params: [
        f"chosen.dataset.sources.{name}.md5" for name in format_of(params).sources
    ],
    places=_sources_of,
    outputs=(
        File(
            "record",
            "data/{source}.source.json",
            "size and checksum of what is there, to write (.json)",
        ),
    ),
    downloads=True,
    names={"source": lambda params: list(format_of(params).sources)},
    when=lambda params: bool(format_of(params).sources),
    memory=500,
    minutes=1440,
    light=True,
)


def _sources(params: Params, common: str, names: Names) -> list[str]:
    return [
        path.replace("{source}", name)
        for name in format_of(params).sources
        for path in DOWNLOAD["record"].patterns(params, common)
    ]


ARCHIVE = Job(
    "data_archive",
    "draw a data set, or convert what was downloaded, into one zip in VOC's layout",
    "hfpl.stages.data.prepare:write_archive",
    reads=lambda params: _of_format(params, format_of(params).archive_reads),
    places=_sources_of,
    inputs=(File("sources", _sources, "", many=True, option=False),),
    outputs=(
        File("archive", lambda p, common, names: [archive(p, common)], "zip to write"),
        File(
            "digest",
            lambda p, common, names: [f"{archive(p, common)}.json"],
            "size and digest of the zip, to write (.json)",
        ),
    ),
    downloads=True,
    plugins=format_plugin,
    when=lambda params: format_of(params).archived,
    memory=6000,
    minutes=240,
)

DIGEST = File(
    "digest",
    # Snakemake notes no checksum of files of gigabytes.
    lambda p, common, names: ARCHIVE["digest"].patterns(p, common) if ARCHIVE.when(p) else [],
    "",
    many=True,
    option=False,
)
_MANIFESTS = {
    split: File(
        f"{split}_manifests", _SHARD, f"manifests of {split} to write, one a shard", over=(split,)
    )
    for split in SPLITS
}
_BATCHES = ("cam.batch", "affinity.batch", "segment.batch")
INDEX = Job(
    "data_index",
    "write the manifests of a data set: its images, their tags and hashes",
    "hfpl.stages.data.prepare:index_images",
    reads=lambda params: ["dataset", "shards", *_of_format(params, format_of(params).index_reads)],
    # No result depends on them: too few images are better found now than hours later.
    places=lambda params: _BATCHES,
    inputs=(DIGEST,),
    outputs=tuple(_MANIFESTS.values()),
    images=True,
    plugins=format_plugin,
    memory=1000,
    minutes=60,
    folder="images",
)
_TAKEN = tuple(
    file.as_input(file.name, f"manifests of {split}", over=(split,), foreseen=True)
    for split, file in _MANIFESTS.items()
)
_MASK_FILES = {
    split: File(f"{split}_masks", _MASKS, f"mask manifests of {split} to write", over=(split,))
    for split in SPLITS
}
# Apart from the images: a new mask is scored, and re-runs no training.
MASKS = Job(
    "data_masks",
    "write the manifests of a data set's masks",
    "hfpl.stages.data.prepare:index_masks",
    reads=lambda params: _of_format(params, format_of(params).mask_reads),
    inputs=(DIGEST, *_TAKEN),
    outputs=tuple(_MASK_FILES.values()),
    images=True,
    plugins=format_plugin,
    memory=1000,
    minutes=60,
    folder="masks",
)
# Apart from the masks: what is learned from is never what is scored against.
CORRECTIONS = Job(
    "data_corrections",
    "write the manifests of masks that a person has put right, to learn from",
    "hfpl.stages.data.prepare:index_corrections",
    reads=lambda params: _of_format(params, ()),
    # Which photographs are held out says what is not used, and nothing learns of it.
    inputs=(_TAKEN[0], replace(_TAKEN[1], foreseen=False, order=True)),
    outputs=(
        File(
            "corrections",
            "data/{split}-{shard}.corrections.json",
            "manifests of train's corrected masks to write, one a shard",
            over=("train",),
        ),
    ),
    images=True,
    plugins=format_plugin,
    when=lambda params: format_of(params).corrected,
    memory=1000,
    minutes=60,
    light=True,
    folder="corrections",
)
JOBS = (DOWNLOAD, ARCHIVE, INDEX, MASKS, CORRECTIONS)

MANIFEST = File("manifest", _SHARD, "manifest of the shard", foreseen=True)
TRAIN_MANIFESTS = File(
    "manifests", _SHARD, "manifests of the training images", over=("train",), foreseen=True
)
TRAIN_MASKS = File("masks", _MASKS, "mask manifests of the training images", over=("train",))
SHARD_MASKS = File("masks", _MASKS, "manifest of the shard's masks")
MANIFESTS = _TAKEN
"""Manifests of all splits."""
TRUTH = (
    *_TAKEN,
    *(
        file.as_input(file.name, f"mask manifests of {split}", over=(split,))
        for split, file in _MASK_FILES.items()
    ),
)
"""Manifests and masks of all splits."""


def _checked(params: Params, common: str, names: Names) -> list[str]:
    if format_of(params).archived:
        return []
    return [path for file in TRUTH for path in file.patterns(params, common)]


CHECKED = File("checked", _checked, "", many=True, order=True, option=False)
"""What a person made is found in order before any training, however many cores are idle; a change
of what a training does not read re-runs it no more."""
