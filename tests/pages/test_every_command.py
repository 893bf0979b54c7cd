"""Every command of a tutorial or how-to page is run by a test: here, in a story, or in one that is
named here; what no test can run is named with its reason."""

from pathlib import Path

import pytest

from scripts.commands import page as page_of_commands
from tests.pages.blocks import blocks, run

PLANNED = {
    "running.md": [0],
    "datasets.md": [0, 1, 3],
    "weights.md": [1],
}
"""Page → blocks that write parameters and run the workflow: here they are planned."""
TOLD = {
    "tutorial.md": "tests/pages/test_tutorial.py",
    "results.md": "tests/pages/test_tutorial.py",
    "versions.md": "tests/workflow/test_two_clones.py",
    "extend.md": "tests/extend",
    "datasets.md": "tests/workflow/test_downloads.py",
    "ablation/README.md": "tests/workflow/test_ablation.py",
}
"""Page → the story that runs its other blocks."""
ELSEWHERE = {
    "make env": ".ci/run",
    ". .venv/bin/activate": ".ci/run",
    "pip install -r requirements-onnx.txt": "tests/exports/test_onnx.py",
    "hfpl segment onnx": "tests/exports/test_onnx.py",
    "python3 -m venv .venv-timm": "tests/networks/test_timm.py",
    ".venv-timm/bin/pip install": "tests/networks/test_timm.py",
    "grep -v '^torch==' requirements.txt": "tests/networks/test_timm.py",
    "hfpl segment --model results/voc2012": "tests/segment/test_apply.py",
    "pip install -r requirements-dvc.txt": "Makefile",
    "pip install -r requirements-slurm.txt": "tests/workflow/test_slurm.py",
    "snakemake --profile workflow/profiles/slurm": "tests/workflow/test_slurm.py",
    "squeue": "tests/workflow/test_slurm.py",
    "scripts/slurm.sh": "tests/workflow/test_slurm.py",
    'eval "$(scripts/slurm.sh': "tests/workflow/test_slurm.py",
    "snakemake --cores all --config gpu=4": "tests/workflow/test_cards.py",
    "snakemake --cores all --software-deployment-method": "tests/workflow/test_container.py",
}
"""Beginning of a command → what runs it."""
IMPOSSIBLE = {
    "docker": "an engine for containers",
    "apptainer build": "an engine for containers",
    "pip install -r requirements-kubernetes.txt": "a cluster",
    "export SNAKEMAKE_STORAGE_S3": "a cluster",
    "BUCKET=": "a cluster",
    "snakemake --cores all $BUCKET": "a cluster",
    "snakemake --executor kubernetes": "a cluster",
    "#SBATCH": "several nodes",
    "head=": "several nodes",
    "srun": "several nodes",
}
"""Beginning of a command → what it needs and tests have not."""
PAGES = sorted({*PLANNED, *TOLD, "cluster.md", "several-gpus.md"})


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_somewhere(repository: Path, page):
    found = blocks(repository / "docs" / page)
    assert found
    for number, commands in enumerate(found):
        if number in PLANNED.get(page, []):
            continue
        for command in commands:
            places = [where for start, where in ELSEWHERE.items() if command.startswith(start)]
            if any(command.startswith(start) for start in IMPOSSIBLE):
                continue
            where = places[0] if places else TOLD.get(page)
            assert where, f"{page}: no test runs '{command}'"
            assert (repository / where).exists()


def test_nothing_is_named_that_stands_on_no_page(repository: Path):
    commands = [c for page in PAGES for block in blocks(repository / "docs" / page) for c in block]
    for start in (*ELSEWHERE, *IMPOSSIBLE):
        assert any(command.startswith(start) for command in commands), start


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page, numbers in PLANNED.items() for number in numbers]
)
def test_parameters_are_written_and_the_workflow_takes_them(
    repository: Path, tmp_path: Path, page, number
):
    commands = blocks(repository / "docs" / page)[number]
    assert commands[0].startswith("hfpl params")
    for command in commands:
        if command.startswith("snakemake"):
            command = f"snakemake -n -s {repository / 'workflow' / 'Snakefile'}"
        run(tmp_path, command, PYTHONPATH=str(repository))


def test_the_committed_page_of_commands_is_current(repository: Path):
    committed = (repository / "docs" / "commands.md").read_text(encoding="utf-8")
    assert committed == page_of_commands(), "run: python -m scripts.commands > docs/commands.md"
