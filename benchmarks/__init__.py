"""Measurements: each step against its plain definition (``python -m benchmarks``), and scripts for
single questions."""
