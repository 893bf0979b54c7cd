"""An entry of ``datasets``: the settings of one of the formats that there are."""

from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated

from pydantic import Field

from hfpl.sections.plugins import plugin_names

FORMATS = "hfpl.plugins.formats"
"""Package of the formats."""

Dataset = Annotated[
    reduce(or_, (import_module(f"{FORMATS}.{name}").Settings for name in plugin_names(FORMATS))),
    Field(discriminator="format"),
]
