"""Training of the segmentation network: image and label map stay together; small trainings run."""

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
from hfpl.stages.segment.model import load_model, write_model
from hfpl.stages.segment.params import SegmentAugmentation
from hfpl.stages.segment.train import SegmentSamples, build_deeplab, labels_of, train_segment
from hfpl.storage.manifest import ImageRecord, Manifest, read_manifests, write_manifest
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_tensors
from hfpl.training.samples import load_batches

CROP = 40
# Label → colour; far apart, so that a resampled pixel's nearest colour is its own.
COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])


def write_cases(folder, sizes, region=12):
    """Images whose colours say the label, and the label maps; the manifest's path."""
    records = []
    with write_shard(folder / "labels.zip") as shard:
        for number, size in enumerate(sizes):
            rng = np.random.default_rng(number)
            grid = rng.integers(0, len(COLOURS), (size[0] // region + 1, size[1] // region + 1))
            mask = grid.repeat(region, 0).repeat(region, 1)[: size[0], : size[1]].astype(np.uint8)
            name = f"image{number}"
            Image.fromarray(COLOURS[mask].astype(np.uint8)).save(folder / f"{name}.png")
            shard.add_mask(name, mask)
            records.append(ImageRecord(name, f"{name}.png", *size, (0, 1, 2, 3), ""))
    manifest = folder / "train-0.json"
    write_manifest(manifest, Manifest("test", "train", tuple("abcd"), tuple(records)))
    return manifest


def samples_of(manifest, labels, settings) -> SegmentSamples:
    root = ImageRoot(labels.parent)
    return SegmentSamples(manifest.images, root, labels_of([labels]), settings, IMAGENET)


def make_samples(folder, sizes, scale=(1.0, 1.0), hsv=0, crop=CROP, region=12) -> SegmentSamples:
    manifest = read_manifests([write_cases(folder, sizes, region)])
    settings = SegmentAugmentation(crop=crop, scale=list(scale), hsv=hsv)
    return samples_of(manifest, folder / "labels.zip", settings)


def colours(image: torch.Tensor) -> np.ndarray:
    values = image.numpy().transpose(1, 2, 0) * np.array(IMAGENET.std) + np.array(IMAGENET.mean)
    return np.rint(values * 255).astype(int)


def inner(mask: np.ndarray, reach: int) -> np.ndarray:
    """Where all labels within a reach are the same, the border of the map left out."""
    out = np.zeros(mask.shape, bool)
    for y in range(reach, mask.shape[0] - reach):
        for x in range(reach, mask.shape[1] - reach):
            window = mask[y - reach : y + reach + 1, x - reach : x + reach + 1]
            out[y, x] = (window == mask[y, x]).all()
    return out


@pytest.mark.parametrize("size", [(60, 50), (20, 25), (20, 70), (40, 40)])
def test_every_pixel_keeps_its_label(tmp_path, size):
    samples = make_samples(tmp_path, [size])
    padded = 0
    for seed in range(20):
        image, mask = samples.sample(0, np.random.default_rng(seed))
        assert image.shape == (3, CROP, CROP)
        assert image.dtype == torch.float32
        assert mask.shape == (CROP, CROP)
        assert mask.dtype == torch.uint8
        outside = (mask == 255).numpy()
        # What lies outside is zero after normalising, and ignored.
        assert (image[:, outside] == 0).all()
        np.testing.assert_array_equal(colours(image)[~outside], COLOURS[mask[~outside]])
        assert outside.sum() == CROP**2 - min(size[0], CROP) * min(size[1], CROP)
        padded += outside.sum()
    assert (padded > 0) == (min(size) < CROP)


@pytest.mark.parametrize("scale", [0.5, 0.77, 1.5])
def test_labels_follow_the_image_at_other_scales(tmp_path, scale):
    samples = make_samples(tmp_path, [(60, 72)], scale=(scale, scale), region=20)
    compared = 0
    for seed in range(6):
        image, mask = samples.sample(0, np.random.default_rng(seed))
        mask = mask.numpy()
        # Cubic resampling reaches two pixels of the larger grid beyond an edge.
        clear = inner(mask, 3) & (mask != 255)
        np.testing.assert_array_equal(colours(image)[clear], COLOURS[mask[clear]])
        compared += clear.sum()
    assert compared > 100


def test_image_and_labels_are_mirrored_together(tmp_path):
    samples = make_samples(tmp_path, [(CROP, CROP)])
    plain = np.asarray(Image.open(tmp_path / "image0.png")).astype(int)
    mirrored = [
        not np.array_equal(colours(samples.sample(0, np.random.default_rng(seed))[0]), plain)
        for seed in range(20)
    ]
    assert set(mirrored) == {False, True}


def test_scales_fill_their_range(tmp_path):
    samples = make_samples(tmp_path, [(20, 20)], scale=(0.5, 1.5))
    sides = set()
    for seed in range(150):
        _, mask = samples.sample(0, np.random.default_rng(seed))
        inside = mask != 255
        sides.add((int(inside.any(1).sum()), int(inside.any(0).sum())))
    assert all(height == width for height, width in sides)
    assert {height for height, _ in sides} == set(range(10, 31))


def test_colours_shift_and_labels_do_not(tmp_path):
    samples = make_samples(tmp_path, [(CROP, CROP)], hsv=10)
    differences = []
    for seed in range(10):
        image, mask = samples.sample(0, np.random.default_rng(seed))
        differences.append(np.abs(colours(image) - COLOURS[mask]).max())
    # Ten steps of value are ten grey levels; ten of hue's 180 a third of a channel's 255.
    assert max(differences) <= 255 / 3 + 10 + 10
    assert len(set(differences)) > 3


def test_workers_that_share_a_shard_read_the_same_as_one(tmp_path):
    """Forked processes share an open file's position: each must open the shard itself."""
    samples = make_samples(tmp_path, [(120 + i, 130 - i) for i in range(12)], crop=128)
    samples.sample(0, np.random.default_rng(0))

    def load(workers):
        runtime = Runtime(torch.device("cpu"), workers)
        return list(load_batches(samples, 4, 0, 60, 0, runtime))

    for one, other in zip(load(0), load(2), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_cases(folder, [(40, 60), (60, 40), (48, 48), (30, 30), (52, 44)])
    return folder


def train(params, folder, out, *, seed=0, workers=0, weights=None):
    segment = params.segment.model_copy(update={"iterations": 4})
    changed = resolve(params.model_copy(update={"segment": segment}), f"seam@seed={seed}")
    network, history = out / "network.safetensors", out / "history.csv"
    train_segment(
        JOBS["segment_train"].settings(changed),
        set_up("cpu", 1, workers),
        images=folder,
        manifests=[folder / "train-0.json"],
        labels=[folder / "labels.zip"],
        weights=weights,
        network=network,
        history=history,
        digest="digest",
    )
    return history.read_text().splitlines(), network.read_bytes()


def test_training_writes_a_network_and_repeats_to_the_byte(params, folder, tmp_path):
    history, model = train(params, folder, tmp_path / "one")
    assert history[0] == "step,total"
    assert [line.split(",")[0] for line in history[1:]] == ["1", "2", "3", "4"]
    assert train(params, folder, tmp_path / "two", workers=1) == (history, model)
    assert train(params, folder, tmp_path / "other", seed=1)[1] != model


def test_the_heads_affine_parameters_stay_and_its_statistics_move(params, folder, tmp_path):
    train(params, folder, tmp_path)
    tensors, _ = load_tensors(tmp_path / "network.safetensors")
    for layer in ("bn_fov", "bn_fov2"):
        assert (tensors[f"{layer}.weight"] == 1).all()
        assert (tensors[f"{layer}.bias"] == 0).all()
        assert (tensors[f"{layer}.running_mean"] != 0).any()
        assert tensors[f"{layer}.num_batches_tracked"] == 4
    # Four foreground classes and background.
    assert tensors["cls_conv.weight"].shape[0] == 5


def test_the_head_is_built_as_its_section_says(params):
    backbone = torch.nn.Identity()
    backbone.channels, backbone.fixed_norms = {"conv3": 2, "conv6": 6}, list
    values = {"channels": 7, "dilation": 3, "dropout": 0.2, "bn_momentum": 0.05, "skip": 3}
    head = params.segment.head.model_copy(update=values)
    joined = build_deeplab(backbone, 4, head)
    assert joined.skip.conv_coarse.weight.shape == (3, 7, 1, 1)
    assert joined.skip.conv_fine.weight.shape == (3, 2, 1, 1)
    assert joined.skip.bn.momentum == joined.skip.bn_joined.momentum == 0.05
    assert joined.cls_conv.weight.shape == (5, 3, 1, 1)
    network = build_deeplab(backbone, 4, head.model_copy(update={"skip": 0}))
    assert network.conv_fov.weight.shape == (7, 6, 3, 3)
    assert network.conv_fov.dilation == network.conv_fov.padding == (3, 3)
    assert network.cls_conv.weight.shape == (5, 7, 1, 1)
    assert network.dropout.p == 0.2
    assert network.bn_fov.momentum == network.bn_fov2.momentum == 0.05


def test_a_label_map_of_another_size_is_named(tmp_path):
    samples = make_samples(tmp_path, [(60, 50)])
    with write_shard(tmp_path / "other.zip") as shard:
        shard.add_mask("image0", np.zeros((50, 60), np.uint8))
    manifest = read_manifests([tmp_path / "train-0.json"])
    other = samples_of(manifest, tmp_path / "other.zip", samples.settings)
    with pytest.raises(ValueError, match="image0"):
        other.sample(0, np.random.default_rng(0))


def test_the_model_says_all_that_labelling_takes(params, folder, tmp_path):
    train(params, folder, tmp_path)
    done = write_model(
        JOBS["segment_model"].settings(params),
        manifests=[folder / "train-0.json"],
        network=tmp_path / "network.safetensors",
        model=tmp_path / "model.safetensors",
    )
    assert done == "4 classes"
    model = load_model(tmp_path / "model.safetensors", set_up("cpu", 1))
    assert model.classes == ["a", "b", "c", "d"]
    assert model.test == params.segment.test
    assert model.long_side == 60
    tensors, _ = load_tensors(tmp_path / "network.safetensors")
    state = model.network.state_dict()
    assert state.keys() == tensors.keys()
    assert all(torch.equal(state[name], tensors[name]) for name in tensors)
    assert not model.network.training


def test_a_training_starts_from_a_network_of_its_stage(params, folder, tmp_path):
    _, first = train(params, folder, tmp_path / "one")
    start = tmp_path / "one" / "network.safetensors"
    chosen = params.segment.model_copy(update={"weights": str(start)})
    changed = params.model_copy(update={"segment": chosen})
    history, second = train(changed, folder, tmp_path / "two", weights=start)
    assert second != first
    tensors, _ = load_tensors(tmp_path / "two" / "network.safetensors")
    # Its head goes on where the first training's ended, after as many steps again.
    assert tensors["bn_fov.num_batches_tracked"] == 8
    shared, _ = train(params, folder, tmp_path / "three", weights=start)
    tensors, _ = load_tensors(tmp_path / "three" / "network.safetensors")
    assert tensors["bn_fov.num_batches_tracked"] == 4
    assert shared != history
