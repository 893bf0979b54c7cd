"""Dense-CRF pseudo-labels from class activation maps."""
