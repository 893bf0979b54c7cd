"""Results that neither the parameters nor a commit refer to: find and remove them.

Only what a record says was made here is removed, file by file. Folders are left where anything else
is in them, links are never followed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hfpl.params import Params
from hfpl.params.runs import ablation_runs, final_runs
from hfpl.pipeline import STAGES
from hfpl.versioning.owned import files_below, owned_files
from hfpl.versioning.records import Read, result_files, stage_folders


@dataclass(frozen=True)
class Leftover:
    """A file or a folder that nothing refers to.

    Attributes:
        path: of it.
        why: in words.
        files: what may be removed: the file itself, or of a folder what was made here.
        others: what a folder holds besides.
    """

    path: Path
    why: str
    files: tuple[Path, ...]
    others: tuple[Path, ...] = field(default=())

    @property
    def size(self) -> int:
        """Bytes of what may be removed; of a link, its own."""
        return sum(path.lstat().st_size for path in self.files)


def find_leftovers(
    results: Path,
    params: Params,
    planned: Iterable[str],
    committed: Iterable[str],
    read: Read,
) -> list[Leftover]:
    """What nothing refers to below a folder of results, sorted by path.

    Folders of data sets, and of variants or their runs, that no parameter names; files in stages'
    folders that are not made with these parameters (other shards, say); checkpoints of trainings
    that have ended; what killed processes left half written. What a commit's ``dvc.lock`` names
    stays.

    Args:
        results: folder of all results.
        params: the parameters of today.
        planned: results of the chosen data set and variant.
        committed: results that a commit names.
        read: what Snakemake remembers of a result.
    """
    kept = {Path(path) for path in committed}
    runs = {*params.variants, *ablation_runs(params), *final_runs(params)}
    stages = [f for f in stage_folders(results) if not _is_linked(f, results)]
    owned = {folder: owned_files(folder, read) for folder in stages}
    found = [*_folders(results, owned, set(params.datasets), runs, kept)]
    gone = tuple(leftover.path for leftover in found)
    current = results / params.dataset
    in_use = kept | set(_of_every_run(current, params.variant, runs, planned))
    for folder in stages:
        if any(folder.is_relative_to(path) for path in gone):
            continue
        if folder.is_relative_to(current):
            strange = (path for path in result_files(folder) if path not in in_use)
            found += [_of_file(path, "not made with these parameters", owned) for path in strange]
        for path in sorted(owned[folder]):
            if path.suffix == ".checkpoint" and path.with_suffix(".safetensors").exists():
                found.append(_of_file(path, "checkpoint of a training that has ended", owned))
            if path.suffix == ".part":
                found.append(_of_file(path, "half written", owned))
    return sorted(found, key=lambda leftover: leftover.path)


def remove(leftovers: Iterable[Leftover], forget: Callable[[Path], None]) -> None:
    """Remove what was made here, have Snakemake forget it, and remove folders left empty."""
    for leftover in leftovers:
        for path in leftover.files:
            forget(path)
            path.unlink(missing_ok=True)
        if leftover.files and leftover.path.is_dir():
            _remove_empty(leftover.path)


def _remove_empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove_empty(path)
    with suppress(OSError):  # It holds something.
        folder.rmdir()


def _is_linked(folder: Path, results: Path) -> bool:
    """Whether a folder lies behind a link below the results, where other results may lie too."""
    parts = folder.relative_to(results).parts
    return any(results.joinpath(*parts[:n]).is_symlink() for n in range(1, len(parts) + 1))


def _of_file(path: Path, why: str, owned: dict[Path, set[Path]]) -> Leftover:
    if path in owned[path.parent]:
        return Leftover(path, why, (path,))
    return Leftover(path, why, (), (path,))


def _folders(
    results: Path,
    owned: dict[Path, set[Path]],
    datasets: set[str],
    runs: set[str],
    kept: set[Path],
) -> Iterator[Leftover]:
    """Folders of data sets and variants, told by the folders of stages that are in them."""
    for dataset in sorted({results / f.relative_to(results).parts[0] for f in owned}):
        if dataset.name not in datasets and not _holds(dataset, kept):
            yield _of_folder(dataset, "no data set of params.yaml", owned)
            continue
        variants = {f.parent for f in owned if f.is_relative_to(dataset)}
        for variant in sorted(variants - {dataset}):
            if variant.name not in runs and not _holds(variant, kept):
                yield _of_folder(variant, "no variant of params.yaml", owned)


def _of_folder(folder: Path, why: str, owned: dict[Path, set[Path]]) -> Leftover:
    files = {path for stage in owned if stage.is_relative_to(folder) for path in owned[stage]}
    others = (path for path in files_below(folder) if path not in files)
    return Leftover(folder, why, tuple(sorted(files)), tuple(others))


def _holds(folder: Path, kept: set[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in kept)


def _of_every_run(
    dataset: Path, chosen: str, runs: set[str], planned: Iterable[str]
) -> Iterator[Path]:
    """Results of the other runs too: they have the same files as that of the chosen variant."""
    for path in map(Path, planned):
        stage = path.parent.name
        if path.parent == dataset / chosen / stage and stage in STAGES:
            yield from (dataset / name / stage / path.name for name in runs)
        else:
            yield path
