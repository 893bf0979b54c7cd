"""The downloaded data sets through the real DAG, from the server to the table of scores."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.params.presets import preset_text

pytestmark = pytest.mark.slow


@pytest.fixture
def write_small(server, served):
    """Write params.yaml of a data set's preset, made as small as micro, on files of the server."""

    def write(folder: Path, preset: str, archives: dict[str, Path]) -> None:
        yaml = YAML(typ="safe", pure=True)
        micro = yaml.load(preset_text("micro"))
        sections = ("network", "pretrain", "cam", "affinity", "walk", "segment", "report")
        settings = [f"{name}={json.dumps(micro[name])}" for name in sections]
        for name, path in archives.items():
            content = path.read_bytes()
            server.files[path.name] = served(content, cuts=[len(content) // 2])
            key = f"datasets.{preset}.sources.{name}"
            settings.append(f'{key}.urls=["{server.url(path.name)}"]')
            if not path.name.startswith("SegmentationClassAug"):
                settings.append(f"{key}.md5='{hashlib.md5(content).hexdigest()}'")
        folder.mkdir(parents=True, exist_ok=True)
        text = preset_text(preset, [*settings, "shards=1"])
        (folder / "params.yaml").write_text(text, encoding="utf-8")

    return write


def rows_of(folder: Path, dataset: str) -> list[dict]:
    table = folder / f"results/{dataset}/seam-isl-fsl/evaluate/table.json"
    return json.loads(table.read_text())["rows"]


def test_voc2012_from_download_to_table(tmp_path, voc_archives, write_small, snakemake, server):
    write_small(tmp_path, "voc2012", voc_archives(tmp_path / "served"))
    dry = snakemake(tmp_path, "-n")
    assert dry.returncode == 0, dry.stdout
    assert "data_download" in dry.stdout
    assert server.requests == []
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert {(r["split"], r["images"]) for r in rows_of(tmp_path, "voc2012")} == {
        ("train", 5),
        ("val", 3),
    }
    assert all(len(r["iou"]) == 21 for r in rows_of(tmp_path, "voc2012"))
    assert all(any(n == name and r for n, r in server.requests) for name in server.files)
    asked = len(server.requests)
    again = snakemake(tmp_path, "--cores", "2", "--quiet", "host")
    assert "Nothing to be done" in again.stdout
    # Other mirrors change nothing, and what is there already is checked, not downloaded again.
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("http://127.0.0.1", "http://elsewhere"))
    assert "Nothing to be done" in snakemake(tmp_path, "-n", "--quiet", "host").stdout
    again = snakemake(tmp_path, "--cores", "2", "--forcerun", "data_download", "--until",
                      "data_archive")  # fmt: skip
    assert again.returncode == 0, again.stdout
    assert "(100%) done" in again.stdout
    assert len(server.requests) == asked


def test_coco2014_from_download_to_table(tmp_path, coco_archives, write_small, snakemake, server):
    write_small(tmp_path, "coco2014", coco_archives(tmp_path / "served"))
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    rows = rows_of(tmp_path, "coco2014")
    assert {(r["split"], r["images"]) for r in rows} == {("train", 8), ("val", 4)}
    assert all(len(r["iou"]) == 81 for r in rows)
    with zipfile.ZipFile(tmp_path / "results/coco2014/data/coco2014.zip") as archive:
        assert len(archive.read("classes.txt").split(b"\n")) == 81
    assert len(server.requests) >= 8


def test_a_wrong_checksum_stops_the_run_with_one_line(
    tmp_path, voc_archives, write_small, snakemake
):
    write_small(tmp_path, "voc2012", voc_archives(tmp_path / "served"))
    path = tmp_path / "params.yaml"
    lines = path.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if "md5:" in line)
    lines[number] = f"        md5: {'f' * 32}"
    path.write_text("\n".join(lines))
    done = snakemake(tmp_path, "--cores", "1", "--until", "data_download")
    assert done.returncode == 1
    assert f"instead of {'f' * 32}: a damaged or another file" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "downloads/VOCtrainval_11-May-2012.tar").exists()
