"""High-fidelity pseudo-labels for weakly supervised semantic segmentation.

The two losses of the paper need torch alone: ``from hfpl.losses import
importance_sampling_loss, feature_similarity_loss``. A trained network labels photographs:
``from hfpl import Segmenter``. Everything else is the pipeline around them.
"""

from importlib import import_module
from typing import Any

__all__ = ["Segmenter", "__version__"]


def __getattr__(name: str) -> Any:
    """``Segmenter``, when it is asked for: the losses go without what it imports.

    Every job imports this package, and none depends on what is imported here by its name alone.
    """
    if name == "Segmenter":
        try:
            return import_module("hfpl.stages.segment.segmenter").Segmenter
        except ModuleNotFoundError as error:
            raise ImportError(
                f'Segmenter needs {error.name}: pip install "hfpl[segmenter]"'
            ) from error
    if name == "__version__":
        return import_module("hfpl._version").VERSION
    raise AttributeError(f"module 'hfpl' has no attribute '{name}'")
