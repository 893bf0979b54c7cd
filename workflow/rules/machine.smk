# Where work runs: threads, GPUs, memory and time of the jobs, and their environment.

import os
import shutil
import sys

from snakemake.settings.types import DeploymentMethod

from hfpl.jobs.alone import RUN_VARIABLE, process_mark

THREADS = CONFIG.threads


def gpus(wildcards):
    """GPUs that a training asks for. The host of a cluster's main process may have none."""
    if CONFIG.gpu is not None:
        return CONFIG.gpu
    return int(workflow.non_local_exec or shutil.which("nvidia-smi") is not None)


def one_gpu(wildcards):
    """GPUs that any other network's job asks for."""
    return min(1, gpus(wildcards))


GPU_MODEL = {"gpu_model": CONFIG.gpu_model} if CONFIG.gpu_model else {}
GPUS = {"gpu": gpus, **GPU_MODEL}
GPU = {"gpu": one_gpu, **GPU_MODEL}


def gpus_of(job):
    """GPUs that a job asks for; a training may ask for several."""
    return {} if job.kind == "plain" else GPUS if job.several else GPU


# '--resources gpu=' limits the jobs of one machine, not those that a cluster runs at a time.
resource_scopes:
    gpu="local",


def retried(amount):
    """A resource that grows with each attempt."""
    return lambda wildcards, attempt: amount * attempt


def no_option(path):
    """A path that no command takes for one of its options."""
    return f"./{path}" if path.startswith("-") else path


# What a command needs and no result depends on reaches it as environment variables: as params of
# a rule, another folder or number of threads would re-run everything.
os.environ |= {
    "HFPL_IMAGES": "" if FORMAT.archived else no_option(PARAMS.chosen_dataset.root),
    "HFPL_DOWNLOADS": no_option(CONFIG.downloads),
    "HFPL_THREADS": str(THREADS),
    "HFPL_WORKERS": str(CONFIG.workers),
    "HFPL_GPUS": str(gpus(None)),
    # Beside a GPU the CRF has the cores; without one, shards that run at once share them.
    "HFPL_SHARD_WORKERS": str(CONFIG.workers if gpus(None) else 0),
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
