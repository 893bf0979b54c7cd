"""Sizes in words."""


def human(size: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} bytes"
