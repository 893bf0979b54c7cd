# Names and functions that the rules share. Parameters come from params.yaml alone; what may be
# given with --config changes no result.

import os
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hfpl.params import ParamsError, load_params
from hfpl.params.suggest import suggest
from hfpl.provenance import job_key, key_digest

SETTINGS = {
    "params": "params.yaml",  # parameter file
    "results": "results",  # folder of all results
    "threads": 2,  # of a training; byte identity on CPU holds at equal threads
    "workers": 1,  # processes that load images for a training
    "gpu": int(shutil.which("nvidia-smi") is not None),  # GPUs that a network's job asks for
}
for name in config:
    if name not in SETTINGS:
        raise WorkflowError(
            f"--config {name}: unknown{suggest(name, SETTINGS)} "
            "(parameters belong into params.yaml, see 'hfpl params --help')"
        )
SETTINGS.update(config)

# The commands lie beside the interpreter, also where its environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

try:
    PARAMS = load_params(SETTINGS["params"])
except ParamsError as error:
    raise WorkflowError(str(error))

DATASET = PARAMS.datasets[PARAMS.dataset]
PARAMS_FILE = SETTINGS["params"]
THREADS = int(SETTINGS["threads"])
WORKERS = int(SETTINGS["workers"])
GPU = int(SETTINGS["gpu"])

# Results lie below <results>/<data set>/<variant>/<stage>; what all variants share has no variant.
COMMON = f"{SETTINGS['results']}/{PARAMS.dataset}"
RUN = f"{COMMON}/{PARAMS.variant}"
VARIANT = f"{COMMON}/{{variant}}"
SPLITS = ["train", "val"]
SHARDS = range(PARAMS.shards)


wildcard_constraints:
    variant="|".join(PARAMS.variants),
    split="|".join(SPLITS),
    shard=r"\d+",


def key(job):
    """What a job depends on besides its inputs, as ONE dict: Snakemake compares values alone."""

    def of(wildcards):
        found = job_key(PARAMS, job, wildcards.get("variant"))
        return {**found, "digest": key_digest(found)}

    return of


def shards(pattern, split):
    """Files of all shards of a split; other wildcards stay open."""
    return expand(pattern, split=split, shard=SHARDS, allow_missing=True)


def both_splits(pattern):
    return [file for split in SPLITS for file in shards(pattern, split)]


def retried(amount):
    """A resource that grows with each attempt."""
    return lambda wildcards, attempt: amount * attempt
