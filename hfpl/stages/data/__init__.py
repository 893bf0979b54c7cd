"""Data sets: what the pictures, tags and masks are and where they come from."""
