"""Exports are what other tools take them for: read by these, in an environment of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.exports.test_formats import CLASSES, FILES, export, labels_of, run  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory, repository):
    """Interpreter of an environment as requirements-tools.txt says; 0.7 GB.

    HFPL_TOOLS_PYTHON names one that is there already.
    """
    given = os.environ.get("HFPL_TOOLS_PYTHON")
    if given:
        yield given
        return
    folder = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", repository / "requirements-tools.txt"], check=True)
    yield str(python)
    shutil.rmtree(folder)


READ = """
import json, sys
from pathlib import Path
import numpy as np

CLASSES = json.loads(sys.argv[1])

def of_datumaro(path, kind):
    import datumaro
    data = datumaro.Dataset.import_from(path, kind)
    names = [c.name for c in data.categories()[datumaro.AnnotationType.label]]
    for item in data:
        mask = None
        regions = [one for one in item.annotations if hasattr(one, "image")]
        for one in sorted(regions, key=lambda a: a.label):
            region = np.asarray(one.image)
            mask = np.zeros(region.shape, np.uint8) if mask is None else mask
            mask[region > 0] = CLASSES.index(names[one.label]) + 1
        yield Path(item.id).name, mask

def of_supervision(folder):
    import supervision
    for split in ("train", "val"):
        data = supervision.DetectionDataset.from_yolo(
            f"{folder}/images/{split}", f"{folder}/labels/{split}", f"{folder}/data.yaml", True)
        for path, image, found in data:
            mask = np.zeros(image.shape[:2], np.uint8)
            for region, label in zip(found.mask, found.class_id):
                mask[region > 0] = CLASSES.index(data.classes[label]) + 1
            yield Path(path).stem.removeprefix("day 1-"), mask

def of_label_studio(folder):
    from urllib.parse import unquote
    from label_studio_sdk.converter.brush import decode_rle
    for task in json.loads(Path(folder, "tasks.json").read_text()):
        mask = None
        for one in task["predictions"][0]["result"]:
            size = one["original_height"], one["original_width"]
            mask = np.zeros(size, np.uint8) if mask is None else mask
            alpha = np.asarray(decode_rle(one["value"]["rle"])).reshape(*size, 4)[..., 3]
            mask[alpha > 0] = CLASSES.index(one["value"]["brushlabels"][0]) + 1
        yield Path(unquote(task["data"]["image"])).stem, mask

readers = {"coco": lambda: of_datumaro("coco", "coco_instances"),
           "cvat": lambda: of_datumaro("cvat", "cvat"),
           "yolo": lambda: of_supervision("yolo"),
           "labelstudio": lambda: of_label_studio("labelstudio")}
for kind, read in readers.items():
    for name, mask in read():
        np.save(f"{kind}-{name}.npy", mask)
"""


def test_what_other_tools_read_is_what_was_written(run: Path, environment: str):  # noqa: F811
    for kind in ("coco", "cvat", "yolo", "labelstudio"):
        shutil.move(export(run, kind, "--photographs", f"{run}/photos"), run / kind)
    # datumaro wants the photographs beside the annotations, and a file of CVAT's without splits.
    for kind in ("coco", "cvat"):
        shutil.copytree(run / "photos" / "images", run / kind / "images")
    (run / "coco" / "annotations").mkdir()
    for file in (run / "coco").glob("*.json"):
        text = file.read_text(encoding="utf-8").replace("images/", "")
        (run / "coco" / "annotations" / file.name).write_text(text, encoding="utf-8")
        file.unlink()
    annotations = run / "cvat" / "annotations.xml"
    text = annotations.read_text(encoding="utf-8")
    for split in ("train", "val"):
        text = text.replace(f' subset="{split}"', "")
    annotations.write_text(text, encoding="utf-8")
    command = [environment, "-c", READ, json.dumps(CLASSES)]
    done = subprocess.run(command, cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for kind in ("coco", "cvat", "yolo", "labelstudio"):
        for name in FILES:
            found = np.load(run / f"{kind}-{name}.npy")
            expected = labels_of(name).repeat(2, 0).repeat(2, 1)
            np.testing.assert_array_equal(found, expected, f"{kind} {name}")
