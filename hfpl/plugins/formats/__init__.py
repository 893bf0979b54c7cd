"""Formats of data sets: a file or a folder each, loaded by name.

A format's module defines ``Settings``, the section of an entry of ``datasets`` with the literal
``format``, and ``build(settings) -> Format``. It is imported whenever parameters are checked, so
that it imports what is heavy where it is used.
"""

from importlib import import_module
from typing import Any

from hfpl.plugins.formats.interface import Format


def build_format(settings: Any) -> Format:
    """The format of an entry of ``datasets``, or of what a job may read of it."""
    return import_module(f"{__name__}.{settings.format}").build(settings)
