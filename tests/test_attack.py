"""Bad files of every kind are taken or refused in one line, never with a traceback."""

import pytest

from scripts.attack.__main__ import CASES, attack, outcome


@pytest.mark.parametrize("name", CASES)
def test_a_few_of_each_kind(name):
    found = attack(name, 6, seed=1)
    assert sum(found.values()) == 6
    assert set(found) <= {"taken", "one line"}, found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_many_of_each_kind(name):
    found = attack(name, 100, seed=2)
    assert set(found) == {"one line", "taken"} or name == "models", found
    assert set(found) <= {"one line", "taken"}, found


def test_what_goes_wrong_is_told(monkeypatch):
    def broken(command):
        raise KeyError("x")

    monkeypatch.setattr("scripts.attack.__main__.run_command", broken)
    assert outcome([]) == "traceback: KeyError: 'x'"
    monkeypatch.setattr("scripts.attack.__main__.run_command", lambda command: 3)
    assert outcome([]) == "status 3: []"
