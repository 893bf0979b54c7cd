"""The page about time and memory is what its measurements say."""

import shutil

from PIL import Image

from studies.scale.__main__ import main


def test_the_page_and_its_figure_are_drawn_of_what_is_kept(tmp_path, repository):
    docs = repository / "docs"
    shutil.copy(docs / "scale.json", tmp_path)
    main(["draw", "--kept", str(tmp_path / "scale.json")])
    page = (tmp_path / "scale.md").read_text(encoding="utf-8")
    assert page == (docs / "scale.md").read_text(encoding="utf-8")
    with Image.open(tmp_path / "scale.png") as drawn, Image.open(docs / "scale.png") as kept:
        assert drawn.size == kept.size
