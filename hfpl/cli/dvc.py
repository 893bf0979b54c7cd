"""``hfpl dvc``: declare, run, commit and share the stages' results with DVC."""

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

from hfpl.params import Params, load_params

PARAMS = Path("params.yaml")
"""DVC and the rules read it in the folder of the project."""
DECLARATION, LOCK = Path("dvc.yaml"), Path("dvc.lock")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl dvc``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    write = actions.add_parser("write", help="write dvc.yaml and versions.yaml from the jobs")
    write.add_argument(
        "--local",
        nargs="*",
        choices=("data", "cam", "pseudo", "walk", "segment"),
        metavar="STAGE",
        help="stages whose per-image results are not pushed; without the option, as before",
    )
    write.set_defaults(run=_write)
    code = actions.add_parser("code", help="write versions.yaml, the versions of every job's code")
    code.set_defaults(run=_code)
    run = actions.add_parser("run", help="make a stage's results; what dvc.yaml calls")
    run.add_argument("stage", metavar="STAGE", help="one that dvc.yaml names")
    run.set_defaults(run=_run)
    commit = actions.add_parser(
        "commit", help="give the results of a finished run to DVC, with their provenance"
    )
    commit.set_defaults(run=_commit)
    pull = actions.add_parser(
        "pull", help="put the results of the checked-out version into the work tree, or none"
    )
    pull.add_argument(
        "--force", action="store_true", help="replace results that were not committed"
    )
    pull.set_defaults(run=_pull)
    push = actions.add_parser("push", help="send committed results to a remote")
    push.set_defaults(run=_push)
    for action in (pull, push):
        action.add_argument("--remote", metavar="NAME", help="default: DVC's default remote")
    restore = actions.add_parser(
        "restore", help="make again what is not pushed (write --local) and is not here"
    )
    restore.set_defaults(run=_restore)


def _write(args: argparse.Namespace) -> str:
    from hfpl.versioning.declare import local_stages

    local = local_stages(DECLARATION) if args.local is None else args.local
    _declare(load_params(PARAMS), local)
    return f"{DECLARATION} written from the jobs and {PARAMS}"


def _code(args: argparse.Namespace) -> str:
    from hfpl.storage.atomic import write_text
    from hfpl.versioning.declare import CODE, code_yaml

    write_text(CODE, code_yaml(load_params(PARAMS)))
    return f"{CODE} written"


def _declare(params: Params, local: Collection[str]) -> None:
    from hfpl.storage.atomic import write_text
    from hfpl.versioning.declare import CODE, code_yaml, dvc_yaml

    write_text(DECLARATION, dvc_yaml(params, local))
    write_text(CODE, code_yaml(params))


def _run(args: argparse.Namespace) -> str:
    from hfpl.versioning.declare import RESULTS, dvc_yaml, local_stages, results_of
    from hfpl.versioning.memory import as_planned
    from hfpl.versioning.records import write_records
    from hfpl.versioning.run import run_snakemake

    params = load_params(PARAMS)
    if DECLARATION.read_text(encoding="utf-8") != dvc_yaml(params, local_stages(DECLARATION)):
        raise ValueError(f"{DECLARATION}: does not fit {PARAMS} and the jobs; run 'hfpl dvc write'")
    own = [path for path, stage in results_of(params) if stage == args.stage]
    if not own:
        raise ValueError(f"{args.stage}: the run has no such stage")
    if run_snakemake(["--cores", "all", "--", *own]).returncode:
        raise ValueError(f"{args.stage}: the run has failed")
    write_records(sorted({Path(path).parent for path in own}), as_planned(Path(RESULTS)))
    return f"stage {args.stage}: {len(own)} results"


def _commit(args: argparse.Namespace) -> str:
    from hfpl.versioning.declare import RESULTS, is_local, local_stages, results_of
    from hfpl.versioning.dvc import run_dvc
    from hfpl.versioning.memory import as_planned
    from hfpl.versioning.objects import read_stages
    from hfpl.versioning.records import write_records
    from hfpl.versioning.run import run_snakemake

    before = read_stages(LOCK) if LOCK.is_file() else {}
    print("looking whether the run is finished", file=sys.stderr, flush=True)
    plan = run_snakemake(["-n"], capture=True)
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        print(plan.stdout + plan.stderr, file=sys.stderr)
        raise ValueError("the run is not finished: 'snakemake --cores all' first")
    params = load_params(PARAMS)
    local, results = local_stages(DECLARATION), results_of(params)
    missing = [p for p, stage in results if not Path(p).is_file() and not is_local(p, stage, local)]
    if missing:
        raise ValueError(
            f"{missing[0]}: not there, and it would be part of the version"
            f"{f', as {len(missing) - 1} more' if missing[1:] else ''}; make it again: "
            f"snakemake --cores all -- {' '.join(missing)}"
        )
    _declare(params, local)
    folders = sorted({Path(path).parent for path, _ in results})
    write_records(folders, as_planned(Path(RESULTS)))
    run_dvc("commit", "--quiet", "--force")
    stages = read_stages(LOCK)
    changed = [name for name, stage in stages.items() if before.get(name) != stage]
    return (
        f"results of {len(stages)} stages are DVC's now, {len(changed)} of them new; "
        "'git add dvc.yaml dvc.lock versions.yaml params.yaml .dvc/config', 'git commit', "
        "'hfpl dvc push', 'git push'"
    )


def _pull(args: argparse.Namespace) -> str:
    from hfpl.versioning.sharing import pull

    return pull(args.remote, force=args.force)


def _push(args: argparse.Namespace) -> str:
    from hfpl.versioning.sharing import push

    return push(args.remote)


def _restore(args: argparse.Namespace) -> str:
    from hfpl.versioning.declare import is_local, local_stages, results_of
    from hfpl.versioning.run import run_snakemake

    stages, results = local_stages(DECLARATION), results_of(load_params(PARAMS))
    local = [path for path, stage in results if is_local(path, stage, stages)]
    absent = [path for path in local if not Path(path).is_file()]
    # Alone, because a run that makes them for a reader takes all their readers for outdated.
    if absent and run_snakemake(["--cores", "all", "--", *absent]).returncode:
        raise ValueError("the run has failed")
    return f"{len(absent)} of {len(local)} local results made again"
