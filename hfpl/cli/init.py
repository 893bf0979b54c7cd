"""``hfpl init``: a folder of one's own in which Snakemake runs the workflow that hfpl brings."""

import argparse
import json
from pathlib import Path

import hfpl
from hfpl.cli.params import add_settings
from hfpl.params.presets import preset_names, preset_params, preset_text
from hfpl.storage.atomic import write_text

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
    settings = [*_root(args.preset, args.photographs), *args.settings]
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


def _root(preset: str, photographs: Path | None) -> list[str]:
    """The setting that says where the photographs lie."""
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
    return [f"datasets.{params.dataset}.root={json.dumps(str(photographs))}"]
