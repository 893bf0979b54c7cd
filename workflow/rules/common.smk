# Names and functions that the rules share. Parameters come from params.yaml alone; what may be
# given with --config changes no result.

import os
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from hfpl.jobs.alone import RUN_VARIABLE, process_mark
from hfpl.stages.data.index import folder_fingerprint
from hfpl.networks.weights.published import missing_file
from hfpl.params import ParamsError, load_params
from hfpl.params.downloads import sources_of
from hfpl.params.load import resolve
from hfpl.sections.network import AS_NETWORK
from hfpl.params.runs import run_pattern
from hfpl.sections.suggest import suggest
from hfpl.provenance import code_digest, job_key, key_digest

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

DATASET = PARAMS.datasets[PARAMS.dataset]
THREADS = int(SETTINGS["threads"])


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


def gpus_missing():
    """Where a training would get fewer GPUs than it asks for, as Snakemake gives what there is."""
    limit = workflow.global_resources.get("gpu")
    wanted = gpus(None)
    if workflow.non_local_exec or not limit or limit.value is None or wanted <= limit.value:
        return ""
    return f"--config gpu={wanted}: jobs have {limit.value} together; add --resources gpu={wanted}"


# '--resources gpu=' limits the jobs of one machine, not those that a cluster runs at a time.
resource_scopes:
    gpu="local",


# Results lie below <results>/<data set>/<variant>/<stage>; what all variants share has no variant.
# The name of a variant may hold changed values (hfpl/params/runs.py).
COMMON = f"{SETTINGS['results']}/{PARAMS.dataset}"
RUN = f"{COMMON}/{PARAMS.variant}"
VARIANT = f"{COMMON}/{{variant}}"
SPLITS = ["train", "val"]
SHARDS = range(PARAMS.shards)

# Where images lie. The manifests hold a hash of each image and are what the rules depend on; the
# archive of a generated or converted data set only has to be there. What is made of it alone depends
# on its digest: Snakemake notes no checksums of files of gigabytes.
SOURCES = list(sources_of(DATASET))
ZIPPED = DATASET.format == "shapes" or bool(SOURCES)
ARCHIVE = f"{COMMON}/data/{DATASET.format}.zip"
IMAGE_FILES = [ancient(ARCHIVE)] if ZIPPED else []
DIGEST = [f"{ARCHIVE}.json"] if ZIPPED else []


def no_root():
    return (
        f"{SETTINGS['params']}: datasets.{PARAMS.dataset}.root: {DATASET.root}: no such folder; "
        "put the data there, or write where they are"
    )


# An archive may have been fetched from a storage to anywhere, a folder lies where it lies.
IMAGES = " --images {input.images:q}" if ZIPPED else ' --images "$HFPL_IMAGES"'

# What a command needs and no result depends on reaches it as environment variables: as params of
# a rule, another folder or number of threads would re-run everything. The commands themselves lie
# beside the interpreter, also where its environment is not activated; a container has its own.
ENVIRONMENT = {
    "HFPL_PARAMS": SETTINGS["params"],
    "HFPL_IMAGES": "" if ZIPPED else DATASET.root,
    "HFPL_DOWNLOADS": SETTINGS["downloads"],
    "HFPL_THREADS": THREADS,
    "HFPL_WORKERS": SETTINGS["workers"],
    "HFPL_GPUS": gpus(None),
    # Beside a GPU the CRF has the cores; without one, shards that run at once share them.
    "HFPL_CRF_WORKERS": SETTINGS["workers"] if gpus(None) else 0,
    RUN_VARIABLE: process_mark(os.getpid()),
}
IN_CONTAINER = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
BESIDE = "" if IN_CONTAINER else f"{shlex.quote(str(Path(sys.executable).parent))}:"
# Shards of one machine take its GPUs in turn; a cluster shows each job those that it has.
CARD = (
    'card() {{ [ -n "${{CUDA_VISIBLE_DEVICES+given}}" ] || [ "$HFPL_GPUS" -lt 2 ] '
    "|| export CUDA_VISIBLE_DEVICES=$(($1 % HFPL_GPUS)); }}; "
)
shell.prefix(
    f"export PATH={BESIDE}$PATH; "
    + CARD
    + "".join(f"export {name}={shlex.quote(str(value))}; " for name, value in ENVIRONMENT.items())
)

PRETRAINED = f"{COMMON}/pretrain/backbone.safetensors"


wildcard_constraints:
    variant=run_pattern(PARAMS),
    split="|".join(SPLITS),
    shard=r"\d+",


@cache
def run_params(variant):
    """Parameters of a run by its name: an entry of variants, or one with changed values."""
    return resolve(PARAMS, variant) if variant else PARAMS


def key(job):
    """What a job depends on besides its inputs, as ONE dict: Snakemake compares values alone."""

    def of(wildcards):
        found = job_key(run_params(wildcards.get("variant")), job)
        return {**found, "digest": key_digest(found)}

    return of


def content_key(job, part):
    """As key(job); of a folder, names, sizes and times of its files stand for their content."""

    def of(wildcards):
        content = None if ZIPPED else folder_fingerprint(DATASET.root, part)
        return {**key(job)(wildcards), "content": content}

    return of


def start(stage):
    """What a stage's training starts from: made here, a file, or nothing."""
    chosen = getattr(PARAMS, stage).weights
    chosen = PARAMS.network.weights if chosen == AS_NETWORK else chosen
    return {"pretrain": [PRETRAINED], "none": []}.get(chosen, [chosen])


def shards(pattern, split):
    """Files of all shards of a split; other wildcards stay open."""
    return expand(pattern, split=split, shard=SHARDS, allow_missing=True)


def both_splits(pattern):
    return [file for split in SPLITS for file in shards(pattern, split)]


def retried(amount):
    """A resource that grows with each attempt."""
    return lambda wildcards, attempt: amount * attempt
