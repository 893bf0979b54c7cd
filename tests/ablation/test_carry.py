"""Rows are carried over a change of code only where runs made again score the same."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "carry_rows.py"
SCORES = {"cam": [{"miou": 50.0}], "seam": [{"miou": 60.25}], "seam@seed=1": [{"miou": 61.0}]}
PARAMS = {"cam.epochs": 8, "cam.isl.weight": 0.2, "cam.isl.start": 0.0}


@pytest.fixture
def carry():
    spec = importlib.util.spec_from_file_location("carry_rows", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "ablation"
    folder.mkdir()
    for run, scores in SCORES.items():
        row = {"run": run, "digest": f"old-{run}", "scores": scores}
        (folder / f"{run}.old-{run}.json").write_text(json.dumps(row))
    return folder


def run(carry, monkeypatch, rows, again, count=2) -> int:
    stale = {
        name: (rows / f"{name}.old-{name}.json", {"digest": f"new-{name}", "params": PARAMS})
        for name in SCORES
    }
    monkeypatch.setattr(carry, "stale_rows", lambda *_: stale)
    monkeypatch.setattr(carry, "make_again", lambda runs, *_: {name: again[name] for name in runs})
    arguments = ["carry_rows.py", "HEAD", "--rows", str(rows.parent), "--check", str(count)]
    monkeypatch.setattr(carry.sys, "argv", arguments)
    return carry.main()


def test_equal_scores_carry_all_rows_and_say_what_was_made_again(carry, monkeypatch, rows):
    assert run(carry, monkeypatch, rows, SCORES) == 0
    assert {path.name for path in rows.iterdir()} == {f"{n}.new-{n}.json" for n in SCORES}
    for path in rows.iterdir():
        row = json.loads(path.read_text())
        assert row["digest"] == f"new-{row['run']}"
        assert row["scores"] == SCORES[row["run"]]
        assert row["values"] == {"cam.isl.weight": 0.2, "cam.isl.start": 0.0}
        assert row["carried"] == [{"from": f"old-{row['run']}", "made_again": ["cam", "seam"]}]


@pytest.mark.parametrize("run_name", ["cam", "seam"])
def test_one_other_digit_leaves_every_row_as_it_is(carry, monkeypatch, rows, run_name):
    before = {path.name: path.read_bytes() for path in rows.iterdir()}
    other = {**SCORES, run_name: [{"miou": SCORES[run_name][0]["miou"] + 1e-9}]}
    assert run(carry, monkeypatch, rows, other) == 1
    assert {path.name: path.read_bytes() for path in rows.iterdir()} == before


def test_a_run_counts_as_before_where_only_new_parameters_came(carry):
    def same(**changes):
        return carry.same_values({"params": PARAMS}, {"params": {**PARAMS, **changes}})

    assert same()
    assert same(**{"cam.fsl.repel": 1.0})
    assert not same(**{"cam.epochs": 9})
    fewer = {"params": {"cam.epochs": 8}}
    assert not carry.same_values({"params": PARAMS}, fewer)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_runs_made_again_are_spread_over_all(carry, count):
    found = carry.spread(list("abcde"), count)
    assert len(found) == len(set(found)) == min(count, 5)
    assert set(found) <= set("abcde")
    assert found[0] == "a"
