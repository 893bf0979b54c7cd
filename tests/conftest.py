"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Folder with real photographs in VOC's layout, where there is one.

    ``HFPL_PHOTOGRAPHS`` names it; else it is looked for beside the checkout.
    """
    folder = Path(
        os.environ.get("HFPL_PHOTOGRAPHS", REPOSITORY.parent / "shared" / "data" / "voc6")
    )
    if not (folder / "JPEGImages").is_dir():
        pytest.skip("no photographs: HFPL_PHOTOGRAPHS names no folder in VOC's layout")
    return folder
