"""Versions of results: their provenance travels with them, and DVC stores and shares them."""
