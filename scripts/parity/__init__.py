"""Compare every step with arrays that the published implementation computed.

    python -m scripts.parity [--reference tests/reference] [file.npz ...]

A reference folder holds one file per step: a step's inputs, and what the published
implementation makes of them. Every number about the inputs comes from the file; settings that
the files do not hold are those of the preset ``voc2012``.
"""
