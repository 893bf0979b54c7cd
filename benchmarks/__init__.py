"""Measurements: each step against its plain definition (``python -m benchmarks``), how cost grows
(``python -m studies.scale``), and scripts for single questions."""
