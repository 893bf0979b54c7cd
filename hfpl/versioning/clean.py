"""Results that neither the parameters nor a commit refer to: find and remove them."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hfpl.params import Params
from hfpl.params.runs import ablation_runs, final_runs
from hfpl.pipeline import STAGES
from hfpl.versioning.records import result_files, stage_folders


@dataclass(frozen=True)
class Leftover:
    """A file or a folder that nothing refers to.

    Attributes:
        path: of it.
        why: in words.
    """

    path: Path
    why: str

    @property
    def files(self) -> list[Path]:
        """The file itself, or all below the folder."""
        if self.path.is_dir() and not self.path.is_symlink():
            return [path for path in sorted(self.path.rglob("*")) if not path.is_dir()]
        return [self.path]

    @property
    def size(self) -> int:
        """Bytes of the files; of a link, its own."""
        return sum(path.lstat().st_size for path in self.files)


def find_leftovers(
    results: Path, params: Params, planned: Iterable[str], committed: Iterable[str]
) -> list[Leftover]:
    """What could be removed below a folder of results, sorted by path.

    Folders of data sets, and of variants or their runs, that no parameter names; files in stages'
    folders that are not made with these parameters (other shards, say); checkpoints of trainings
    that have ended; what killed processes left half written. What a commit's ``dvc.yaml`` names
    stays.

    Args:
        results: folder of all results.
        params: the parameters of today.
        planned: results of the chosen data set and variant.
        committed: results that a commit names.
    """
    kept = {Path(path) for path in committed}
    runs = {*params.variants, *ablation_runs(params), *final_runs(params)}
    stages = list(stage_folders(results))
    found = [*_folders(results, stages, set(params.datasets), runs, kept)]
    gone = tuple(leftover.path for leftover in found)
    current = results / params.dataset
    in_use = kept | set(_of_every_run(current, params.variant, runs, planned))
    for folder in stages:
        if any(folder.is_relative_to(path) for path in gone):
            continue
        if folder.is_relative_to(current):
            strange = (path for path in result_files(folder) if path not in in_use)
            found += [Leftover(path, "not made with these parameters") for path in strange]
        for path in sorted(folder.glob("*.checkpoint")):
            if path.with_suffix(".safetensors").exists():
                found.append(Leftover(path, "checkpoint of a training that has ended"))
        found += [Leftover(path, "half written") for path in sorted(folder.glob(".*.part"))]
    return sorted(found, key=lambda leftover: leftover.path)


def committed_results() -> set[str]:
    """Every result that ``dvc.lock`` names in any commit of any branch or tag."""
    command = ["git", "log", "--all", "-p", "-U0", "--format=", "--", "dvc.lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(re.findall(r"^\+ *- path: ['\"]?([^'\"\n]+?)['\"]?$", done.stdout, re.MULTILINE))


def remove(leftovers: Iterable[Leftover], forget: Callable[[Path], None]) -> None:
    """Remove them, and have Snakemake forget each file."""
    for leftover in leftovers:
        for path in leftover.files:
            forget(path)
        if leftover.path.is_dir() and not leftover.path.is_symlink():
            shutil.rmtree(leftover.path)
        else:
            leftover.path.unlink()


def _folders(
    results: Path, stages: list[Path], datasets: set[str], runs: set[str], kept: set[Path]
) -> Iterator[Leftover]:
    """Folders of data sets and variants, told by the folders of stages that are in them."""
    for dataset in sorted({results / f.relative_to(results).parts[0] for f in stages}):
        if dataset.name not in datasets and not _holds(dataset, kept):
            yield Leftover(dataset, "no data set of params.yaml")
            continue
        variants = {f.parent for f in stages if f.is_relative_to(dataset)}
        for variant in sorted(variants - {dataset}):
            if variant.name not in runs and not _holds(variant, kept):
                yield Leftover(variant, "no variant of params.yaml")


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
