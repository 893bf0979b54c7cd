"""High-fidelity pseudo-labels for weakly supervised semantic segmentation.

The two losses of the paper need torch alone: ``from hfpl.losses import
importance_sampling_loss, feature_similarity_loss``. A trained network labels photographs:
``from hfpl import Segmenter``. Everything else is the pipeline around them.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__"]


def __getattr__(name: str) -> Any:
    """``Segmenter``, when it is asked for: the losses go without what it imports."""
    if name == "Segmenter":
        # By its name alone: every job imports this package, and none depends on the segmenter.
        return import_module("hfpl.stages.segment.segmenter").Segmenter
    raise AttributeError(f"module 'hfpl' has no attribute '{name}'")
