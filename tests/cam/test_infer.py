"""CAM inference against one plain pass per scale and mirror image, and its independence."""

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import nn

from hfpl.images.normalise import IMAGENET
from hfpl.jobs.runtime import set_up
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.interface import MethodNetwork
from hfpl.stages.cam.infer import image_cams, infer_cams, load_cam_network
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import Shard
from hfpl.storage.tensors import save_network
from tests.plain.cam_inference import plain_cams, random_network

CLASSES = ("a", "b", "c")
SIZES = [(48, 40), (33, 51), (20, 20), (61, 30), (48, 40)]
TAGS = [(0,), (0, 2), (), (0, 1, 2), (1,)]


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def runtime():
    return set_up("cpu", 1, 0)


@pytest.fixture(scope="module")
def network() -> MethodNetwork:
    return random_network(len(CLASSES), "micro")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    """Images of several sizes as PNGs, and the network's file."""
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        smooth = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(smooth).resize(size[::-1], Image.Resampling.BICUBIC)
        image.save(folder / f"image{number}.png")
    save_network(folder / "model.safetensors", network)
    return folder


def settings_of(params):
    return JOBS["cam_infer"].settings(params.of_variant("seam"))


def write_part(folder, numbers, name: str):
    """Manifest of some of the images."""
    records = tuple(
        ImageRecord(f"image{i}", f"image{i}.png", *SIZES[i], TAGS[i], "") for i in numbers
    )
    path = folder / name
    write_manifest(path, Manifest("test", "train", CLASSES, records))
    return path


def infer(params, folder, numbers, out, runtime) -> dict[str, bytes]:
    """PNG of each image that has one."""
    manifest = write_part(folder, numbers, f"{out.stem}.json")
    done = infer_cams(
        settings_of(params),
        runtime,
        images=folder,
        manifest=manifest,
        model=folder / "model.safetensors",
        cams=out,
    )
    assert done == f"{len(numbers)} images of {out.stem}"
    shard = Shard(out)
    return {name: shard.member(name) for name in shard.member_names()}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("scales", [[1.0], [0.5, 1.0, 1.5, 2.0]])
def test_cams_match_a_plain_pass_per_scale_and_mirror_image(
    network, folder, runtime, number, scales
):
    image = Image.open(folder / f"image{number}.png")
    found = image_cams(network, image, TAGS[number], scales, runtime)
    expected = plain_cams(network, image, TAGS[number], scales)
    assert found.dtype == np.float32
    assert found.shape == (len(TAGS[number]), *SIZES[number])
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert found.max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("scales", [[1.0], [1.0, 0.5, 1.5, 2.0]])
def test_a_method_s_cams_are_scaled_as_the_method_does_it(params, folder, runtime, scales):
    """The classification network: positive scores, summed, divided by their maximum."""
    torch.manual_seed(1)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = build_method("cam", backbone, len(CLASSES), {}).eval()
    image, tags = Image.open(folder / "image1.png"), TAGS[1]
    total = np.zeros((len(tags), image.height, image.width))
    for scale in scales:
        size = (round(image.width * scale), round(image.height * scale))
        resized = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32) / 255
        normal = ((resized - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)).transpose(2, 0, 1)
        for flipped in (False, True):
            view = normal[:, :, ::-1] if flipped else normal
            with torch.no_grad():
                features = backbone(torch.from_numpy(view.copy()).float()[None])["conv6"][0]
            weights = network.classifier.weight.detach()[:, :, 0, 0]
            scores = torch.einsum("kd,dhw->khw", weights, features).clamp(min=0)
            whole = nn.functional.interpolate(
                scores[None], (image.height, image.width), mode="bilinear", align_corners=False
            )[0, list(tags)].numpy()
            total += whole[:, :, ::-1] if flipped else whole
    expected = np.stack([plane / (plane.max() + 1e-5) for plane in total])
    found = image_cams(network, image, tags, scales, runtime)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert found.max() > 0.9


def test_each_class_keeps_its_own_map_in_the_order_of_the_tags(network, folder, runtime):
    image = Image.open(folder / "image3.png")
    all_classes = image_cams(network, image, (0, 1, 2), [1.0], runtime)
    for row, k in enumerate((0, 1, 2)):
        alone = image_cams(network, image, (k,), [1.0], runtime)
        np.testing.assert_allclose(all_classes[row], alone[0], atol=1e-5)
    pair = image_cams(network, image, (0, 2), [1.0], runtime)
    np.testing.assert_allclose(pair, all_classes[[0, 2]], atol=1e-5)
    assert np.abs(all_classes[0] - all_classes[1]).max() > 0.1


def test_a_mirrored_image_has_mirrored_cams(network, folder, runtime):
    image = Image.open(folder / "image1.png")
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # At scale 1, where resizing cannot break the symmetry.
    one, other = (image_cams(network, i, (0, 2), [1.0], runtime) for i in (image, mirrored))
    np.testing.assert_allclose(one, other[:, :, ::-1], atol=1e-5)


def test_a_shard_holds_every_image_also_untagged_ones(params, network, folder, runtime, tmp_path):
    infer(params, folder, range(5), tmp_path / "train-0.zip", runtime)
    shard = Shard(tmp_path / "train-0.zip")
    assert shard.ids == [f"image{i}" for i in range(5)]
    for number, (size, tags) in enumerate(zip(SIZES, TAGS, strict=True)):
        classes, scores = shard.scores(f"image{number}", size, counts_from=0)
        assert classes == list(tags)
        assert scores.shape == (len(tags), *size)
        if tags:
            image = Image.open(folder / f"image{number}.png")
            expected = image_cams(network, image, tags, params.cam.inference.scales, runtime)
            # Stored in steps of 1/200.
            np.testing.assert_allclose(scores, expected.clip(0, 1), atol=0.5 / 200 + 1.1e-4)


def test_results_do_not_depend_on_the_sharding(params, folder, runtime, tmp_path):
    whole = infer(params, folder, range(5), tmp_path / "whole.zip", runtime)
    assert set(whole) == {"image0", "image1", "image3", "image4"}
    halves = {}
    for name, numbers in (("one", [4, 1]), ("two", [0, 2, 3])):
        halves |= infer(params, folder, numbers, tmp_path / f"{name}.zip", runtime)
    assert halves == whole


def test_running_again_gives_the_same_bytes(params, folder, runtime, tmp_path):
    files = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for number, file in enumerate(files):
        torch.manual_seed(number)
        infer(params, folder, [0, 1, 2], file, runtime)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_empty_shard_is_written(params, folder, runtime, tmp_path):
    assert infer(params, folder, [], tmp_path / "empty.zip", runtime) == {}


def test_a_model_of_other_classes_is_named(params, folder, runtime):
    with pytest.raises(ValueError, match=r"model\.safetensors: tensor 'fc8\.weight' has shape"):
        load_cam_network(settings_of(params), 7, folder / "model.safetensors", runtime)


def test_a_missing_image_is_named_and_nothing_is_written(params, folder, runtime, tmp_path):
    record = ImageRecord("gone", "gone.png", 8, 8, (0,), "")
    manifest = tmp_path / "gone.json"
    write_manifest(manifest, Manifest("test", "train", CLASSES, (record,)))
    with pytest.raises(ValueError, match=r"gone\.png: cannot be read"):
        infer_cams(
            settings_of(params),
            runtime,
            images=folder,
            manifest=manifest,
            model=folder / "model.safetensors",
            cams=tmp_path / "out.zip",
        )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gone.json"]
