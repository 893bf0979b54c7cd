"""Text of others on a terminal."""

import unicodedata


def printable(text: str) -> str:
    """Text without characters that a terminal would obey: control characters, and those that turn
    its direction, as their escapes."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c
        for c in text
    )
