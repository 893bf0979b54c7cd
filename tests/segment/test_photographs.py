"""Which files are photographs, and results with names that tell them apart."""

from pathlib import Path

import pytest
from PIL import Image

from hfpl.stages.segment.photographs import find_photographs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(*given: str, out: str = "out") -> dict[str, str]:
    """Photograph → its result's name."""
    found = find_photographs([Path(g) for g in given], Path(out))
    for photograph in found:
        mask = photograph.mask.relative_to(f"{out}/masks").as_posix()
        overlay = photograph.overlay.relative_to(f"{out}/overlays").as_posix()
        assert mask.removesuffix(".png") == overlay.removesuffix(".jpg")
    return {
        p.path.as_posix(): p.mask.relative_to(f"{out}/masks").as_posix().removesuffix(".png")
        for p in found
    }


def test_folders_are_searched_for_photographs_and_what_lies_below():
    touch(
        "p/b.JPG",
        "p/a b.png",
        "p/sub/ü'.tiff",
        "p/c.jfif",
        "p/notes.txt",
        "p/.hidden.jpg",
        "p/.t/x.jpg",
    )
    assert names("p") == {
        "p/a b.png": "a b",
        "p/b.JPG": "b",
        "p/c.jfif": "c",
        "p/sub/ü'.tiff": "sub/ü'",
    }


def test_a_file_is_taken_whatever_its_ending_and_once():
    touch("p/a.jpg", "p/scan")
    assert names("p/scan", "p", "p/a.jpg") == {"p/scan": "scan", "p/a.jpg": "a"}


def test_equal_names_keep_their_endings():
    touch("p/a.jpg", "p/a.png", "p/A.gif", "p/b.jpg", "p/sub/a.jpg")
    assert names("p") == {
        "p/A.gif": "A.gif",
        "p/a.jpg": "a.jpg",
        "p/a.png": "a.png",
        "p/b.jpg": "b",
        "p/sub/a.jpg": "sub/a",
    }


def test_equal_names_of_several_folders_keep_their_folders():
    touch("one/a.jpg", "two/a.jpg", "two/c.jpg")
    assert names("one", "two") == {
        "one/a.jpg": "one/a.jpg",
        "two/a.jpg": "two/a.jpg",
        "two/c.jpg": "c",
    }


def test_a_name_with_an_ending_that_is_another_photographs_name():
    touch("p/a.jpg", "p/a.png", "p/a.jpg.gif")
    found = names("p")
    assert len(set(found.values())) == 3


def test_photographs_that_cannot_be_told_apart_are_named():
    touch("x/p/a.jpg", "y/p/a.jpg")
    with pytest.raises(ValueError, match=r"x/p/a\.jpg and y/p/a\.jpg: their results would"):
        names("x/p", "y/p")


def test_results_below_the_photographs_are_no_photographs():
    touch("p/a.jpg", "p/out/masks/a.png", "p/out/overlays/a.jpg", "p/masks/b.png")
    assert names("p", out="p/out") == {"p/a.jpg": "a", "p/masks/b.png": "masks/b"}
    assert names("p", out="p") == {"p/a.jpg": "a", "p/out/masks/a.png": "out/masks/a",
                                   "p/out/overlays/a.jpg": "out/overlays/a"}  # fmt: skip


def test_a_photograph_is_never_replaced():
    touch("out/masks/a.png")
    with pytest.raises(ValueError, match=r"out/masks/a\.png: is a photograph; .*--out"):
        names("out/masks/a.png")


@pytest.mark.parametrize(
    ("given", "message"),
    [("lost", "lost: no such file or folder"), ("empty", r"no photographs .* in empty")],
)
def test_nothing_to_label_is_one_clear_line(given, message):
    Path("empty").mkdir()
    with pytest.raises(ValueError, match=message):
        names(given)


def test_masks_of_a_folder_that_was_trained_on_are_no_photographs():
    touch("p/images/a.jpg", "p/masks/a.png", "p/labels.csv", "p/classes.txt")
    assert names("p") == {"p/images/a.jpg": "images/a"}


def test_label_maps_beside_folders_of_classes_are_no_photographs():
    touch("p/dog/a.jpg", "p/masks/b.jpg", "q/a.jpg")
    for folder in ("p/masks/dog", "p/corrections"):
        Path(folder).mkdir()
        Image.new("P", (2, 2)).save(f"{folder}/a.png")
    assert names("p") == {"p/dog/a.jpg": "dog/a"}
    # A folder of photographs may be called so too.
    Path("q/masks").mkdir()
    Image.new("RGB", (2, 2)).save("q/masks/c.png")
    assert set(names("q")) == {"q/a.jpg", "q/masks/c.png"}


def test_earlier_results_are_no_photographs_wherever_they_lie():
    touch("p/a.jpg", "p/first/classes.csv", "p/first/masks/a.png", "p/first/overlays/a.jpg")
    touch("p/x/classes.csv", "p/x/masks/b.png", "p/x/masks/deep/c.png", "p/x/overlays/b.jpg")
    assert names("p", out="p/second") == {"p/a.jpg": "a"}


def test_linked_folders_are_searched_and_a_circle_ends():
    touch("elsewhere/b.jpg", "p/a.jpg")
    Path("p/link").symlink_to(Path("elsewhere").resolve())
    Path("p/self").symlink_to(Path("p").resolve())
    Path("elsewhere/back").symlink_to(Path("p").resolve())
    assert names("p") == {"p/a.jpg": "a", "p/link/b.jpg": "link/b"}


def test_what_is_no_photograph_is_counted_by_its_ending(caplog):
    touch("p/a.jpg", "p/b.txt", "p/sub/c.TXT", "p/d.raw", "p/e", "p/.f.txt")
    assert len(names("p")) == 1
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == "p: 4 files are no photographs: .txt 2, .raw 1, without an ending 1"


@pytest.mark.parametrize("ending", ["HEIC", "jp2", "ppm", "mpo", "tga", "jpe", "psd"])
def test_less_common_kinds_are_photographs(ending):
    touch(f"p/a.{ending}")
    assert names("p") == {f"p/a.{ending}": "a"}
