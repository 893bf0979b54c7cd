"""The paper's settings, which the reference arrays were made with."""

from functools import cache

from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.params.root import Params


@cache
def published() -> Params:
    """Parameters of the preset ``paper``."""
    return validate_params(YAML(typ="safe").load(preset_text("paper")))
