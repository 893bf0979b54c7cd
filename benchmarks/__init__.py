"""Measurements: each step against its plain definition (``python -m benchmarks``), how cost grows
(``python -m benchmarks.scale``), and scripts for single questions."""
