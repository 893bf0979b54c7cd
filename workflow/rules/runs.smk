# Which runs a comparison consists of, and which of them are finished.

from hfpl.ablation.estimate import in_words, seconds_left
from hfpl.ablation.rows import read_rows, run_digest
from hfpl.params.runs import ablation_runs, final_runs
from hfpl.stages.pretrain.job import TRAINED, given_weights
from hfpl.storage.digest import file_digest

RUNS = {"ablation": ablation_runs, "ablation-final": final_runs}
# A finished run leaves a row here. It is a source like any other from then on: a run whose row is
# there is not made again, also where its results are not.
ROWS = f"{SETTINGS['rows']}/{PARAMS.dataset}"
ROW = f"{ROWS}/{{comparison}}/{{variant}}.{{digest}}.json"
FINISHED = {path.name.split(".")[-2]: str(path) for path in sorted(Path(ROWS).glob("*/*.json"))}
COMPARED = f"{COMMON}/{{comparison}}/{{kind}}"
COMPARED_KINDS = ["table.json", "table.csv", "table.md", "comparison.png"]


@cache
def ablation_rows(comparison):
    """Rows of all runs of a comparison."""
    final = comparison == "ablation-final"
    content = [file_digest(given_weights(PARAMS, TRAINED if final else ["cam"]))]
    if not FORMAT.archived:
        content += [FORMAT.fingerprint(part) for part in ("images", "masks")]
    digests = {
        run: run_digest(run_params(run), content, final=final) for run in RUNS[comparison](PARAMS)
    }
    return [
        FINISHED.get(digest) or ROW.format(comparison=comparison, variant=run, digest=digest)
        for run, digest in digests.items()
    ]


def scores_of(wildcards):
    name = "table" if wildcards.comparison == "ablation-final" else "cam"
    return f"{VARIANT}/evaluate/{name}.json"


def ablation_note(dag):
    """How many runs of a comparison are to be made, and how long that takes; empty without any."""
    rows = [job for job in dag.needrun_jobs() if job.rule.name == "ablation_row"]
    if not rows:
        return ""
    names = sorted({job.wildcards.variant for job in rows})
    variants = [params.variants[params.variant] for params in map(run_params, names)]
    done = read_rows(sorted(Path(ROWS).glob("ablation/*.json")))
    done = [row for row in done if row["device"].startswith("CPU") == (not gpus(None))]
    seconds = seconds_left(variants, done)
    at_once = 1 if gpus(None) else max(1, (workflow.cores or THREADS) // THREADS)
    time = (
        f"about {in_words(seconds / at_once)} by what {len(done)} finished runs took"
        if seconds
        else "no finished run tells how long they take"
    )
    return f"ablation: {len(names)} runs to be made; {time}."
