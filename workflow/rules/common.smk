# What the rules share: the parameters, and what --config may say. Parameters come from params.yaml
# alone; what may be given with --config changes no result.

import sys
from functools import cache
from pathlib import Path

import hfpl
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from hfpl.jobs.printable import printable
from hfpl.params import ParamsError, load_params
from hfpl.params.config import read_config
from hfpl.params.load import resolve
from hfpl.params.runs import run_pattern
from hfpl.stages.data.job import format_of
from hfpl.stages.evaluate.job import SCORED
from hfpl.versioning.memory import attach


def refuse(*lines):
    """End before anything runs. An exception of Snakemake's would show where in the rules it was
    raised, which tells a person nothing."""
    sys.exit("\n".join(f"snakemake: error: {printable(str(line))}" for line in lines))


# An environment belongs to its checkout: jobs would run another one's code unnoticed.
BESIDE = Path(workflow.basedir).parent / "hfpl"
if (BESIDE / "__init__.py").is_file() and not BESIDE.samefile(hfpl.__path__[0]):
    refuse(
        f"the rules are those of {BESIDE.parent}, the code would be that of {hfpl.__path__[0]}; "
        "make this checkout's own environment ('make env') and activate it"
    )

try:
    CONFIG = read_config(config)
    PARAMS = load_params(CONFIG.params)
except ParamsError as error:
    refuse(error)

# Results that DVC brought are known by their records; what a killed run left is cleared up.
attach(workflow, Path(CONFIG.results))

FORMAT = format_of(PARAMS)

# Results lie below <results>/<data set>/<variant>/<stage>; what all variants share has no variant.
# The name of a variant may hold changed values (hfpl/params/runs.py).
COMMON = f"{CONFIG.results}/{PARAMS.dataset}"
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
