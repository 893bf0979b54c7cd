"""The end of an error message about an unknown name."""

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """The nearest known name, else all of them."""
    names = sorted(known)
    return suggest_near(name, names) or f"; known: {', '.join(names) or 'none'}"


def suggest_near(name: str, known: Iterable[str]) -> str:
    """The nearest known name, else nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
