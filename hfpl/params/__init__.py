"""The parameters of a run: typed sections, presets, and which of them a job depends on."""

from hfpl.params.load import ParamsError, load_params
from hfpl.params.root import Params

__all__ = ["Params", "ParamsError", "load_params"]
