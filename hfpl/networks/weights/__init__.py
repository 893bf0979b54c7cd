"""Weights that a training starts from: readers of foreign formats, and the matching by name."""
