"""Shards take the GPUs of one machine in turn; a cluster's choice stays."""

import os
import re
import subprocess

import pytest


@pytest.mark.parametrize(
    ("gpus", "given", "cards"),
    [
        (0, None, [None, None, None]),
        (1, None, [None, None, None]),
        (2, None, ["0", "1", "0"]),
        (4, "3", ["3", "3", "3"]),
    ],
)
def test_a_shard_has_the_card_of_its_turn(repository, gpus, given, cards):
    rules = (repository / "workflow/rules/machine.smk").read_text()
    written = re.search(r"^shell\.prefix\(\n(.*?)^\)", rules, re.DOTALL | re.MULTILINE)[1]
    function = eval(f"({written})").format()  # as Snakemake formats a prefix
    environment = {**os.environ, "HFPL_GPUS": str(gpus)}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if given:
        environment["CUDA_VISIBLE_DEVICES"] = given
    for shard, card in enumerate(cards):
        script = f'set -euo pipefail; {function} card {shard}; echo "${{CUDA_VISIBLE_DEVICES-}}"'
        done = subprocess.run(["bash", "-c", script], env=environment, check=True,
                              capture_output=True, text=True)  # fmt: skip
        assert done.stdout.strip() == (card or "")
