"""Class activation maps: losses, inference and the merging of scales."""
