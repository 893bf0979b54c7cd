"""Scores of label maps: region overlap (IoU) and contour accuracy."""
