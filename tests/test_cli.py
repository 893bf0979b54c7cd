"""The command: help for everything, and one line on stderr for every mistake."""

import argparse
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from hfpl.cli import _OF_STAGES, _OTHERS, _add_stage, main
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.storage.manifest import read_manifests
from hfpl.storage.shards import write_shard


def leaves() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """Every subcommand or action that runs something."""
    found = {}
    for name in (*_OF_STAGES, *_OTHERS):
        parser = argparse.ArgumentParser()
        if name in _OF_STAGES:
            _add_stage(parser, name, _OF_STAGES[name][1])
        else:
            import_module(f"hfpl.cli.{name}").add_arguments(parser)
        groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        for action, sub in groups[0].choices.items() if groups else ():
            found[name, action] = sub
        if not groups:
            found[(name,)] = parser
    return found


LEAVES = leaves()


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def filled(command: tuple[str, ...], **given: object) -> list[str]:
    """A command line with a file that does not exist for every required option not given."""
    line = list(command)
    for action in LEAVES[command]._actions:
        if action.required and action.dest not in given:
            line += [*action.option_strings[:1], f"lost-{action.dest}"]
    for name, value in given.items():
        line += [f"--{name.replace('_', '-')}", str(value)]
    return line


WITH_PARAMS = [command for command, parser in LEAVES.items() if "--params" in options_of(parser)]
WITH_VARIANT = [command for command in WITH_PARAMS if "--variant" in options_of(LEAVES[command])]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with small parameters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(preset_text("micro"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def fails(capsys, folder: Path):
    """Run a command that must fail with one line, and write nothing; that line."""

    def run(*line: object) -> str:
        before = sorted(folder.rglob("*"))
        status = main([str(word) for word in line])
        out, err = capsys.readouterr()
        assert status == 1
        assert out == ""
        assert err.endswith("\n")
        assert len(err.splitlines()) == 1
        assert err.startswith(f"hfpl {line[0]}")
        assert ": error: " in err
        assert sorted(folder.rglob("*")) == before
        return err.rstrip().partition(": error: ")[2]

    return run


# Help and usage


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_and_option_is_explained(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: hfpl {' '.join(command)} ")
    for action in LEAVES[command]._actions:
        assert action.help, action.dest
        assert all(option in text for option in action.option_strings)


def test_the_help_lists_all_commands_in_order(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    places = [text.index(f"\n    {name} ") for name in (*_OF_STAGES, *_OTHERS)]
    assert places == sorted(places)
    for name in {command[0] for command in LEAVES if len(command) > 1}:
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        text = capsys.readouterr().out
        shown = set(re.findall(r"\n    (\S+)\s", text))
        assert {c[1] for c in LEAVES if c[0] == name and len(c) > 1} <= shown


def test_help_loads_neither_torch_nor_opencv():
    script = (
        "import sys\nfrom hfpl.cli import main\n"
        "try:\n    main(['cam', 'train', '--help'])\n"
        "except SystemExit:\n    print({'torch', 'cv2'} & set(sys.modules) or 'neither')"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "neither"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ([], "COMMAND"),
        (["cma"], "'cma'"),
        (["cam"], "ACTION"),
        (["cam", "tarin"], "'tarin'"),
        (["pseudo"], "--manifest"),
        (["export"], "--out"),
        (["walk", "--nothing"], "--"),
        (["walk", "--threads", "two"], "'two'"),
    ],
)
def test_usage_errors_have_status_2_and_name_the_word(line, word, capsys):
    with pytest.raises(SystemExit) as caught:
        main(line)
    assert caught.value.code == 2
    assert word in capsys.readouterr().err.splitlines()[-1]


def test_the_program_hands_its_status_to_the_shell(folder):
    command = [sys.executable, "-m", "hfpl.cli", "params", "dem"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "hfpl params: error: preset 'dem': unknown; did you mean 'demo'?\n"


# Parameters


@pytest.mark.parametrize("command", WITH_PARAMS, ids=" ".join)
def test_mistakes_in_the_parameters_are_named_by_every_command(command, fails, folder):
    text = preset_text("micro").replace("  log_steps:", "  log_stesp:")
    (folder / "bad.yaml").write_text(text, encoding="utf-8")
    assert fails(*filled(command, params="bad.yaml")) == (
        "bad.yaml: walk.log_stesp: unknown key; did you mean 'log_steps'?"
    )
    assert fails(*filled(command, params="none.yaml")).startswith("none.yaml: no such file; ")


@pytest.mark.parametrize("command", WITH_VARIANT, ids=" ".join)
def test_an_unknown_variant_is_named(command, fails):
    text = fails(*filled(command, variant="sea"))
    assert text.startswith("--variant sea: not in variants; known: seam, ")


def handed_over(job: str, **changes: object) -> str:
    """What a rule hands a command over, with values changed."""
    params = validate_params(YAML(typ="safe", pure=True).load(preset_text("micro")))
    return json.dumps({**JOBS[job].key(params), **changes})


ARCHIVE = ["data", "archive", "--archive", "a.zip", "--digest", "a.json"]


def test_the_values_of_a_plan_count_whatever_the_file_says(folder, capsys):
    (folder / "params.yaml").unlink()
    key = handed_over("data_archive", **{"chosen.dataset.train": 5})
    assert main([*ARCHIVE, "--settings", key]) == 0
    assert "5 + 8 pictures drawn" in capsys.readouterr().err


def test_code_that_was_changed_since_the_plan_is_not_run(fails):
    key = handed_over("data_archive", code="data_archive 0123456789abcdef")
    said = fails(*ARCHIVE, "--settings", key)
    assert said == "the code was changed since this run was planned; start snakemake again"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", "null"])
def test_what_no_rule_hands_over_is_refused(fails, text):
    assert fails(*ARCHIVE, "--settings", text).startswith("--settings: expected what a rule hands")


def test_params_are_written_changed_and_checked(folder, fails, capsys):
    assert main(["params", "micro", "--out", "new/p.yaml", "--set", "walk.beta=2.5"]) == 0
    assert (folder / "new" / "p.yaml").read_text() == preset_text("micro", ["walk.beta=2.5"])
    assert main(["params", "--check", "new/p.yaml"]) == 0
    assert "new/p.yaml holds" in capsys.readouterr().err
    assert "demo" in fails("params")
    assert fails("params", "micro", "--set", "walk.bta=1").startswith("preset micro: walk.bta: ")
    assert fails("params", "--check", "lost.yaml").startswith("lost.yaml: no such file")
    assert "params.yaml" in fails("params", "micro", "--out", "params.yaml/below.yaml")


# Files


OTHERS = [("params",), ("pretrain",)]
OTHERS += [("data", action) for action in ("archive", "sources", "download")]
OTHERS += [("clean",), ("code",), ("weights", "show"), ("weights", "fetch")]
# Of people's own photographs, which the demo's are not.
OTHERS += [("data", "corrections"), ("review", "page")]
READS_FILES = [c for c in LEAVES if c not in OTHERS and c[0] != "dvc"]


@pytest.mark.parametrize("command", [("data", "corrections"), ("review", "page")], ids=" ".join)
def test_a_command_for_folders_says_so_where_the_data_set_is_none(command, fails):
    said = fails(*filled(command))
    assert said in (
        "a run with these parameters has no 'data corrections'",
        "dataset 'shapes' is no folder of your own photographs",
    )


@pytest.mark.parametrize("command", READS_FILES, ids=" ".join)
def test_a_file_that_is_not_there_is_named_by_every_command(command, fails):
    history = {"cam_history": "lost-history"} if command == ("report",) else {}
    assert "lost-" in fails(*filled(command, **history))


@pytest.mark.parametrize(
    "option", [("threads", -1), ("workers", -1), ("device", "meta"), ("device", "gpu")], ids=str
)
def test_where_the_work_cannot_run_is_named_by_its_option(option, fails):
    name, value = option
    assert f"--{name} {value}" in fails(*filled(("walk",), **{name: value}))


@pytest.mark.parametrize("content", ["{}", "[]", '{"rows": [{}]}', "no json"])
def test_a_file_that_is_no_table_is_named(folder, fails, content):
    (folder / "odd.json").write_text(content)
    assert "odd.json" in fails("evaluate", "show", "odd.json")


def test_messages_and_tracebacks_go_to_the_log(folder, capsys):
    assert main([*ARCHIVE, "--log", "logs/a.log"]) == 0
    assert "24 + 8 pictures drawn" in (folder / "logs" / "a.log").read_text()
    assert main(filled(("pseudo",), log="logs/a.log")) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    text = (folder / "logs" / "a.log").read_text()
    assert "24 + 8 pictures drawn" in text
    assert message.partition(": error: ")[2] in text
    assert "Traceback (most recent call last):" in text
    assert "Traceback" not in message


def test_a_log_that_cannot_be_written_is_named(fails, folder):
    (folder / "logs").mkdir()
    assert "logs" in fails(*ARCHIVE, "--log", "logs")


# The parts without networks, from pictures to a table


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_adds_nothing_to_the_line(folder, capsys):
    assert main([*ARCHIVE, "--log", "/dev/full"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" not in line
    Path("params.yaml").write_text("nothing")
    assert main([*ARCHIVE, "--log", "/dev/full"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hfpl data archive: error: ")


def test_a_data_set_is_generated_indexed_scored_and_shown(folder, capsys):
    assert main(ARCHIVE) == 0
    images = ["--images", "a.zip"]
    for split in ("train", "val"):
        images += [f"--{split}-manifests", f"{split}-0.json", f"{split}-1.json"]
    truth = [*images]
    for split in ("train", "val"):
        truth += [f"--{split}-masks", f"{split}-0.masks.json", f"{split}-1.masks.json"]
    assert main(["data", "index", *images]) == 0
    assert "24 train images, 8 val images indexed" in capsys.readouterr().err
    assert main(["data", "masks", *truth]) == 0
    assert "32 masks indexed" in capsys.readouterr().err
    with write_shard("cams.zip", counts_from=0) as cams, write_shard("masks.zip") as masks:
        for split in ("train", "val"):
            for image in read_manifests([f"{split}-0.json", f"{split}-1.json"]).images:
                size = (image.height, image.width)
                scores = np.random.default_rng(1).random((len(image.tags), *size), np.float32)
                cams.add_scores(image.id, image.tags, scores)
                masks.add_mask(image.id, np.zeros(size, np.uint8))
    assert main(["evaluate", "cams", *truth, "--results", "cams.zip", "--out", "c.json"]) == 0
    line = ["--results", "masks.zip", "--out", "m.json", "--scored", "walk"]
    assert main(["evaluate", "masks", *truth, *line]) == 0
    table = [
        "--parts",
        "c.json",
        "m.json",
        "--json",
        "t.json",
        "--csv",
        "t.csv",
        "--metrics",
        "m2.json",
    ]
    assert main(["evaluate", "table", *table]) == 0
    rows = json.loads((folder / "t.json").read_text())["rows"]
    assert [(row["split"], row["stage"], row["images"]) for row in rows] == [
        ("train", "cam", 24), ("train", "cam", 24), ("train", "walk", 24),
        ("val", "cam", 8), ("val", "cam", 8), ("val", "walk", 8),
    ]  # fmt: skip
    assert len((folder / "t.csv").read_text().splitlines()) == 7
    capsys.readouterr()
    assert main(["evaluate", "show", "t.json"]) == 0
    out, err = capsys.readouterr()
    assert "shapes, variant seam-isl-fsl" in out
    assert sum(line.startswith(("train  ", "val  ")) for line in out.splitlines()) == 6
    assert err == ""


def test_shards_are_exported(folder, fails, capsys):
    for name in ("a", "b"):
        with write_shard(f"{name}.zip") as shard:
            shard.add_mask(name, np.zeros((2, 3), np.uint8))
    assert main(["export", "a.zip", "b.zip", "--out", "pngs"]) == 0
    assert "export: 2 files written to pngs" in capsys.readouterr().err
    assert sorted(p.name for p in (folder / "pngs").iterdir()) == ["a.png", "b.png"]
    assert fails("export", "params.yaml", "--out", "x").startswith("params.yaml: not a shard: ")
