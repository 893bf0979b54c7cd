"""What is told of a job that failed."""

import subprocess

import pytest

from hfpl.jobs.failed import failed_job, no_such_target

COMMAND = 'card() { :; }; {program} cam train --settings \'{"a": "it\'s --x"}\' --log a.log'


def message(code: int, program: str = "python -m hfpl.cli.launcher 0") -> str:
    command = COMMAND.replace("{program}", program)
    error = subprocess.CalledProcessError(code, command)
    return (
        f'RuleException:\nCalledProcessError in file "workflow/rules/jobs.smk", line 42:\n{error}'
    )


@pytest.mark.parametrize("program", ["python -m hfpl.cli.launcher 0", "hfpl"])
@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1, ""),
        (2, ""),
        (-15, "cam train: ended by SIGTERM; the same command goes on from here"),
        (143, "cam train: ended by SIGTERM; the same command goes on from here"),
        (-9, "cam train: ended by SIGKILL (by somebody, or since memory ran out); the same command"
         " goes on from here"),
    ],
)  # fmt: skip
def test_a_command_has_said_itself_what_went_wrong_unless_it_was_killed(program, code, told):
    assert failed_job(message(code, program)) == told


@pytest.mark.parametrize(
    "other",
    ["", "Select jobs", "RuleException:\nKeyError in file a.smk, line 1:\n'x'",
     "WorkflowError:\nAt least one job did not complete successfully."],
)  # fmt: skip
def test_other_messages_are_left_alone(other):
    assert failed_job(other) is None


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("seam-isl", "seam-isl is a variant, not a target; write 'variant: seam-isl' in the "
         "parameters, and run 'snakemake --cores all'"),
        ("ablatoin", "ablatoin: neither a target nor a file that a job makes; did you mean "
         "'ablation'?"),
        ("results/shapes/sem@seed=1/cam/model.safetensors",
         "results/shapes/sem@seed=1/cam/model.safetensors: no variant sem; did you mean 'seam'?"),
        ("results/shapes/seam/cam/modle.safetensors", "results/shapes/seam/cam/modle.safetensors: "
         "neither a target nor a file that a job makes; known: ablation, all"),
    ],
)  # fmt: skip
def test_a_target_that_nothing_makes_names_the_nearest(target, told):
    message = f"MissingRuleException:\nNo rule to produce {target} (if you use input functions ...)"
    found = no_such_target(message, ("all", "ablation"), ("seam", "seam-isl"), "results/shapes")
    assert found == told


def test_other_messages_name_no_target():
    assert no_such_target("MissingInputException in rule a", ("all",), ("seam",), "results") is None
