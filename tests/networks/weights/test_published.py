"""Published checkpoints at full size: the three networks on ResNet-38."""

import numpy as np
import pytest
import torch
from torch import nn

from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.deeplab import DeepLab
from hfpl.networks.weights.match import load_weights
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method

pytestmark = pytest.mark.slow


def seam(backbone: nn.Module) -> nn.Module:
    options = {"view_scale": 0.3, "pcm_channels": [64, 128], "dropout": 0.5}
    return build_method("seam", backbone, 20, options)


BUILDS = {
    "seam_network.npz": seam,
    "affinity_network.npz": lambda backbone: AffinityNetwork(backbone, (64, 128, 256)),
    "deeplab_network.npz": lambda backbone: DeepLab(backbone, 21, 512, 12),
}


@pytest.mark.parametrize("name", BUILDS)
def test_a_checkpoint_with_the_published_names_loads_whole(name, repository, tmp_path):
    with np.load(repository / "tests" / "reference" / name, allow_pickle=False) as published:
        keys = published["keys"].tolist()
    network = BUILDS[name](build_backbone("resnet38", {}))
    own = network.state_dict()
    g = torch.Generator().manual_seed(0)
    tensors = {}
    for key in keys:
        like = own.get(key, own.get(f"backbone.{key}"))
        tensors[key] = torch.rand(like.shape, generator=g).to(like.dtype)
    torch.save({f"module.{key}": t for key, t in tensors.items()}, tmp_path / "net.pth")
    match = load_weights(tmp_path / "net.pth", network)
    assert len(match.loaded) == len(keys) == len(own)
    assert match.missing == match.reshaped == match.unused == ()
    state = network.state_dict()
    for key, tensor in tensors.items():
        assert torch.equal(state.get(key, state.get(f"backbone.{key}")), tensor), key
