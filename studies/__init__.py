"""Finished studies: each answered a question, and can be run again. Not run by CI."""
