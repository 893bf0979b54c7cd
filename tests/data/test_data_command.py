"""``hfpl data`` by hand: sources, download, archive."""

import hashlib
import json
from pathlib import Path

import pytest

from hfpl.cli import main
from hfpl.params.presets import preset_text
from hfpl.storage.atomic import read_json


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(preset: str, *settings: str) -> None:
    Path("params.yaml").write_text(preset_text(preset, settings), encoding="utf-8")


def point_to(server, served, archives: dict[str, Path]) -> None:
    """Write params.yaml whose sources are files of the server."""
    settings = []
    for name, path in archives.items():
        content = path.read_bytes()
        server.files[path.name] = served(content)
        key = f"datasets.voc2012.sources.{name}"
        settings.append(f"{key}.urls={json.dumps([server.url(path.name)])}")
        settings.append(f"{key}.md5='{hashlib.md5(content).hexdigest()}'")
    write("voc2012", *settings)


def test_from_download_to_zip(folder, server, served, voc_archives, capsys):
    archives = voc_archives(folder / "served")
    point_to(server, served, archives)
    for name, path in archives.items():
        record = folder / f"{name}.json"
        assert main(["data", "download", "--source", name, "--record", str(record)]) == 0
        content = path.read_bytes()
        assert (folder / "downloads" / path.name).read_bytes() == content
        assert read_json(record) == {
            "source": name,
            "size": len(content),
            "md5": hashlib.md5(content).hexdigest(),
        }
    assert main(["data", "archive", "--archive", "voc2012.zip", "--digest", "d.json"]) == 0
    assert "5 images in train, 3 images in val, 8 images in trainaug" in capsys.readouterr().err
    assert (folder / "voc2012.zip").exists()


def test_records_do_not_tell_where_a_file_came_from(folder, server, served, voc_archives):
    archives = voc_archives(folder / "served")
    point_to(server, served, archives)
    arguments = ["data", "download", "--source", "augmented", "--record"]
    assert main([*arguments, "first.json"]) == 0
    uri = archives["augmented"].as_uri()
    write("voc2012", f'datasets.voc2012.sources.augmented.urls=["{uri}"]')
    assert main([*arguments, "second.json", "--downloads", "other"]) == 0
    assert (folder / "second.json").read_bytes() == (folder / "first.json").read_bytes()


def test_sources_and_sizes_are_shown(folder, capsys):
    assert main(["params", "voc2012"]) == 0
    assert "about 2.0 GB will be downloaded: 'hfpl data sources'" in capsys.readouterr().err
    assert main(["data", "sources", "--downloads", "cache"]) == 0
    shown = capsys.readouterr()
    assert "trainval: cache/VOCtrainval_11-May-2012.tar, about 2.0 GB, not there yet" in shown.out
    assert "md5 6cd6e144f989b92b3379bac3b3de84fd" in shown.out
    assert "md5 not published" in shown.out
    assert "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/" in shown.out
    assert "about 2.0 GB in all" in shown.err
    assert not (folder / "cache").exists()


def test_nothing_is_announced_where_nothing_is_downloaded(folder, capsys):
    assert main(["params", "demo"]) == 0
    assert "download" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preset", "arguments", "message"),
    [
        ("demo", ["sources"], "dataset 'shapes' is not one that is downloaded"),
        ("demo", ["download", "--source", "trainval", "--record", "a"],
         "--source trainval: unknown; known: none"),
        ("voc2012", ["download", "--source", "trainvel", "--record", "a"],
         "--source trainvel: unknown; did you mean 'trainval'?"),
        ("folder", ["archive", "--archive", "a.zip", "--digest", "d"],
         "a run with these parameters has no 'data archive'"),
        ("coco2014", ["archive", "--archive", "a.zip", "--digest", "d"],
         "downloads/annotations_trainval2014.zip: no such file; 'hfpl data download' puts it"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(folder, capsys, preset, arguments, message):
    write(preset)
    assert main(["data", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hfpl data {arguments[0]}: error: {message}")
    assert [p.name for p in folder.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("md5=abc", "md5"), ("urls=[]", "urls"), ("urls=[ftp://a/b]", "urls.0"), ("size=0", "size"),
        ("file=../a.zip", "file"), ("file=/a.zip", "file"), ("file='a b'", "file"),
    ],
)  # fmt: skip
def test_wrong_sources_are_named(setting, key):
    where = "datasets.voc2012.sources.trainval"
    with pytest.raises(ValueError, match=rf"^preset voc2012: {where}\.{key}: "):
        preset_text("voc2012", [f"{where}.{setting}"])
