"""Rows are carried over a change of code only where runs made again score the same."""

import json

import pytest

from scripts import carry_rows as carry

SCORES = {"cam": [{"miou": 50.0}], "seam": [{"miou": 60.25}], "seam@seed=1": [{"miou": 61.0}]}
PARAMS = {"cam.epochs": 8, "cam.isl.weight": 0.2, "cam.isl.start": 0.0}


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "ablation"
    folder.mkdir()
    for run, scores in SCORES.items():
        row = {"run": run, "digest": f"old-{run}", "scores": scores}
        (folder / f"{run}.old-{run}.json").write_text(json.dumps(row))
    return folder


def run(monkeypatch, rows, again, count=2) -> int:
    stale = {
        name: (
            rows / f"{name}.old-{name}.json",
            {"digest": f"new-{name}", "params": PARAMS, "new": []},
        )
        for name in SCORES
    }
    monkeypatch.setattr(carry, "stale_rows", lambda *_: stale)
    monkeypatch.setattr(carry, "make_again", lambda runs, *_: {name: again[name] for name in runs})
    arguments = ["carry_rows.py", "HEAD", "--rows", str(rows.parent), "--check", str(count)]
    monkeypatch.setattr(carry.sys, "argv", arguments)
    return carry.main()


def test_equal_scores_carry_all_rows_and_say_what_was_made_again(monkeypatch, rows):
    assert run(monkeypatch, rows, SCORES) == 0
    assert {path.name for path in rows.iterdir()} == {f"{n}.new-{n}.json" for n in SCORES}
    for path in rows.iterdir():
        row = json.loads(path.read_text())
        assert row["digest"] == f"new-{row['run']}"
        assert row["scores"] == SCORES[row["run"]]
        assert row["values"] == {"cam.isl.weight": 0.2, "cam.isl.start": 0.0}
        assert row["carried"] == [{"from": f"old-{row['run']}", "made_again": ["cam", "seam"]}]


@pytest.mark.parametrize("run_name", ["cam", "seam"])
def test_one_other_digit_leaves_every_row_as_it_is(monkeypatch, rows, run_name):
    before = {path.name: path.read_bytes() for path in rows.iterdir()}
    other = {**SCORES, run_name: [{"miou": SCORES[run_name][0]["miou"] + 1e-9}]}
    assert run(monkeypatch, rows, other) == 1
    assert {path.name: path.read_bytes() for path in rows.iterdir()} == before


def test_a_run_counts_as_before_where_only_new_parameters_came():
    def same(**changes):
        return carry.same_values({"params": PARAMS}, {"params": {**PARAMS, **changes}})

    assert same()
    assert same(**{"cam.fsl.repel": 1.0})
    assert not same(**{"cam.epochs": 9})
    fewer = {"params": {"cam.epochs": 8}}
    assert not carry.same_values({"params": PARAMS}, fewer)


def test_rows_are_carried_whose_digest_changed_and_whose_values_did_not(tmp_path):
    def runs(digest, **more):
        return {
            name: {"digest": f"{digest}-{name}", "params": {**PARAMS, **more}} for name in "abc"
        }

    before, now = runs("old"), runs("new", **{"cam.fsl.repel": 1.0})
    now["b"]["params"]["cam.epochs"] = 9
    for name in "ab":  # c has no row
        (tmp_path / f"{name}.old-{name}.json").write_text("{}")
    assert carry.carried(before, now, tmp_path) == {
        "a": (tmp_path / "a.old-a.json", {**now["a"], "new": ["cam.fsl.repel"]})
    }
    assert carry.carried(before, before, tmp_path) == {}


def test_a_new_parameter_counts_for_a_run_that_is_made_again():
    new = {
        "a": [],
        "b": ["isl.start"],
        "c": ["isl.start"],
        "d": ["isl.start", "fsl.repel"],
        "e": [],
    }
    rows = {name: (None, {"new": keys}) for name, keys in new.items()}
    assert carry.with_new_keys(["a"], rows) == ["a", "b", "d"]
    assert carry.with_new_keys(["d", "e"], rows) == ["d", "e"]
    assert carry.with_new_keys(["a"], dict.fromkeys(rows, (None, {"new": []}))) == ["a"]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_runs_made_again_are_spread_over_all(count):
    found = carry.spread(list("abcde"), count)
    assert len(found) == len(set(found)) == min(count, 5)
    assert set(found) <= set("abcde")
    assert found[0] == "a"
