"""High-fidelity pseudo-labels for weakly supervised semantic segmentation.

The two losses of the paper need torch alone: ``from hfpl.losses import
importance_sampling_loss, feature_similarity_loss``. Everything else is the pipeline around them.
"""

__version__ = "0.1.0"
