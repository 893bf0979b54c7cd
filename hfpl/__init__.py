"""High-fidelity pseudo-labels for weakly supervised semantic segmentation.

The two losses of the paper need torch alone: ``from hfpl.losses import
importance_sampling_loss, feature_similarity_loss``. A trained network labels photographs:
``from hfpl import Segmenter``. Everything else is the pipeline around them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfpl.stages.segment.segmenter import Segmenter

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__"]


def __getattr__(name: str) -> Any:
    """``Segmenter``, when it is asked for: the losses go without what it imports."""
    if name == "Segmenter":
        from hfpl.stages.segment.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module 'hfpl' has no attribute '{name}'")
