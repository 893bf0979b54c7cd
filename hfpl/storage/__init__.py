"""Files that hold results: written whole or not at all, read without pickle."""
