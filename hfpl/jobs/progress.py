"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from hfpl.distributed.process import rank


class Interrupted(RuntimeError):
    """The work was asked to stop and has saved what it needs to go on."""


_LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


@contextmanager
def track(name: str, total: int, unit: str, start: int = 0) -> Iterator[Callable[..., None]]:
    """Show progress of ``total`` units; yields ``advance(**figures)``, to be called once per unit.

    Args:
        name: what is being done, for example ``cam train``.
        total: number of units of the whole work.
        unit: plural of the unit.
        start: units done in an earlier, interrupted run.

    Of several processes, the first alone shows anything.
    """
    if rank() > 0:
        yield lambda **figures: None
        return
    if sys.stderr.isatty():
        with tqdm(
            total=total,
            initial=start,
            desc=name,
            unit=f" {unit}",
            leave=False,
            dynamic_ncols=True,
            mininterval=0.5,
        ) as bar:

            def advance(**figures: float) -> None:
                if figures:
                    bar.set_postfix(figures, refresh=False)
                bar.update()

            yield advance
        return

    done, shown, began = start, time.monotonic(), time.monotonic()

    def advance_quietly(**figures: float) -> None:
        nonlocal done, shown
        done += 1
        now = time.monotonic()
        if now - shown >= _LINE_EVERY and done < total:
            shown = now
            left = (now - began) / max(done - start, 1) * (total - done)
            values = "".join(f", {k} {v:.4g}" for k, v in figures.items())
            print(
                f"{name}: {done} of {total} {unit}, about {left:.0f} s left{values}",
                file=sys.stderr,
                flush=True,
            )

    yield advance_quietly
