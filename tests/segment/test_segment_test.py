"""The segmentation network's test: several scales, mirror images, and the CRF after them."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import nn

from hfpl.images.normalise import IMAGENET
from hfpl.images.palette import class_table
from hfpl.jobs.runtime import set_up
from hfpl.networks.deeplab import DeepLab
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.refiners.crf import DenseCrf
from hfpl.stages.segment.test import class_probabilities, load_deeplab, segment_shard
from hfpl.stages.segment.train import build_deeplab
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.shards import Shard
from hfpl.storage.tensors import save_network

CLASSES = ("a", "b", "c")
SIZES = [(48, 40), (33, 51), (20, 24), (45, 30)]


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def runtime():
    return set_up("cpu", 1, 0)


@pytest.fixture(scope="module")
def network(params) -> DeepLab:
    """Random weights, batch statistics included, and logits that differ by class."""
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = build_deeplab(backbone, len(CLASSES), params.segment.head)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        small = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)
        image.save(folder / f"image{number}.png")
    save_network(folder / "model.safetensors", network)
    return folder


def pixels_of(folder, number: int) -> np.ndarray:
    return np.asarray(Image.open(folder / f"image{number}.png"))


def plain_probabilities(network, pixels: np.ndarray, scales) -> np.ndarray:
    """One forward pass for each scale and mirror image; the mean logits' softmax by numpy."""
    height, width = pixels.shape[:2]
    logits = []
    for scale in scales:
        size = (int(np.rint(width * scale)), int(np.rint(height * scale)))
        resized = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC) / 255.0
        normal = (resized - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
        for mirrored in (False, True):
            view = normal[:, ::-1] if mirrored else normal
            with torch.no_grad():
                found = network(torch.from_numpy(view.transpose(2, 0, 1).copy()).float()[None])
            whole = nn.functional.interpolate(
                found, (height, width), mode="bilinear", align_corners=True
            )[0].double()
            logits.append((whole.flip(2) if mirrored else whole).numpy())
    mean = np.mean(logits, axis=0)
    powers = np.exp(mean - mean.max(0))
    return powers / powers.sum(0)


def members(path):
    shard = Shard(path)
    return {name: shard.member(name) for name in shard.member_names()}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("scales", [[1.0], [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]])
def test_probabilities_match_a_plain_pass_per_scale_and_mirror_image(
    network, folder, runtime, number, scales
):
    pixels = pixels_of(folder, number)
    found = class_probabilities(network, pixels, scales, runtime)
    assert found.dtype == np.float32
    assert found.shape == (4, *SIZES[number])
    expected = plain_probabilities(network, pixels, scales)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.max() - expected.min() > 0.2


def test_a_mirrored_image_has_mirrored_probabilities(network, folder, runtime):
    pixels = pixels_of(folder, 1)
    one = class_probabilities(network, pixels, [1.0], runtime)
    other = class_probabilities(network, np.ascontiguousarray(pixels[:, ::-1]), [1.0], runtime)
    np.testing.assert_allclose(one, other[:, :, ::-1], atol=1e-5)


def test_the_image_is_not_changed(network, folder, runtime):
    pixels = pixels_of(folder, 2).copy()
    before = pixels.copy()
    class_probabilities(network, pixels, [1.0, 1.5], runtime)
    np.testing.assert_array_equal(pixels, before)


def write_part(folder, numbers, scored, name: str):
    records = tuple(ImageRecord(f"image{i}", f"image{i}.png", *SIZES[i], (), "") for i in numbers)
    manifest, masks = folder / f"{name}.json", folder / f"{name}.masks.json"
    write_manifest(manifest, Manifest("test", "val", CLASSES, records))
    write_masks(masks, [MaskRecord(f"image{i}", f"image{i}.png", "") for i in scored])
    return manifest, masks


def segment(params, folder, numbers, scored, name, out, runtime):
    manifest, masks = write_part(folder, numbers, scored or (), name)
    if scored is None:
        masks, scored = None, numbers
    files = [out / f"{name}.{kind}.zip" for kind in ("plain", "refined")]
    done = segment_shard(
        JOBS["segment_test"].settings(params),
        runtime,
        images=folder,
        manifest=manifest,
        masks=masks,
        network=folder / "model.safetensors",
        plain=files[0],
        refined=files[1],
    )
    assert done == f"{len(scored)} images of {name}"
    return files


def test_only_scored_images_are_segmented_with_and_without_the_crf(
    params, network, folder, runtime, tmp_path
):
    plain, refined = map(
        Shard, segment(params, folder, range(4), [0, 2, 3], "all", tmp_path, runtime)
    )
    assert plain.ids == refined.ids == ["image0", "image2", "image3"]
    assert plain.class_table() == refined.class_table() == class_table(CLASSES).encode()
    settings = params.segment.test
    changed = 0
    for number in (0, 2, 3):
        pixels = pixels_of(folder, number)
        scores = class_probabilities(network, pixels, settings.scales, runtime)
        np.testing.assert_array_equal(plain.mask(f"image{number}"), scores.argmax(0))
        (final,) = DenseCrf(settings.crf).refine(pixels, [scores])
        np.testing.assert_array_equal(refined.mask(f"image{number}"), final.argmax(0))
        changed += (scores.argmax(0) != final.argmax(0)).sum()
    assert changed > 0


def test_without_a_list_of_masks_every_image_is_segmented(params, folder, runtime, tmp_path):
    some = segment(params, folder, range(4), range(4), "some", tmp_path, runtime)
    every = segment(params, folder, range(4), None, "every", tmp_path, runtime)
    for one, other in zip(some, every, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_results_do_not_depend_on_the_sharding(params, folder, runtime, tmp_path):
    whole = segment(params, folder, range(4), range(4), "all", tmp_path, runtime)
    one = segment(params, folder, [3, 0], [3, 0], "one", tmp_path, runtime)
    two = segment(params, folder, [1, 2], [1, 2], "two", tmp_path, runtime)
    for file, *parts in zip(whole, one, two, strict=True):
        together = {k: v for part in parts for k, v in members(part).items()}
        assert members(file) == together


def test_a_model_of_other_classes_is_named(params, folder, runtime):
    settings = JOBS["segment_test"].settings(params)
    with pytest.raises(ValueError, match=r"model\.safetensors: tensor 'cls_conv\.bias' has shape"):
        load_deeplab(settings, 7, folder / "model.safetensors", runtime)
