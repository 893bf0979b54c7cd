"""What a job may read of the parameters: the values that it declares, and no others."""

from collections.abc import Iterator, Mapping
from typing import Any

Values = Mapping[str, Any]
"""Dotted key → value, as a rule hands them over: numbers, texts, lists, and ``{}`` for a section
without keys. ``chosen.dataset`` and ``chosen.variant`` stand for the entries that the parameters
``dataset`` and ``variant`` name."""


class UndeclaredParameter(LookupError):
    """A job reads a parameter that its declaration leaves out: its results would not follow it."""


class Settings:
    """The declared values of a job, as the sections of ``params.yaml``: ``settings.walk.beta``.

    Args:
        values: of the job.
        job: its name, for messages.
        prefix: section that this is a view of, with a dot at its end.
    """

    def __init__(self, values: Values, job: str, prefix: str = "") -> None:
        self._values, self._job, self._prefix = values, job, prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # what copies and pickles ask for
        key = f"{self._prefix}{name}"
        if key in self._values and self._values[key] != {}:
            return self._values[key]
        if any(other == key or other.startswith(f"{key}.") for other in self._values):
            return Settings(self._values, self._job, f"{key}.")
        raise UndeclaredParameter(f"job {self._job} reads '{key}', which it does not declare")

    def __getitem__(self, name: str) -> Any:
        """A key that is a name people choose, such as that of a method."""
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        """Names of the section's keys."""
        own = (key for key in self._values if key.startswith(self._prefix))
        return iter(dict.fromkeys(key[len(self._prefix) :].split(".")[0] for key in own))

    def keys(self) -> list[str]:
        """Names of the section's keys; with ``[]``, what ``**settings`` asks for."""
        return list(self)

    def as_dict(self) -> dict[str, Any]:
        """The section as nested dictionaries."""
        nested = {name: self[name] for name in self}
        return {k: v.as_dict() if isinstance(v, Settings) else v for k, v in nested.items()}
