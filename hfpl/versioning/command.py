"""``hfpl dvc``: declare, run and commit the stages for DVC."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hfpl.params import Params, load_params
from hfpl.versioning.facts import Output

PARAMS = Path("params.yaml")
"""DVC and the rules read it in the folder of the project."""
DECLARATION = Path("dvc.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl dvc``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    write = actions.add_parser("write", help="write dvc.yaml and code.yaml from the rules")
    write.set_defaults(run=_write)
    code = actions.add_parser("code", help="write code.yaml, the digests of every job's code")
    code.set_defaults(run=_code)
    run = actions.add_parser("run", help="make a stage's results; what dvc.yaml calls")
    run.add_argument("stage", metavar="STAGE", help="one that dvc.yaml names")
    run.set_defaults(run=_run)
    commit = actions.add_parser(
        "commit", help="give the results of a finished run to DVC, with their provenance"
    )
    commit.set_defaults(run=_commit)


def _write(args: argparse.Namespace) -> str:
    from hfpl.versioning.facts import planned_outputs

    _declare(load_params(PARAMS), planned_outputs())
    return f"{DECLARATION} written from the rules"


def _code(args: argparse.Namespace) -> str:
    from hfpl.storage.atomic import write_text
    from hfpl.versioning.declare import CODE, code_yaml

    write_text(CODE, code_yaml(load_params(PARAMS)))
    return f"{CODE} written"


def _declare(params: Params, outputs: Sequence[Output]) -> None:
    from hfpl.storage.atomic import write_text
    from hfpl.versioning.declare import CODE, code_yaml, dvc_yaml

    write_text(DECLARATION, dvc_yaml(params, outputs))
    write_text(CODE, code_yaml(params))


def _run(args: argparse.Namespace) -> str:
    from hfpl.versioning.declare import dvc_yaml
    from hfpl.versioning.facts import planned_outputs, run_snakemake
    from hfpl.versioning.records import write_records

    outputs = planned_outputs()
    if DECLARATION.read_text(encoding="utf-8") != dvc_yaml(load_params(PARAMS), outputs):
        raise ValueError(
            f"{DECLARATION}: does not fit {PARAMS} and the rules; run 'hfpl dvc write'"
        )
    own = [output.path for output in outputs if output.stage == args.stage]
    if not own:
        raise ValueError(f"{args.stage}: the run has no such stage")
    if run_snakemake(["--cores", "all", "--", *own]).returncode:
        raise ValueError(f"{args.stage}: the run has failed")
    write_records(sorted({Path(path).parent for path in own}))
    return f"stage {args.stage}: {len(own)} results"


def _commit(args: argparse.Namespace) -> str:
    from hfpl.versioning.facts import planned_outputs, run_snakemake
    from hfpl.versioning.records import write_records

    outputs = planned_outputs()
    plan = run_snakemake(["-n"], capture=True)
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        print(plan.stdout + plan.stderr, file=sys.stderr)
        raise ValueError("the run is not finished: 'snakemake --cores all' first")
    params = load_params(PARAMS)
    _declare(params, outputs)
    folders = sorted({Path(output.path).parent for output in outputs})
    records = write_records(folders)
    _dvc("commit", "--quiet", "--force")
    return (
        f"results of {len(records)} stages are DVC's now; "
        "'git add dvc.yaml dvc.lock code.yaml params.yaml', 'git commit', 'dvc push'"
    )


def _dvc(*arguments: str) -> None:
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        raise ValueError("dvc is not installed")
    if subprocess.run([program, *arguments], check=False).returncode:
        raise ValueError(f"'dvc {' '.join(arguments)}' has failed")
