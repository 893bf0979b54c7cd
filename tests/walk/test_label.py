"""Label maps of a random walk against a plain dense walk over the network's own features."""

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import nn

from hfpl.images.normalise import IMAGENET
from hfpl.images.palette import class_table
from hfpl.jobs.runtime import set_up
from hfpl.networks.affinity import AffinityNetwork
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.stages.walk.label import label_shard, load_affinity_network, walked_label
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import Shard, write_shard
from hfpl.storage.tensors import save_network

STRIDE = 4
SIZES = [(40, 48), (37, 45), (12, 9), (41, 33), (30, 30)]
TAGS = [(0,), (1, 2), (2,), (), (0, 1, 2)]


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def runtime():
    return set_up("cpu", 1, 0)


@pytest.fixture(scope="module")
def network(params) -> AffinityNetwork:
    """Random weights, batch statistics included, whose affinities are neither all 0 nor 1."""
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = AffinityNetwork(backbone, tuple(params.affinity.channels))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    assert backbone.stride == STRIDE
    return network.eval()


def smooth(size: tuple[int, int], seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))


def smooth_cams(count: int, size: tuple[int, int], seed: int) -> np.ndarray:
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(small, size, mode="bilinear")[0, :count].numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    """Images, their CAMs in one shard, and the network's file."""
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        Image.fromarray(smooth(size, number)).save(folder / f"image{number}.png")
    save_network(folder / "model.safetensors", network)
    return folder


def write_part(folder, numbers, name: str):
    """Manifest and CAMs of some of the images."""
    records = tuple(
        ImageRecord(f"image{i}", f"image{i}.png", *SIZES[i], TAGS[i], "") for i in numbers
    )
    manifest, cams = folder / f"{name}.json", folder / f"{name}.cams.zip"
    write_manifest(manifest, Manifest("test", "train", ("a", "b", "c"), records))
    with write_shard(cams, counts_from=0) as shard:
        for i in numbers:
            shard.add_scores(f"image{i}", TAGS[i], smooth_cams(len(TAGS[i]), SIZES[i], i))
    return manifest, cams


def plain_affinity(features: np.ndarray, radius: int) -> np.ndarray:
    """Dense matrix by loops over positions and their half-plane neighbours."""
    _, height, width = features.shape
    radius = min(radius, height, (width + 1) // 2)
    matrix = np.eye(height * width)
    for y in range(height - (radius - 1)):
        for x in range(radius - 1, width - (radius - 1)):
            for dy in range(radius):
                for dx in range(1 - radius if dy else 1, radius):
                    if dx**2 + dy**2 < radius**2:
                        i, j = y * width + x, (y + dy) * width + x + dx
                        distance = np.abs(features[:, y, x] - features[:, y + dy, x + dx]).mean()
                        matrix[i, j] = matrix[j, i] = np.exp(-distance)
    return matrix


def plain_scores(network, pixels, cams, settings, radius) -> np.ndarray:
    """Walked scores at the padded size, by dense squarings in float64."""
    height, width = pixels.shape[:2]
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    normal = (pixels / 255.0 - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
    padded = np.zeros((rows * STRIDE, columns * STRIDE, 3))
    padded[:height, :width] = normal
    with torch.no_grad():
        features = network(torch.from_numpy(padded.transpose(2, 0, 1)).float()[None])[0]
    walk = plain_affinity(features.double().numpy(), radius) ** settings.beta
    walk /= walk.sum(0)
    for _ in range(settings.log_steps):
        walk = walk @ walk
    scores = np.zeros((len(cams) + 1, rows * STRIDE, columns * STRIDE))
    scores[1:, :height, :width] = cams
    scores[0, :height, :width] = (1 - cams.max(0)) ** settings.background_power
    pooled = scores.reshape(len(scores), rows, STRIDE, columns, STRIDE).mean((2, 4))
    walked = (pooled.reshape(len(scores), -1) @ walk).reshape(len(scores), rows, columns)
    return nn.functional.interpolate(
        torch.from_numpy(walked)[None],
        (rows * STRIDE, columns * STRIDE),
        mode="bilinear",
        align_corners=False,
    )[0].numpy()[:, :height, :width]


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_labels_match_a_plain_dense_walk(params, network, runtime, number):
    pixels = smooth(SIZES[number], number)
    cams = smooth_cams(len(TAGS[number]), SIZES[number], number)
    settings = params.walk.model_copy(update={"background_power": 2.0})
    found = walked_label(network, pixels, cams, list(TAGS[number]), settings, 3, runtime)
    scores = plain_scores(network, pixels, cams, settings, 3)
    names = np.array([0, *(k + 1 for k in TAGS[number])])
    expected = names[scores.argmax(0)]
    # Where two classes come close, rounding decides.
    best = np.sort(scores, 0)
    clear = best[-1] - best[-2] > 1e-4 * best[-1]
    assert clear.mean() > 0.98
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_the_walk_changes_the_labels(params, network, runtime):
    """The test above would not mean much if the walk left everything where it was."""
    pixels, cams = smooth(SIZES[1], 1), smooth_cams(2, SIZES[1], 1)
    labels = [
        walked_label(
            network,
            pixels,
            cams,
            [1, 2],
            params.walk.model_copy(update={"background_power": 2.0, "log_steps": steps}),
            3,
            runtime,
        )
        for steps in (0, 5)
    ]
    assert (labels[0] != labels[1]).mean() > 0.02
    assert all(len(np.unique(label)) > 1 for label in labels)


def label(params, folder, numbers, name, out, runtime) -> dict[str, bytes]:
    manifest, cams = write_part(folder, numbers, name)
    done = label_shard(
        JOBS["walk"].settings(params),
        runtime,
        images=folder,
        manifest=manifest,
        cams=cams,
        model=folder / "model.safetensors",
        labels=out,
    )
    assert done == f"{len(numbers)} images of {name}"
    shard = Shard(out)
    return {name: shard.member(name) for name in shard.member_names()}


def test_every_image_has_a_label_map_of_its_size(params, folder, runtime, tmp_path):
    label(params, folder, range(5), "all", tmp_path / "all.zip", runtime)
    shard = Shard(tmp_path / "all.zip")
    for number, (size, tags) in enumerate(zip(SIZES, TAGS, strict=True)):
        mask = shard.mask(f"image{number}")
        assert mask.shape == size
        assert set(np.unique(mask)) <= {0, *(k + 1 for k in tags)}
    assert shard.class_table() == class_table(("a", "b", "c")).encode()
    # An image without tags is background throughout.
    assert (shard.mask("image3") == 0).all()


def test_results_do_not_depend_on_the_sharding(params, folder, runtime, tmp_path):
    whole = label(params, folder, range(5), "all", tmp_path / "all.zip", runtime)
    one = label(params, folder, [4, 0], "one", tmp_path / "one.zip", runtime)
    two = label(params, folder, [3, 1, 2], "two", tmp_path / "two.zip", runtime)
    assert one | two == whole


def test_a_model_of_another_network_is_named(params, folder, runtime):
    other = params.affinity.model_copy(update={"channels": [4, 4, 9]})
    settings = JOBS["walk"].settings(params.model_copy(update={"affinity": other}))
    with pytest.raises(ValueError, match=r"model\.safetensors: tensor 'f8_5\.weight' has shape"):
        load_affinity_network(settings, folder / "model.safetensors", runtime)


def test_cams_of_another_image_are_named(params, folder, runtime, tmp_path):
    manifest, _ = write_part(folder, [0], "zero")
    _, cams = write_part(folder, [1], "other")
    with pytest.raises(ValueError, match=r"other\.cams\.zip: no result for image 'image0'"):
        label_shard(
            JOBS["walk"].settings(params),
            runtime,
            images=folder,
            manifest=manifest,
            cams=cams,
            model=folder / "model.safetensors",
            labels=tmp_path / "out.zip",
        )
    assert not list(tmp_path.iterdir())
