"""``hfpl init``: a folder of one's own in which Snakemake runs the workflow that hfpl brings."""

import argparse
import json
import math
import os
from pathlib import Path

import hfpl
from hfpl.cli.params import add_settings
from hfpl.params.presets import preset_names, preset_params, preset_text
from hfpl.storage.atomic import write_text

_OF_A_SHARD = 300
WORKFLOW = Path(hfpl.__file__).parent / "workflow"
SNAKEFILE = """# The workflow that hfpl brings, run with params.yaml. Rules of your own may follow.
import hfpl


module pipeline:
    snakefile:
        f"{hfpl.__path__[0]}/workflow/Snakefile"
    config:
        config


use rule * from pipeline


# Of a module, Snakemake calls none of these by itself.
onstart:
    pipeline.onstart()


onsuccess:
    pipeline.onsuccess()


onerror:
    pipeline.onerror()
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl init``."""
    parser.add_argument("preset", help=f"one of: {', '.join(preset_names())}")
    parser.add_argument(
        "photographs", nargs="?", type=Path, help="folder of your photographs, for a preset of them"
    )
    add_settings(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    settings = [*_of_folder(args.preset, args.photographs), *args.settings]
    files = {"params.yaml": preset_text(args.preset, settings), "Snakefile": SNAKEFILE}
    for profile in sorted(WORKFLOW.glob("profiles/*/config.yaml")):
        name = profile.relative_to(WORKFLOW).as_posix()
        files[name] = profile.read_text(encoding="utf-8")
    if there := [name for name in files if Path(name).exists()]:
        raise ValueError(
            f"{there[0]} is there already; choose an empty folder, or write parameters alone: "
            f"hfpl params {args.preset}"
        )
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_text(name, text)
    return "params.yaml, Snakefile and profiles/ written; 'snakemake --cores all' runs them"


def _of_folder(preset: str, photographs: Path | None) -> list[str]:
    """Settings that say where the photographs lie, and that suit their number."""
    params = preset_params(preset)
    own = "root" in type(params.chosen_dataset).model_fields
    if not own and photographs is not None:
        raise ValueError(f"preset {preset}: its data set is no folder of photographs")
    if not own:
        return []
    if photographs is None:
        raise ValueError(f"preset {preset}: name the folder of photographs as well")
    if not photographs.is_dir():
        raise ValueError(f"{photographs}: no such folder")
    root = f"datasets.{params.dataset}.root={json.dumps(str(photographs))}"
    return [root, f"shards={_shards(_number_of(photographs))}"]


def _number_of(folder: Path) -> int:
    """How many photographs lie below a folder, masks not counted."""
    from hfpl.plugins.formats.kinds import is_photograph

    return sum(
        is_photograph(name)
        for place, _, names in os.walk(folder, followlinks=True)
        if not {"masks", "corrections"} & set(Path(place).relative_to(folder).parts[:1])
        for name in names
    )


def _shards(photographs: int) -> int:
    """Shards that many photographs are divided into: each is a job, and starts a process."""
    return max(1, min(16, math.ceil(photographs / _OF_A_SHARD)))
