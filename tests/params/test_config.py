"""What --config may say."""

import os
from dataclasses import asdict

import pytest

from hfpl.params.config import Config, read_config
from hfpl.params.load import ParamsError


def test_nothing_given_gives_the_defaults():
    assert read_config({}) == Config()
    assert asdict(Config())["results"] == "results"


@pytest.mark.parametrize("spelling", ["out", "out/", "./out", "out//", "a/../out", "{here}/out"])
def test_a_folder_has_one_spelling(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    assert read_config({"results": spelling.replace("{here}", os.getcwd())}).results == "out"


def test_a_folder_elsewhere_stays_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config({"results": "/data/out/"}).results == "/data/out"
    assert read_config({"results": f"{tmp_path}-other"}).results == f"{tmp_path}-other"


def test_values_are_what_snakemake_makes_of_them():
    found = read_config({"threads": 4, "workers": "auto", "gpu": 0, "gpu_model": "a100", "rows": 1})
    assert found == Config(threads=4, workers="auto", gpu=0, gpu_model="a100", rows="1")
    assert read_config({"workers": 3, "threads": "8"}) == Config(workers=3, threads=8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threads": "abc"}, "--config threads=abc: expected a whole number"),
        ({"threads": -1}, "--config threads=-1: expected 1 to 1024"),
        ({"threads": 0}, "--config threads=0: expected 1 to 1024"),
        ({"threads": 1.5}, "--config threads=1.5: expected a whole number"),
        ({"threads": True}, "--config threads=True: expected a whole number"),
        ({"threads": 10**30}, "expected a whole number"),
        ({"gpu": "abc"}, "--config gpu=abc: expected a whole number"),
        ({"gpu": -1}, "--config gpu=-1: expected 0 to 1024"),
        ({"workers": "abc"}, "--config workers=abc: expected a whole number"),
        ({"workers": ["a"]}, "--config workers=['a']: expected a whole number"),
        ({"results": ""}, "--config results='': expected a path"),
        ({"results": None}, "--config results='': expected a path"),
        ({"results": "a{b}"}, "--config results='a{b}': expected a path without braces"),
        ({"downloads": "a\nb"}, r"--config downloads='a\\nb': expected a path without"),
        ({"gpu_model": "x; touch y"}, "--config gpu_model='x; touch y': expected letters"),
        ({"result": "x"}, "--config result: unknown; did you mean 'results'?"),
    ],
)
def test_what_cannot_be_is_one_line(given, message):
    with pytest.raises(ParamsError) as error:
        read_config(given)
    assert message.replace("\\\\", "\\") in str(error.value)
    assert "\n" not in str(error.value)
