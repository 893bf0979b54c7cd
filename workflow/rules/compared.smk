# What the comparisons share: their runs, which of them have left a row, and what is to be made.

from hfpl.ablation.estimate import in_words, seconds_left
from hfpl.ablation.rows import read_rows, run_key
from hfpl.params.runs import ablation_runs, final_runs
from hfpl.stages.pretrain.job import TRAINED, given_weights
from hfpl.storage.digest import file_digest

RUNS = {"ablation": ablation_runs, "ablation-final": final_runs}
# A finished run leaves a row in the comparison's CSV, which is a source like any other from then
# on: a run whose key is there is not made again, also where its results are not.
ROWS = f"{CONFIG.rows}/{PARAMS.dataset}"
ROW_FILES = [f"{ROWS}/{comparison}.csv" for comparison in RUNS]
ROW = f"{COMMON}/{{comparison}}/rows/{{variant}}.{{key}}.json"
COMPARED = f"{COMMON}/{{comparison}}/{{kind}}"
COMPARED_KINDS = ["table.json", "table.csv", "table.md", "comparison.png"]


@cache
def finished_rows():
    return {row["key"]: row for row in read_rows([Path(file) for file in ROW_FILES])}


@cache
def ablation_keys(comparison):
    """Run → key of all runs of a comparison."""
    final = comparison == "ablation-final"
    weights = given_weights(PARAMS, TRAINED if final else ["cam"])
    content = [file_digest(file for file in weights if Path(file).is_file())]
    if not FORMAT.archived:
        content += [content_of(part) for part in ("images", "masks")]
    runs = RUNS[comparison](PARAMS)
    return {run: run_key(run_params(run), content, final=final) for run in runs}


def rows_made_here(wildcards):
    """Rows of the runs that are to be made, and of those that were made here."""
    keys = ablation_keys(wildcards.comparison)
    rows = {
        ROW.format(comparison=wildcards.comparison, variant=run, key=key): key
        for run, key in keys.items()
    }
    return [row for row, key in rows.items() if key not in finished_rows() or Path(row).is_file()]


def model_of(wildcards):
    """The trained network that says which device it was trained on."""
    ceiling = run_params(wildcards.variant).chosen_variant.supervised
    job, name = ("segment_train", "network") if ceiling else ("cam_train", "model")
    return JOBS[job][name].patterns(PARAMS, COMMON)


def scores_of(wildcards):
    table, cams = (JOBS[name] for name in ("evaluate_table", "evaluate_cams"))
    file = table["json"] if wildcards.comparison == "ablation-final" else cams["out"]
    return file.patterns(PARAMS, COMMON)


def ablation_note(dag):
    """How many runs of a comparison are to be made, and how long that takes; empty without any."""
    rows = [job for job in dag.needrun_jobs() if job.rule.name == "ablation_row"]
    if not rows:
        return ""
    names = sorted({job.wildcards.variant for job in rows})
    variants = [params.chosen_variant for params in map(run_params, names)]
    done = read_rows([Path(ROW_FILES[0])])
    done = [row for row in done if row["device"].startswith("CPU") == (not gpus(None))]
    seconds = seconds_left(variants, done)
    at_once = 1 if gpus(None) else max(1, (workflow.cores or THREADS) // THREADS)
    time = (
        f"about {in_words(seconds / at_once)} by what {len(done)} finished runs took, "
        "whatever their parameters and their machine"
        if seconds
        else "no finished run tells how long they take"
    )
    return f"ablation: {len(names)} runs to be made; {time}."
