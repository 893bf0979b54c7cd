"""Pre-training: it leaves a backbone that the stages can start from, and repeats to the byte."""

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from hfpl.images.normalise import IMAGENET, normalise
from hfpl.jobs.runtime import set_up
from hfpl.networks.interface import StandsOnBackbone
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.formats.shapes.drawing import draw_scene
from hfpl.stages.pretrain import train
from hfpl.stages.pretrain.train import pretrain_backbone
from hfpl.storage.tensors import load_tensors
from hfpl.training import loop
from hfpl.training.start import load_start, starting_backbone


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


def pretrain(params, out, *, workers=0, **changes) -> dict[str, bytes]:
    """Pre-train; what is then in the folder."""
    settings = params.pretrain.model_copy(update={"images": 20, "epochs": 2, **changes})
    pretrain_backbone(
        JOBS["pretrain"].settings(params.model_copy(update={"pretrain": settings})),
        set_up("cpu", 1, workers),
        weights=out / "backbone.safetensors",
        history=out / "history.csv",
        digest="digest",
    )
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.fixture(scope="module")
def folder(params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    pretrain(params, folder)
    return folder


def test_only_the_backbone_and_the_history_are_left(folder):
    assert sorted(f.name for f in folder.iterdir()) == ["backbone.safetensors", "history.csv"]
    history = (folder / "history.csv").read_text().splitlines()
    assert history[0] == "step,total,accuracy"
    # Two whole batches of eight in twenty pictures, two epochs.
    assert [line.split(",")[0] for line in history[1:]] == ["1", "2", "3", "4"]
    assert all(0 <= float(line.split(",")[2]) <= 1 for line in history[1:])


def test_the_stages_can_start_from_the_weights(params, folder):
    tensors, _ = load_tensors(folder / "backbone.safetensors")
    network = StandsOnBackbone(
        starting_backbone(JOBS["cam_train"].settings(params).network, "cam", 0, scratch=False)
    )
    load_start(network, folder / "backbone.safetensors", params.cam.weights)
    state = network.backbone.state_dict()
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    fresh = build_backbone(params.network.backbone, params.network.options).state_dict()
    statistics = [name for name in state if name.endswith("running_mean")]
    assert all(not torch.equal(state[name], fresh[name]) for name in statistics)


def test_the_seed_decides_and_the_workers_do_not(params, folder, tmp_path):
    expected = {file.name: file.read_bytes() for file in folder.iterdir()}
    (tmp_path / "same").mkdir()
    (tmp_path / "other").mkdir()
    assert pretrain(params, tmp_path / "same", workers=1) == expected
    other = pretrain(params, tmp_path / "other", seed=1)
    assert all(other[name] != expected[name] for name in expected)


class Killed(Exception):
    """Stands for a process that ends without a word."""


def test_a_killed_pre_training_goes_on_to_the_same_bytes(params, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)
    sample = train._Pictures.sample
    calls = iter(range(100))

    def sample_until_killed(self, index, rng):
        if next(calls) == 20:
            raise Killed
        return sample(self, index, rng)

    with monkeypatch.context() as patch:
        patch.setattr(train._Pictures, "sample", sample_until_killed)
        with pytest.raises(Killed):
            pretrain(params, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["backbone.checkpoint"]
    expected = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert pretrain(params, tmp_path) == expected


def test_a_sample_is_its_picture_or_the_mirror_image_with_its_class(params):
    settings = params.pretrain
    pictures = train._Pictures(settings, IMAGENET)
    assert len(pictures) == settings.images
    mirrored = set()
    for seed in range(12):
        index = seed % 3
        image, label = pictures.sample(index, np.random.default_rng(seed))
        scene = draw_scene(
            settings.seed,
            index,
            size=settings.size,
            num_classes=settings.classes,
            single_object=True,
            min_extent=settings.min_extent,
            max_extent=settings.max_extent,
            texture_amplitude=settings.texture_amplitude,
            head_fraction=settings.head_fraction,
        )
        plain = torch.from_numpy(normalise(scene.image, IMAGENET).transpose(2, 0, 1))
        assert image.shape == (3, settings.size, settings.size)
        assert len(scene.classes) == 1
        assert int(label) == scene.classes[0] < settings.classes
        flipped = not torch.equal(image, plain)
        assert torch.equal(image, plain.flip(2) if flipped else plain)
        mirrored.add(flipped)
    assert mirrored == {False, True}


def test_a_picture_is_drawn_once(params, monkeypatch):
    drawn = []

    def counted(seed, index, **settings):
        drawn.append(index)
        return draw_scene(seed, index, **settings)

    monkeypatch.setattr(train, "draw_scene", counted)
    pictures = train._Pictures(params.pretrain, IMAGENET)
    first = pictures.sample(3, np.random.default_rng(0))
    for index in (3, 1, 3):
        again = pictures.sample(index, np.random.default_rng(0))
    assert drawn == [3, 1]
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_fewer_pictures_than_a_batch_are_one_clear_error(params, tmp_path):
    with pytest.raises(ValueError, match="4 training images are fewer than a batch of 8"):
        pretrain(params, tmp_path, images=4)
