"""Carry the ablation's rows over a change of code that changes no result.

    python scripts/carry_rows.py COMMIT [--check 3] [--threads 1] [--folder build/carried]

A row counts for one state of the code, and hours of training stand behind a table of them. Where
the code changed since COMMIT, and no value of a run's parameters did, some runs, spread over their
sorted names, are made again from nothing; if each of them scores what its row says, to the last
digit, the rows of COMMIT are renamed to today's digests and say which runs were made again. Else
nothing is changed. Parameters may be new since COMMIT: each counts for at least one of the runs
that are made again, and the rows note their values. For generated data sets, on the kind of machine
that made the rows.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hfpl.ablation.rows import ADDON
from hfpl.storage.atomic import write_json

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = """
import json
from hfpl.ablation.rows import run_digest
from hfpl.params import load_params
from hfpl.params.active import JOBS, active_params
from hfpl.params.load import resolve
from hfpl.params.runs import ablation_runs
from hfpl.provenance import file_digest
params = load_params("params.yaml")
content = [file_digest([])]
jobs = list(JOBS)[: list(JOBS).index("cam_infer") + 1] + ["evaluate_cam"]
found = {}
for run in ablation_runs(params):
    own = resolve(params, run)
    active = {key: value for job in jobs for key, value in active_params(own, job).items()}
    found[run] = {"digest": run_digest(own, content, final=False), "params": active}
print(json.dumps(found))
"""


def main() -> int:
    """Check and rename; 1 where a run scores otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", metavar="COMMIT")
    parser.add_argument("--check", type=int, default=3, metavar="N", help="runs to make again")
    parser.add_argument("--threads", type=int, default=1, help="that the rows were made with")
    parser.add_argument("--folder", type=Path, default=Path("build/carried"), help="of new runs")
    parser.add_argument("--rows", type=Path, default=REPOSITORY / "docs" / "ablation" / "shapes")
    args = parser.parse_args()
    if args.check < 1:
        parser.error("--check: at least one run shows that the results are the same")
    rows = stale_rows(args.commit, args.rows / "ablation", args.folder)
    if not rows:
        print("no row of that commit is out of date")
        return 0
    chosen = with_new_keys(spread(sorted(rows), args.check), rows)
    digests = {run: rows[run][1]["digest"] for run in chosen}
    again = make_again(digests, args.folder.resolve(), args.threads)
    for run in chosen:
        same = again[run] == json.loads(rows[run][0].read_text())["scores"]
        print(f"{run}: {'the same to the last digit' if same else 'scores otherwise'}")
        if not same:
            print("rows left as they are")
            return 1
    for run, (path, now) in rows.items():
        row, digest = json.loads(path.read_text()), now["digest"]
        row["values"] = {k: v for k, v in now["params"].items() if k.startswith(ADDON)}
        row.setdefault("carried", []).append({"from": row["digest"], "made_again": chosen})
        row["digest"] = digest
        write_json(path.with_name(f"{run}.{digest}.json"), row)
        path.unlink()
    print(f"{len(rows)} rows carried over")
    return 0


def stale_rows(commit: str, folder: Path, work: Path) -> dict[str, tuple[Path, dict]]:
    """Rows of a commit that are out of date, see :func:`carried`."""
    clone = (work / "before").resolve()
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", REPOSITORY, clone], check=True)
    subprocess.run(["git", "-c", "advice.detachedHead=false", "checkout", "--quiet", commit],
                   cwd=clone, check=True)  # fmt: skip
    return carried(runs_of(clone), runs_of(REPOSITORY), folder)


def carried(before: dict, now: dict, folder: Path) -> dict[str, tuple[Path, dict]]:
    """Rows by run whose digest is another today: their file, and what the run is today.

    A run of which a value is another today, or no longer a parameter, is left out. What a run is
    today says under ``new`` which of its parameters have come since.
    """
    found = {}
    for run in before.keys() & now.keys():
        old, new = before[run], now[run]
        path = folder / f"{run}.{old['digest']}.json"
        if old["digest"] != new["digest"] and path.is_file() and same_values(old, new):
            found[run] = path, {**new, "new": sorted(new["params"].keys() - old["params"].keys())}
    return found


def same_values(before: dict, now: dict) -> bool:
    """Whether a run's parameters have the values that they had; new ones may have come."""
    return before["params"].items() <= now["params"].items()


def runs_of(code: Path) -> dict[str, dict]:
    """The ablation's runs under a state of code and parameters: their digests and values."""
    found = subprocess.run([sys.executable, "-c", RUNS], cwd=code, check=True,
                           env={**os.environ, "PYTHONPATH": str(code)},
                           stdout=subprocess.PIPE, text=True)  # fmt: skip
    return json.loads(found.stdout)


def spread(names: list[str], count: int) -> list[str]:
    """Some of sorted names, evenly spread."""
    count = min(count, len(names))
    return [names[place * len(names) // count] for place in range(count)]


def with_new_keys(chosen: list[str], rows: dict[str, tuple[Path, dict]]) -> list[str]:
    """Chosen runs, and more where a parameter that has come counts for none of them."""
    chosen = list(chosen)
    for run in sorted(rows):
        if set(rows[run][1]["new"]) - {key for own in chosen for key in rows[own][1]["new"]}:
            chosen.append(run)
    return chosen


def make_again(runs: dict[str, str], folder: Path, threads: int) -> dict[str, list[dict]]:
    """Scores of runs, by name and today's digest, that are made from nothing with today's code."""
    results, rows = folder / "results", folder / "rows"
    for old in (results, rows):
        shutil.rmtree(old, ignore_errors=True)
    files = {
        run: rows / "shapes" / "ablation" / f"{run}.{digest}.json" for run, digest in runs.items()
    }
    command = [Path(sys.executable).parent / "snakemake", "--cores", "all", "--config",
               f"results={results}", f"rows={rows}", f"threads={threads}",
               "--", *files.values()]  # fmt: skip
    subprocess.run(command, cwd=REPOSITORY, check=True)
    return {run: json.loads(file.read_text())["scores"] for run, file in files.items()}


if __name__ == "__main__":
    sys.exit(main())
