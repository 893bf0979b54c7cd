"""What a job keeps in memory of each image of its set: names, places and classes, never pixels."""

import gc
import tracemalloc
import zipfile

import numpy as np
import pytest

from hfpl.affinity.train import AffinitySamples
from hfpl.cam.train import CamSamples
from hfpl.evaluate.score import read_split
from hfpl.images.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    read_manifests,
    write_manifest,
    write_masks,
)
from hfpl.images.reading import ImageRoot
from hfpl.params import load_params
from hfpl.segment.train import SegmentSamples
from hfpl.storage.shards import Shard, Shards, write_shard

FEW, MANY = 1000, 2000
LIMIT = 1024
"""Bytes per image."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data sets in VOC's layout, and results, of two sizes: nothing is read of the pictures."""
    folders = {}
    for count in (FEW, MANY):
        folder = folders[count] = tmp_path_factory.mktemp(f"images{count}")
        names = [f"2007_{number:06d}" for number in range(count)]
        with zipfile.ZipFile(folder / "images.zip", "w") as archive:
            for name in names:
                archive.writestr(f"JPEGImages/{name}.jpg", b"jpeg")
                archive.writestr(f"SegmentationClass/{name}.png", b"png")
                archive.writestr(f"Annotations/{name}.xml", b"xml")
        records = tuple(
            ImageRecord(n, f"JPEGImages/{n}.jpg", 375, 500, (k % 20, 20), f"{k:064x}")
            for k, n in enumerate(names)
        )
        classes = tuple(map(str, range(21)))
        write_manifest(folder / "train.json", Manifest("voc", "train", classes, records))
        masks = [MaskRecord(n, f"SegmentationClass/{n}.png", f"{k:064x}")
                 for k, n in enumerate(names)]  # fmt: skip
        write_masks(folder / "masks.json", masks)
        for kind in ("low", "high"):
            with write_shard(folder / f"{kind}.zip") as shard:
                for record in records:
                    shard.add_scores(record.id, record.tags, np.zeros((2, 1, 1), np.float32))
        with write_shard(folder / "labels.zip") as shard:
            for record in records:
                shard.add_mask(record.id, np.zeros((1, 1), np.uint8))
    return folders


def cam(folder):
    settings = load_params("params.yaml").cam.augmentation
    samples = CamSamples(read_manifests([folder / "train.json"]), root(folder), settings)
    assert not samples.root.exists("nothing")
    return samples


def affinity(folder):
    settings = load_params("params.yaml").affinity.augmentation
    low, high = [folder / "low.zip"], [folder / "high.zip"]
    manifest = read_manifests([folder / "train.json"])
    return AffinitySamples(manifest, root(folder), low, high, 4, settings)


def segment(folder):
    settings = load_params("params.yaml").segment.augmentation
    manifest = read_manifests([folder / "train.json"])
    return SegmentSamples(manifest, root(folder), [folder / "labels.zip"], settings)


def evaluate(folder):
    split = read_split([folder / "train.json"], [folder / "masks.json"], root(folder))
    return split, Shards([folder / "low.zip"])


def shard(folder):
    """Of the stages that read a shard: cam infer, pseudo, walk, segment test."""
    return read_manifests([folder / "train.json"]), root(folder), Shard(folder / "low.zip")


def root(folder) -> ImageRoot:
    opened = ImageRoot(folder / "images.zip")
    assert opened.exists("Annotations/2007_000000.xml")
    return opened


@pytest.mark.parametrize("stage", [cam, affinity, segment, evaluate, shard])
def test_at_most_a_kilobyte_stays_per_image(data, stage):
    stage(data[FEW])  # what is made once, such as imported modules, is no memory of images
    kept = {count: bytes_kept(lambda folder=data[count]: stage(folder)) for count in (FEW, MANY)}
    assert 0 < (kept[MANY] - kept[FEW]) / (MANY - FEW) <= LIMIT


def bytes_kept(make) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        gc.collect()
        assert made is not None
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
