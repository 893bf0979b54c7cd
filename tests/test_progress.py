"""Progress: a bar on a terminal, lines elsewhere, and nothing that disturbs the work."""

import contextlib
import io
import os
import re
import sys
import termios

import pytest

from hfpl.jobs import progress
from hfpl.jobs.progress import track


@pytest.fixture
def at_once(monkeypatch):
    """Every step a line, not one in half a minute."""
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)


def test_short_work_says_nothing(capsys):
    with track("stage", 3, "images") as advance:
        for _ in range(3):
            advance()
    assert capsys.readouterr() == ("", "")


def test_lines_count_the_units_and_hold_the_figures(capsys, at_once):
    with track("cam train", 4, "steps") as advance:
        advance()
        advance(loss=0.123456)
        advance()
        advance()
    out, lines = capsys.readouterr()
    assert out == ""
    lines = lines.splitlines()
    pattern = r"cam train: {} of 4 steps, about \d+ s left{}"
    # The last unit needs no line: the work is done.
    assert len(lines) == 3
    assert re.fullmatch(pattern.format(1, ""), lines[0])
    assert re.fullmatch(pattern.format(2, ", loss 0.1235"), lines[1])
    assert re.fullmatch(pattern.format(3, ""), lines[2])


def test_the_rest_is_estimated_from_this_run_alone(capsys, at_once, monkeypatch):
    """An interrupted run that goes on at step 90 has not done 90 steps in no time."""
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with track("train", 100, "steps", start=90) as advance:
        advance()
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("train: 91 of 100 steps")
    assert lines[1].startswith("train: 92 of 100 steps")
    left = [int(re.search(r"about (\d+) s", line)[1]) for line in lines]
    # Ten seconds a step: nine steps, then eight are left, give or take the clock's first ticks.
    assert 90 <= left[0] <= 180
    assert 80 <= left[1] <= 120


def test_no_units_are_no_error(capsys):
    with track("stage", 0, "images"):
        pass
    assert capsys.readouterr().err == ""


class Screen(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("terminal", [False, True])
def test_errors_pass_through(monkeypatch, terminal):
    monkeypatch.setattr(sys, "stderr", Screen(terminal))

    def work():
        with track("stage", 2, "images") as advance:
            advance()
            raise KeyError

    with pytest.raises(KeyError):
        work()


def read_all(reader: int) -> str:
    """What a pseudo-terminal shows, once nobody writes to it any more."""
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(reader, 65536):
            shown += part
    os.close(reader)
    return shown.decode()


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    reader, writer = os.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    with open(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with track("cam train", 5, "steps", start=2) as advance:
            for _ in range(3):
                advance(loss=0.5)
        monkeypatch.undo()
    shown = read_all(reader)
    assert "cam train" in shown
    assert "2/5" in shown
    # Nothing is left on the line.
    assert shown.endswith("\r")
    assert shown.rstrip("\r").rpartition("\r")[2].strip() == ""
