"""The compared steps: one module each, with the inputs. Plain definitions stand in tests/plain."""

from importlib import import_module

from benchmarks.comparison import Comparison

MODULES = (
    "feature_similarity",
    "random_walk",
    "cam_curve",
    "contours",
    "dense_crf",
    "cam_inference",
    "affinity_labels",
    "augmentation",
)


def comparisons(module: str) -> tuple[Comparison, ...]:
    """What a module compares."""
    return import_module(f"benchmarks.steps.{module}").COMPARISONS
