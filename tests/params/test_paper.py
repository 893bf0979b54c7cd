"""The paper's settings, written here by hand from the papers and the published code."""

import pytest
from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text

PAPER = {
    "network.backbone": "resnet38",
    # SEAM with both losses, on crops of 448 pixels.
    "cam.methods.seam": {"view_scale": 0.3, "pcm_channels": [64, 128], "dropout": 0.5},
    "cam.epochs": 8,
    "cam.batch": 8,
    "cam.optimiser.name": "sgd",
    "cam.optimiser.lr": 0.01,
    "cam.optimiser.momentum": 5e-4,
    "cam.optimiser.weight_decay": 5e-4,
    "cam.optimiser.power": 0.9,
    "cam.optimiser.factors": {"biases": 2.0, "new_weights": 10.0, "new_biases": 20.0},
    "cam.augmentation.crop": 448,
    "cam.augmentation.resize": [1.0, 768 / 448],
    "cam.augmentation.jitter": {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1},
    "cam.isl": {"weight": 0.2, "samples": 10, "start": 0.0},
    "cam.fsl": {"form": "max_norm", "weight": 1.0, "mu": 2.5, "sigma": 5.0, "repel": 1.0},
    "cam.inference.scales": [0.5, 1.0, 1.5, 2.0],
    "cam.methods.ppc": {
        "view_size": 128, "pcm_channels": [64, 128], "dropout": 0.5, "projection": 128,
        "background": 0.2, "weight": 0.1,
    },
    "cam.methods.puzzle": {"alpha": 4.0},
    "pseudo.alpha_low": 1.0,
    "pseudo.alpha_high": 24.0,
    "pseudo.crf": {
        "iterations": 10,
        "gaussian": {"sxy": 3.0, "compat": 3.0},
        "bilateral": {"sxy": 80.0, "srgb": 13.0, "compat": 10.0},
    },
    "affinity.radius": 5,
    "affinity.channels": [64, 128, 256],
    "affinity.epochs": 8,
    "affinity.batch": 8,
    "affinity.optimiser.lr": 0.01,
    "affinity.optimiser.momentum": 5e-4,
    "affinity.augmentation.crop": 448,
    "walk": {"background_power": 6.0, "beta": 8.0, "log_steps": 6},
    "segment.head": {
        "channels": 512,
        "dilation": 12,
        "dropout": 0.5,
        "bn_momentum": 3e-4,
        "skip": 0,
    },
    "segment.iterations": 20_000,
    "segment.batch": 10,
    "segment.optimiser.lr": 1e-3,
    "segment.optimiser.momentum": 0.9,
    "segment.optimiser.weight_decay": 5e-4,
    "segment.augmentation": {"crop": 448, "scale": [0.5, 1.5], "hsv": 10},
    "segment.test.scales": [0.5, 0.75, 1.0, 1.25, 1.5, 1.75],
    "segment.test.crf": {
        "iterations": 1,
        "gaussian": {"sxy": 3.0, "compat": 3.0},
        "bilateral": {"sxy": 32.0, "srgb": 13.0, "compat": 10.0},
    },
    "evaluate.background_score.seam": 0.25,
    "evaluate.background_score.cam": 0.15,
    "evaluate.background_score.puzzle": 0.15,
    "evaluate.background_score.ppc": 0.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def paper() -> dict:
    return YAML(typ="safe", pure=True).load(preset_text("paper"))


@pytest.mark.parametrize("key", PAPER)
def test_a_setting_is_the_paper_s(paper, key):
    node = paper
    for part in key.split("."):
        node = node[part]
    wanted = pytest.approx(PAPER[key]) if isinstance(node, float) else PAPER[key]
    assert node == wanted


def test_it_is_whole_and_that_of_voc(paper):
    params = validate_params(paper)
    assert (params.dataset, params.variant) == ("voc2012", "seam-isl-fsl")
    voc = validate_params(YAML(typ="safe", pure=True).load(preset_text("voc2012")))
    assert voc == params
