"""The two add-on losses: importance sampling (ISL) and feature similarity (FSL)."""

from hfpl.losses.feature_similarity import (
    class_activations,
    denormalise_image,
    feature_image,
    feature_similarity_loss,
)
from hfpl.losses.importance_sampling import (
    draw_positions,
    expected_importance_sampling_loss,
    importance_sampling_loss,
)
from hfpl.losses.scaling import max_norm

__all__ = [
    "class_activations",
    "denormalise_image",
    "draw_positions",
    "expected_importance_sampling_loss",
    "feature_image",
    "feature_similarity_loss",
    "importance_sampling_loss",
    "max_norm",
]
