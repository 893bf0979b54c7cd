# What the rules share: the parameters, what --config may say, and where work runs. Parameters come
# from params.yaml alone; what may be given with --config changes no result.

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from hfpl.jobs.alone import RUN_VARIABLE, process_mark
from hfpl.params import ParamsError, load_params
from hfpl.params.load import resolve
from hfpl.params.runs import run_pattern
from hfpl.sections.suggest import suggest
from hfpl.stages.data.job import format_of
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

THREADS = int(SETTINGS["threads"])
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


@cache
def run_params(variant):
    """Parameters of a run by its name: an entry of variants, or one with changed values."""
    return resolve(PARAMS, variant) if variant else PARAMS


def gpus(wildcards):
    """GPUs that a training asks for. The host of a cluster's main process may have none."""
    if SETTINGS["gpu"] is not None:
        return int(SETTINGS["gpu"])
    return int(workflow.non_local_exec or shutil.which("nvidia-smi") is not None)


def one_gpu(wildcards):
    """GPUs that any other network's job asks for."""
    return min(1, gpus(wildcards))


GPU_MODEL = {"gpu_model": SETTINGS["gpu_model"]} if SETTINGS["gpu_model"] else {}
GPUS = {"gpu": gpus, **GPU_MODEL}
GPU = {"gpu": one_gpu, **GPU_MODEL}


# '--resources gpu=' limits the jobs of one machine, not those that a cluster runs at a time.
resource_scopes:
    gpu="local",


def retried(amount):
    """A resource that grows with each attempt."""
    return lambda wildcards, attempt: amount * attempt


# What a command needs and no result depends on reaches it as environment variables: as params of
# a rule, another folder or number of threads would re-run everything.
os.environ |= {
    "HFPL_IMAGES": "" if FORMAT.archived else PARAMS.chosen_dataset.root,
    "HFPL_DOWNLOADS": str(SETTINGS["downloads"]),
    "HFPL_THREADS": str(THREADS),
    "HFPL_WORKERS": str(SETTINGS["workers"]),
    "HFPL_GPUS": str(gpus(None)),
    # Beside a GPU the CRF has the cores; without one, shards that run at once share them.
    "HFPL_CRF_WORKERS": str(SETTINGS["workers"] if gpus(None) else 0),
    RUN_VARIABLE: process_mark(os.getpid()),
}
if DeploymentMethod.APPTAINER not in workflow.deployment_settings.deployment_method:
    # The commands lie beside the interpreter, also where its environment is not activated.
    os.environ |= {"PATH": os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])}
# Shards of one machine take its GPUs in turn; a cluster shows each job those that it has.
shell.prefix(
    'card() {{ [ -n "${{CUDA_VISIBLE_DEVICES+given}}" ] || [ "$HFPL_GPUS" -lt 2 ] '
    "|| export CUDA_VISIBLE_DEVICES=$(($1 % HFPL_GPUS)); }}; "
)
