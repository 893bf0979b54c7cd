"""Files of JSON read as what they should be; whoever wrote them, a mistake is one line."""

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError


def read_as(kind: Any, path: str | Path, what: str) -> Any:
    """Content of a JSON file, as a type of pydantic's, dataclasses included.

    Args:
        what: it should be, for messages.

    Raises:
        ValueError: the file is missing, cannot be read or is something else; the message names
            file and place.
    """
    try:
        return _schema(kind).validate_json(Path(path).read_bytes(), strict=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise ValueError(f"{path}: not {what}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, and its place in the content."""
    first = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))


@cache
def _schema(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)
