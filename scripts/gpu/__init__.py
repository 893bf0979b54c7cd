"""What a GPU computes and how fast: one script for a machine that is bare but for torch."""
