"""Each step against its plain definition, in the same run: a table in Markdown.

    python -m benchmarks [--only STEP ...] [--pairs 5]

Time is the median of pairs that run in turn, and of their ratios beside it the least. Peak memory
is what a call in a new process takes above what stood before.
"""

import argparse
import sys

from benchmarks.comparison import Comparison
from benchmarks.loading import loading_table
from benchmarks.measure import Measured, machine, measure, median_and_least
from benchmarks.steps import MODULES, comparisons

LOADING = "loading"
_SMALL = 2**20
"""Bytes below which the ratio of two peaks says nothing."""
_HEAD = (
    "| step | plain definition | plain | fast | times faster (least) | wanted "
    "| plain, MB | fast, MB | times less | wanted |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; 1 where a step is slower or larger than wanted."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=(*MODULES, LOADING), metavar="STEP",
                        help=f"of {', '.join((*MODULES, LOADING))}")  # fmt: skip
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each (default: 5)")
    args = parser.parse_args(arguments)
    if args.pairs < 1:
        parser.error(f"--pairs {args.pairs}: expected at least 1")
    chosen = args.only or (*MODULES, LOADING)
    print(f"{machine()}\n")
    modules = [module for module in MODULES if module in chosen]
    missed = []
    if modules:
        print(_HEAD)
    for module in modules:
        for index, comparison in enumerate(comparisons(module)):
            measured = measure(module, index, args.pairs)
            print(row(comparison, measured), flush=True)
            if misses(comparison, measured):
                missed.append(comparison.name)
    if LOADING in chosen:
        print("\n" * bool(modules) + "\n".join(loading_table()))
    if missed:
        print(f"less than wanted: {'; '.join(missed)}", file=sys.stderr)
    return int(bool(missed))


def row(comparison: Comparison, measured: Measured) -> str:
    """A comparison's row of the table."""
    cells = [comparison.name, comparison.plain_name]
    for values in (measured.plain, measured.fast):
        cells.append(_seconds(sorted(values)[len(values) // 2]) if values else "–")
    ratio = "–"
    if measured.plain:
        middle, least = median_and_least(measured.ratios)
        ratio = f"{_times(middle)} ({_times(least)})"
    cells += [ratio, _wanted(comparison.faster)]
    cells += [_megabytes(peak) for peak in (measured.plain_peak, measured.fast_peak)]
    lighter = measured.lighter
    told = lighter is not None and max(measured.plain_peak, measured.fast_peak) >= _SMALL
    cells += [_times(lighter) if told else "–"]
    cells += [_wanted(comparison.lighter)]
    return f"| {' | '.join(cells)} |"


def misses(comparison: Comparison, measured: Measured) -> bool:
    """Whether time or memory falls short of what is wanted."""
    slow = comparison.faster and median_and_least(measured.ratios)[0] < comparison.faster
    large = comparison.lighter and (measured.lighter or 0) < comparison.lighter
    return bool(slow or large)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _times(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _wanted(value: float | None) -> str:
    return "" if value is None else f"≥ {value:g}"


def _megabytes(peak: int | None) -> str:
    return "–" if peak is None else f"{peak / 1e6:.1f}"


if __name__ == "__main__":
    sys.exit(main())
