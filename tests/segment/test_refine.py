"""The CRF in processes beside the network: same labels, bounded memory, no process left behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hfpl.plugins.refiners.crf import build
from hfpl.stages.segment.refine import Scored, refined_labels

CRF = build(
    iterations=2,
    gaussian={"sxy": 3.0, "compat": 3.0},
    bilateral={"sxy": 20.0, "srgb": 13.0, "compat": 10.0},
)


def scored(number: int, rng: np.random.Generator) -> Scored:
    height, width = 12 + number, 20 - number
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    scores = rng.random((3, height, width), dtype=np.float32)
    return Scored(f"image{number}", pixels, scores / scores.sum(0))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [scored(number, rng) for number in range(7)]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_labels_come_in_order_and_are_the_crf_s(images, workers):
    found = list(refined_labels(iter(images), CRF, workers))
    assert [image.name for image, _ in found] == [image.name for image in images]
    for image, labels in found:
        assert labels.dtype == np.uint8
        expected = CRF.refine(image.pixels, [image.scores])[0].argmax(0)
        np.testing.assert_array_equal(labels, expected)


def test_images_are_read_no_further_ahead_than_processes_need(images):
    read = []

    def one_by_one():
        for image in images * 3:
            read.append(image)
            yield image

    found = refined_labels(one_by_one(), CRF, 1)
    for done in range(1, 10):
        next(found)
        assert len(read) <= done + 2
    found.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_scores_that_are_not_finite_are_an_error(images, workers):
    broken = images[3]._replace(scores=images[3].scores * np.nan)
    found = refined_labels([*images[:3], broken], CRF, workers)
    with pytest.raises(ValueError, match="not finite"):
        list(found)


def workers_of(process: int) -> set[int]:
    """Processes that run Python for another one; other tests may have some, too."""
    children = subprocess.run(["pgrep", "-P", str(process), "-f", "spawn_main"],
                              capture_output=True, text=True, check=False)  # fmt: skip
    return set(map(int, children.stdout.split()))


def test_a_killed_process_is_one_clear_error(images):
    others = workers_of(os.getpid())
    found = refined_labels(images * 20, CRF, 1)
    next(found)
    (worker,) = workers_of(os.getpid()) - others
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(ValueError, match="was killed.*--workers"):
        list(found)


SCRIPT = """
import itertools, os, sys
import numpy as np
from hfpl.plugins.refiners.crf import build
from hfpl.stages.segment.refine import Scored, refined_labels
image = Scored("a", np.zeros((8, 8, 3), np.uint8), np.full((2, 8, 8), 0.5, np.float32))
if __name__ == "__main__":
    bilateral = {"sxy": 20, "srgb": 13, "compat": 10}
    crf = build(iterations=1, gaussian={"sxy": 3, "compat": 3}, bilateral=bilateral)
    for _ in refined_labels(itertools.repeat(image), crf, 1):
        print(os.getpid(), flush=True)
"""


def test_no_process_outlives_a_killed_main_process(tmp_path):
    (tmp_path / "endless.py").write_text(SCRIPT)
    main = subprocess.Popen([sys.executable, tmp_path / "endless.py"], stdout=subprocess.PIPE)
    main.stdout.readline()
    workers = workers_of(main.pid)
    assert workers
    main.kill()
    main.wait()
    main.stdout.close()
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):
        assert time.monotonic() < deadline, "a process of the CRF was left behind"
        time.sleep(0.05)
