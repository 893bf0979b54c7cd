# What the rules share: the parameters, and what --config may say. Parameters come from params.yaml
# alone; what may be given with --config changes no result.

from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from hfpl.params import ParamsError, load_params
from hfpl.params.load import resolve
from hfpl.params.runs import run_pattern
from hfpl.sections.suggest import suggest
from hfpl.stages.data.job import format_of
from hfpl.stages.evaluate.job import SCORED
from hfpl.versioning.memory import attach

SETTINGS = {
    "params": "params.yaml",  # parameter file
    "results": "results",  # folder of all results
    "downloads": "downloads",  # folder of downloaded archives; local copies may lie there
    "rows": "docs/ablation",  # folder of what finished runs of an ablation scored
    "threads": 2,  # of a training; byte identity on CPU holds at equal threads
    "workers": "auto",  # processes that load images for a training: as many as cores are free
    "gpu": None,  # GPUs of a training, others take one; 1 where there is one, and on a cluster
    "gpu_model": "",  # of a cluster's GPUs; any where none is named
}
for name in config:
    if name not in SETTINGS:
        raise WorkflowError(
            f"--config {name}: unknown{suggest(name, SETTINGS)} "
            "(parameters belong into params.yaml, see 'hfpl params --help')"
        )
SETTINGS.update(config)

try:
    PARAMS = load_params(SETTINGS["params"])
except ParamsError as error:
    raise WorkflowError(str(error))

# Results that DVC brought are known by their records; what a killed run left is cleared up.
attach(workflow, Path(SETTINGS["results"]))

FORMAT = format_of(PARAMS)

# Results lie below <results>/<data set>/<variant>/<stage>; what all variants share has no variant.
# The name of a variant may hold changed values (hfpl/params/runs.py).
COMMON = f"{SETTINGS['results']}/{PARAMS.dataset}"
RUN = f"{COMMON}/{PARAMS.variant}"
VARIANT = f"{COMMON}/{{variant}}"


wildcard_constraints:
    variant=run_pattern(PARAMS),
    split="train|val",
    shard=r"\d+",
    source="[a-z0-9_]+",
    scored="|".join(SCORED),


@cache
def run_params(variant):
    """Parameters of a run by its name: an entry of variants, or one with changed values."""
    return resolve(PARAMS, variant) if variant else PARAMS
