"""``hfpl report`` from result files to pictures, and its answers to bad input."""

import hashlib
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from hfpl.cli import main
from hfpl.images.palette import encode_mask
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.formats.indexing import write_index
from hfpl.plugins.formats.layout import annotation_xml
from hfpl.plugins.formats.mask_files import listed_masks, write_mask_manifests
from hfpl.stages.evaluate.cams import evaluate_cams
from hfpl.stages.evaluate.masks import evaluate_masks
from hfpl.stages.evaluate.table import write_table
from hfpl.stages.report.pictures import read_history
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.training.loop import history_csv

CLASSES = ("cat", "dog", "cow")
SPLITS = {"train": ["a", "b", "c"], "val": ["p", "q"]}
UNSCORED = "d"
"""A training image without a mask."""
PICTURES = (
    "contact-train.png", "contact-val.png", "threshold-curve.png", "classes.png", "training.png"
)  # fmt: skip


def draw_image(name):
    """An image and its mask, of a size of its own; ``c`` shows no object."""
    rng = np.random.default_rng(ord(name))
    height, width = (int(n) for n in rng.integers(20, 60, 2))
    mask = np.zeros((height, width), np.uint8)
    if name != "c":
        mask[5:15, 4:12] = 1 + ord(name) % 3
        mask[5] = np.where(mask[5] > 0, 255, 0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), mask


def write_images(root):
    for folder in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(CLASSES))
    lists = {"all": [*SPLITS["train"], UNSCORED], **SPLITS}
    for name, ids in lists.items():
        (root / "ImageSets/Segmentation" / f"{name}.txt").write_text("\n".join(ids))
    for name in [*lists["all"], *SPLITS["val"]]:
        image, mask = draw_image(name)
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), image)
        (root / "SegmentationClass" / f"{name}.png").write_bytes(encode_mask(mask))
        tags = [CLASSES[k - 1] for k in np.unique(mask) if 0 < k < 255]
        xml = annotation_xml(name, mask.shape, [(tag, 5, 6, 12, 15) for tag in tags])
        (root / "Annotations" / f"{name}.xml").write_text(xml)


def write_results(folder):
    """CAMs, label maps and predictions: the truth, made soft or moved."""
    with (
        write_shard(folder / "cams.zip", counts_from=0) as cams,
        write_shard(folder / "labels.zip") as labels,
        write_shard(folder / "predictions.zip") as predictions,
    ):
        for name in [*SPLITS["train"], UNSCORED, *SPLITS["val"]]:
            _, mask = draw_image(name)
            mask[mask == 255] = 0
            tags = sorted(set(np.unique(mask)) - {0})
            stack = [cv2.blur((mask == k).astype(np.float32), (5, 5)) for k in tags]
            cams.add_scores(name, [k - 1 for k in tags], np.reshape(stack, (-1, *mask.shape)))
            labels.add_mask(name, np.roll(mask, 2, 0))
            if name != UNSCORED:
                predictions.add_mask(name, np.roll(mask, 1, 1))


def write_scores(folder, root):
    truth = {"images": root}
    for split in SPLITS:
        truth[f"{split}_manifests"] = [folder / f"{split}.json"]
        truth[f"{split}_masks"] = [folder / f"{split}.masks.json"]
    params = validate_params(YAML(typ="safe", pure=True).load(preset_text("micro")))
    parts = [folder / "cam-scores.json"]
    cams = JOBS["evaluate_cams"].settings(params)
    evaluate_cams(cams, **truth, results=[folder / "cams.zip"], out=parts[0])
    for scored, shard in (("walk", "labels"), ("segment-crf", "predictions")):
        parts.append(folder / f"{scored}-scores.json")
        masks = JOBS["evaluate_masks"].settings(params)
        results = [folder / f"{shard}.zip"]
        evaluate_masks(masks, **truth, results=results, out=parts[-1], scored=scored)
    files = {"json": "table.json", "csv": "table.csv", "metrics": "m.json"}
    write_table(
        JOBS["evaluate_table"].settings(params),
        parts=parts,
        variant="seam",
        **{name: folder / file for name, file in files.items()},
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder of a finished run and, in ``out``, its pictures; read only."""
    folder = tmp_path_factory.mktemp("run")
    root = folder / "images"
    write_images(root)
    manifests = {split: [folder / f"{split}.json"] for split in SPLITS}
    masks = {split: [folder / f"{split}.masks.json"] for split in SPLITS}
    lists = {"training": "all", "train": "train", "val": "val"}
    write_index("animals", ImageRoot(root), lists, manifests)
    found = listed_masks(ImageRoot(root), lists, manifests)
    write_mask_manifests(ImageRoot(root), found, manifests, masks)
    write_results(folder)
    write_scores(folder, root)
    for stage in ("cam", "affinity", "segment"):
        rows = [{"step": k, "total": 3 / k, "term": 1 / k} for k in range(1, 9)]
        (folder / f"{stage}.csv").write_text(history_csv(rows))
    (folder / "params.yaml").write_text(preset_text("micro"), encoding="utf-8")
    assert report(folder) == 0
    return folder


@pytest.fixture
def run(drawn, tmp_path):
    """A copy of it to change."""
    return shutil.copytree(drawn, tmp_path / "run")


def report(folder, out="out", **changed):
    """Draw the run; ``changed`` are options that differ, None leaves one out."""
    options = {
        "params": folder / "params.yaml",
        "images": folder / "images",
        **{f"{split}-manifests": folder / f"{split}.json" for split in SPLITS},
        **{f"{split}-masks": folder / f"{split}.masks.json" for split in SPLITS},
        **{name: folder / f"{name}.zip" for name in ("cams", "labels", "predictions")},
        "cam-scores": folder / "cam-scores.json",
        "table": folder / "table.json",
        **{f"{s}-history": folder / f"{s}.csv" for s in ("cam", "affinity", "segment")},
        **{name.removesuffix(".png"): folder / out / name for name in PICTURES},
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    # As the rule does where no backbone is trained: the option without a value.
    arguments = ["report", "--pretrain-history"]
    for name, value in options.items():
        arguments += [f"--{name}", str(value)] if value is not None else []
    return main(arguments)


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def changed_pictures(drawn, folder):
    before, after = digests(drawn / "out"), digests(folder / "out")
    return {name for name in PICTURES if before[name] != after[name]}


def test_pictures_are_drawn_and_equal_to_the_byte(drawn, run, capsys):
    assert report(run) == 0
    assert capsys.readouterr().err.startswith("report: 5 pictures drawn")
    assert sorted(digests(run / "out")) == sorted(PICTURES)
    assert changed_pictures(drawn, run) == set()
    for name in PICTURES:
        with Image.open(run / "out" / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300
            assert not image.text


def test_a_trained_backbone_has_its_curve_too(drawn, run):
    assert report(run, pretrain_history=run / "cam.csv") == 0
    assert changed_pictures(drawn, run) == {"training.png"}


def test_the_variant_is_named(drawn, run):
    assert report(run, variant="seam") == 0
    assert changed_pictures(drawn, run) == set(PICTURES)


def test_the_number_of_images_is_a_parameter(drawn, run):
    text = preset_text("micro", ["report.images=100"])
    (run / "params.yaml").write_text(text, encoding="utf-8")
    assert report(run) == 0
    assert changed_pictures(drawn, run) == {"contact-train.png"}  # val has but two images
    few, many = (Image.open(folder / "out" / "contact-train.png") for folder in (drawn, run))
    assert many.height > few.height


def test_without_ground_truth_every_picture_is_drawn_all_the_same(drawn, run):
    (run / "table.json").write_text('{"rows": []}')
    (run / "cam-scores.json").write_text('{"rows": [], "curve": {"thresholds": [], "miou": {}}}')
    for split in SPLITS:
        (run / f"{split}.masks.json").write_text('{"masks": []}')
    assert report(run) == 0
    assert changed_pictures(drawn, run) == set(PICTURES) - {"training.png"}


def cut_row(folder):
    text = (folder / "table.json").read_text().replace('"walk"', '"wander"')
    (folder / "table.json").write_text(text)


def move_labels(folder):
    with write_shard(folder / "labels.zip") as labels:
        for name in [*SPLITS["train"], UNSCORED, *SPLITS["val"]]:
            labels.add_mask(name, draw_image(name)[1].T.copy())


def drop_labels(folder):
    with write_shard(folder / "labels.zip"):
        pass


def add_class(folder):
    with write_shard(folder / "cams.zip", counts_from=0) as cams:
        for name in [*SPLITS["train"], UNSCORED, *SPLITS["val"]]:
            shape = draw_image(name)[1].shape
            cams.add_scores(name, [3], np.zeros((1, *shape), np.float32))


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "table.json").unlink(), ["table.json", "no such file"]),
        (write("table.json", "{}"), ["table.json", "rows"]),
        (cut_row, ["table.json", "no row of stage walk"]),
        (write("cam-scores.json", '{"rows": []}'), ["cam-scores.json", "curve"]),
        (write("cam-scores.json", "[]"), ["cam-scores.json"]),
        (write("cams.zip", "no zip"), ["cams.zip", "not a shard"]),
        (move_labels, ["label map", "pixels", "its image"]),
        (drop_labels, ["no result for image"]),
        (add_class, ["more classes"]),
        (write("segment.csv", ""), ["segment.csv", "no history"]),
        (lambda folder: (folder / "cam.csv").unlink(), ["cam.csv", "no such file"]),
    ],
)
def test_bad_input_is_one_line(run, capsys, spoil, words):
    spoil(run)
    assert report(run) == 1
    message = capsys.readouterr().err
    assert message.startswith("hfpl report: error: ")
    assert message.count("\n") == 1
    for word in words:
        assert word in message


def test_without_any_history_the_message_says_what_to_give(run, capsys):
    without = {f"{stage}_history": None for stage in ("cam", "affinity", "segment")}
    assert report(run, **without) == 1
    assert "--cam-history" in capsys.readouterr().err


def test_history_columns_are_read_as_numbers(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("step,total,fsl\n1,2.5,-0.01\n2,1e-3,0\n")
    assert read_history(path) == {"step": [1, 2], "total": [2.5, 0.001], "fsl": [-0.01, 0]}


@pytest.mark.parametrize(
    "text",
    ["", "step,total\n", "step,loss\n1,2\n", "total\n1\n", "step,total\n1,x\n", "step,total\n1\n",
     "step,total\n1,2,3\n", "\x00\xff"],
)  # fmt: skip
def test_files_that_are_no_history(tmp_path, text):
    path = tmp_path / "h.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="h.csv: no history"):
        read_history(path)
