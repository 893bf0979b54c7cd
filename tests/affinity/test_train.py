"""Training of the affinity network: image and label stay together, and small trainings run."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from hfpl.images.normalise import IMAGENET
from hfpl.jobs.runtime import set_up
from hfpl.numerics import Runtime
from hfpl.params.load import resolve, validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.sections.training import ColourJitter
from hfpl.stages.affinity.params import AffinityAugmentation
from hfpl.stages.affinity.train import AffinitySamples, train_affinity
from hfpl.storage.manifest import ImageRecord, Manifest, read_manifests, write_manifest
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_tensors
from hfpl.training.samples import load_batches

STILL = ColourJitter(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
STRIDE, CROP = 4, 32
BACKBONE = SimpleNamespace(stride=STRIDE, statistics=IMAGENET)

# Kind of region → its colour, its scores [background, class 1, class 4] at the low and at the
# high background power, and the label that follows.
KINDS = {
    "background": ((0, 255, 0), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0), 0),
    "first": ((255, 0, 0), (0.0, 0.9, 0.1), (0.2, 0.7, 0.1), 1),
    "second": ((0, 0, 255), (0.1, 0.1, 0.8), (0.1, 0.3, 0.6), 2),
    "unsure": ((255, 255, 255), (0.8, 0.2, 0.0), (0.2, 0.8, 0.0), 255),
    "denied": ((255, 0, 255), (0.1, 0.9, 0.0), (0.9, 0.1, 0.0), 0),
    "outside": ((0, 0, 0), None, None, 255),
}


def write_case(folder, size, seed=0, name="image0"):
    """An image of regions in their colours, its scores, and its record."""
    rng = np.random.default_rng(seed)
    names = [n for n in KINDS if n != "outside"]
    # Regions of 9 pixels lie across the cells of 4.
    grid = rng.integers(0, len(names), (size[0] // 9 + 1, size[1] // 9 + 1))
    regions = grid.repeat(9, 0).repeat(9, 1)[: size[0], : size[1]]
    colours, low, high = (np.array([KINDS[n][i] for n in names]) for i in range(3))
    Image.fromarray(colours[regions].astype(np.uint8)).save(folder / f"{name}.png")
    scores = [table[regions].transpose(2, 0, 1).astype(np.float32) for table in (low, high)]
    record = ImageRecord(name, f"{name}.png", *size, (0, 3), "")
    return record, scores


def write_cases(folder, sizes):
    records = []
    with (
        write_shard(folder / "low.zip", counts_from=1) as low_shard,
        write_shard(folder / "high.zip", counts_from=1) as high_shard,
    ):
        for number, size in enumerate(sizes):
            record, (low, high) = write_case(folder, size, number, f"image{number}")
            low_shard.add_scores(record.id, [0, 1, 4], low)
            high_shard.add_scores(record.id, [0, 1, 4], high)
            records.append(record)
    write_manifest(
        folder / "train-0.json", Manifest("test", "train", tuple("abcd"), tuple(records))
    )
    return folder / "train-0.json"


def make_samples(folder, sizes, crop=CROP) -> AffinitySamples:
    manifest = read_manifests([write_cases(folder, sizes)])
    settings = AffinityAugmentation(crop=crop, jitter=STILL)
    files = [folder / "low.zip"], [folder / "high.zip"]
    return AffinitySamples(manifest, ImageRoot(folder), *files, BACKBONE, settings)


def colours(image: torch.Tensor) -> np.ndarray:
    values = image.numpy().transpose(1, 2, 0) * np.array(IMAGENET.std) + np.array(IMAGENET.mean)
    return np.rint(values * 255).astype(int)


@pytest.mark.parametrize("size", [(50, 70), (20, 25), (20, 70), (32, 32)])
def test_labels_lie_where_their_colours_do(tmp_path, size):
    samples = make_samples(tmp_path, [size])
    labels_of = {kind[0]: kind[3] for kind in KINDS.values()}
    met = set()
    for seed in range(30):
        image, label = samples.sample(0, np.random.default_rng(seed))
        assert image.shape == (3, CROP, CROP)
        assert image.dtype == torch.float32
        assert label.shape == (CROP // STRIDE, CROP // STRIDE)
        assert label.dtype == torch.uint8
        pixels = colours(image)
        for y, x in np.ndindex(*label.shape):
            cell = pixels[y * STRIDE : (y + 1) * STRIDE, x * STRIDE : (x + 1) * STRIDE]
            kinds = {tuple(colour) for colour in cell.reshape(-1, 3)}
            if len(kinds) == 1:
                colour = kinds.pop()
                assert label[y, x] == labels_of[colour], (seed, y, x, colour)
                met.add(colour)
    inside = {kind[0] for name, kind in KINDS.items() if name != "outside"}
    assert inside <= met
    assert ((0, 0, 0) in met) == (min(size) < CROP)


def test_image_and_label_are_mirrored_together(tmp_path):
    """With a crop of the whole image, a sample is one of two arrangements."""
    samples = make_samples(tmp_path, [(32, 32)])
    plain = np.asarray(Image.open(tmp_path / "image0.png")).astype(int)
    seen = {}
    for seed in range(20):
        image, label = samples.sample(0, np.random.default_rng(seed))
        mirrored = not np.array_equal(colours(image), plain)
        np.testing.assert_array_equal(colours(image), plain[:, ::-1] if mirrored else plain)
        seen.setdefault(mirrored, []).append(label)
    assert set(seen) == {False, True}
    for labels in seen.values():
        assert all(torch.equal(label, labels[0]) for label in labels)
    assert torch.equal(seen[True][0], seen[False][0].flip(1))


def test_padding_is_black_before_normalising(tmp_path):
    samples = make_samples(tmp_path, [(9, 9)])
    image, label = samples.sample(0, np.random.default_rng(0))
    black = torch.tensor(-np.array(IMAGENET.mean) / np.array(IMAGENET.std)).float()
    outside = (image - black[:, None, None]).abs().amax(0) < 1e-6
    assert outside.sum() == CROP * CROP - 81
    assert (label == 255).sum() >= 64 - 16


def test_an_untagged_image_is_all_background(tmp_path):
    record, _ = write_case(tmp_path, (32, 32))
    for name in ("low.zip", "high.zip"):
        with write_shard(tmp_path / name, counts_from=1) as shard:
            shard.add_scores(record.id, [0], np.ones((1, 32, 32), np.float32))
    manifest = Manifest("test", "train", tuple("abcd"), (record,))
    settings = AffinityAugmentation(crop=CROP, jitter=STILL)
    files = [tmp_path / "low.zip"], [tmp_path / "high.zip"]
    samples = AffinitySamples(manifest, ImageRoot(tmp_path), *files, BACKBONE, settings)
    assert (samples.sample(0, np.random.default_rng(0))[1] == 0).all()


def test_workers_that_share_a_shard_read_the_same_as_one(tmp_path):
    """Forked processes share an open file's position: each must open the shard itself."""
    sizes = [(120 + i, 130 - i) for i in range(12)]
    samples = make_samples(tmp_path, sizes, crop=128)
    samples.sample(0, np.random.default_rng(0))

    def load(workers):
        runtime = Runtime(torch.device("cpu"), workers)
        return list(load_batches(samples, 4, 0, 30, 0, runtime))

    alone = load(0)
    together = load(2)
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


def train(params, folder, out, *, seed=0, workers=0, **changes):
    affinity = params.affinity.model_copy(update={"epochs": 2, **changes})
    changed = resolve(params.model_copy(update={"affinity": affinity}), f"seam@seed={seed}")
    model, history = out / "model.safetensors", out / "history.csv"
    train_affinity(
        JOBS["affinity"].settings(changed),
        set_up("cpu", 1, workers),
        images=folder,
        manifests=[folder / "train-0.json"],
        low=[folder / "low.zip"],
        high=[folder / "high.zip"],
        weights=None,
        model=model,
        history=history,
        digest="digest",
    )
    return history.read_text().splitlines(), model.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_cases(folder, [(40, 60), (60, 40), (48, 48), (30, 30), (52, 44)])
    return folder


def test_training_writes_a_network_and_repeats_to_the_byte(params, folder, tmp_path):
    history, model = train(params, folder, tmp_path / "one")
    assert history[0] == "step,total"
    assert [line.split(",")[0] for line in history[1:]] == ["1", "2"]
    assert all(0 < float(line.split(",")[1]) < 20 for line in history[1:])
    tensors, _ = load_tensors(tmp_path / "one" / "model.safetensors")
    assert tensors["f9.weight"].shape[:2] == (16, 16)
    assert train(params, folder, tmp_path / "two", workers=1) == (history, model)
    assert train(params, folder, tmp_path / "other", seed=1)[1] != model


def test_a_radius_larger_than_the_map_is_the_largest_that_fits(params, folder, tmp_path):
    augmentation = AffinityAugmentation(crop=16, jitter=STILL)
    # The map is 4 by 4 cells: radius 2 fits, larger ones are cut to it.
    runs = [
        train(params, folder, tmp_path / str(r), radius=r, augmentation=augmentation)
        for r in (2, 5)
    ]
    assert runs[0] == runs[1]


def test_a_crop_that_is_no_multiple_of_the_stride_is_named(params, folder, tmp_path):
    augmentation = AffinityAugmentation(crop=46, jitter=STILL)
    with pytest.raises(ValueError, match=r"affinity\.augmentation\.crop"):
        train(params, folder, tmp_path, augmentation=augmentation)


def test_scores_that_are_missing_are_named(params, folder, tmp_path):
    with write_shard(tmp_path / "low.zip", counts_from=1) as shard:
        shard.add_scores("another", [0], np.ones((1, 4, 4), np.float32))
    records = read_manifests([folder / "train-0.json"])
    settings = AffinityAugmentation(crop=CROP, jitter=STILL)
    files = [tmp_path / "low.zip"], [folder / "high.zip"]
    samples = AffinitySamples(records, ImageRoot(folder), *files, BACKBONE, settings)
    with pytest.raises(ValueError, match="no result for image 'image0'"):
        samples.sample(0, np.random.default_rng(0))
