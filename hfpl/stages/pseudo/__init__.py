"""Pseudo-labels from class activation maps, refined by a CRF."""
