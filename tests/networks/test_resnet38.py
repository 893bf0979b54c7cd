"""The published networks: names, values and gradients against stored arrays.

The arrays were computed once by the published implementation; weights are filled from their names.
"""

import zlib

import numpy as np
import pytest
import torch
from torch import nn

from hfpl.affinity.pairs import pair_affinity
from hfpl.methods import build_method
from hfpl.methods.addon import Fsl, attach, total_loss
from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.backbones import build_backbone
from hfpl.networks.deeplab import DeepLab
from hfpl.networks.interface import freeze
from hfpl.training.optimiser import parameter_groups
from hfpl.walk.random_walk import dense_affinity

FLAT = "backbone."


def fill(network: nn.Module, prefix: str = "") -> set[str]:
    """Fill a network from its tensors' published names; returns the names.

    Args:
        prefix: what our names have and the published ones lack.
    """
    filled = {}
    for name, tensor in network.state_dict().items():
        published = name.removeprefix(prefix)
        random = np.random.RandomState(zlib.crc32(published.encode()))  # noqa: NPY002
        shape = tuple(tensor.shape)
        if published.endswith("num_batches_tracked"):
            filled[name] = tensor
            continue
        if len(shape) == 4:
            scale = np.float32(np.sqrt(1 / np.prod(shape[1:])))
            values = random.standard_normal(shape).astype(np.float32) * scale
        elif published.endswith("running_var"):
            values = 0.5 + random.rand(*shape)
        elif published.endswith(".weight"):
            values = 0.8 + 0.4 * random.rand(*shape)
        else:
            values = 0.1 * random.standard_normal(shape)
        filled[name] = torch.from_numpy(np.asarray(values, np.float32))
    network.load_state_dict(filled)
    return {name.removeprefix(prefix) for name in filled}


def assert_close(found: torch.Tensor, expected: np.ndarray) -> None:
    error = np.abs(found.detach().numpy() - expected).max()
    assert error <= 1e-4 * np.abs(expected).max()


@pytest.fixture(scope="module")
def seam() -> nn.Module:
    options = {"view_scale": 0.3, "pcm_channels": [64, 128], "dropout": 0.5}
    network = build_method("seam", build_backbone("resnet38", {}), 20, options)
    freeze(network.backbone, "cam")
    return network


def test_seam_maps(seam, reference):
    expected = reference("seam_network.npz")
    assert fill(seam, FLAT) == set(expected["keys"].tolist())
    seam.eval()
    images = torch.from_numpy(expected["x"])
    with torch.no_grad():
        output, features = seam(images), seam.backbone(images)
    for name in ("cam", "cam_rv", "logits"):
        assert_close(getattr(output, name), expected[name])
    for name in ("conv4", "conv5", "conv6"):
        assert_close(getattr(features, name).mean((2, 3)), expected[f"{name}_mean"])


def test_seam_parameter_groups(seam, reference):
    expected = reference("seam_parameter_groups.npz")
    groups = parameter_groups(seam)
    assert [len(g) for g in groups] == expected["counts"].tolist()
    assert [sum(p.numel() for p in g) for g in groups] == expected["numel"].tolist()


def test_seam_losses_and_gradients(seam, reference):
    expected = reference("seam_gradients.npz")
    # In float64: in float32 a single activation that rounds to the other side of zero changes a
    # gradient by more than the tolerance.
    fill(seam, FLAT)
    seam.double().train()
    for module in seam.modules():
        if isinstance(module, nn.Dropout2d):
            module.eval()
    images = torch.from_numpy(expected["image"]).double()
    labels = torch.from_numpy(expected["labels"]).double()
    terms = attach(seam.losses(images, labels), labels, None, Fsl(1.0, 2.5, 5.0))
    total = total_loss(terms)
    value = {name: float(term.value.detach()) for name, term in terms.items()}
    for name in ("er", "ecr", "fsl"):
        assert value[name] == pytest.approx(float(expected[f"loss_{name}"]), rel=1e-4)
    for name in ("cls", "rvmin"):
        mean = (value[f"{name}_1"] + value[f"{name}_2"]) / 2
        assert mean == pytest.approx(float(expected[f"loss_{name}"]), rel=1e-4)
    assert float(total.detach()) == pytest.approx(float(expected["total"]), rel=1e-4)
    total.backward()
    gradients = {n.removeprefix(FLAT): p.grad for n, p in seam.named_parameters()}
    names = expected["keys"].tolist()
    assert [gradients[n] is not None for n in names] == expected["has_grad"].tolist()
    norms = np.array([0.0 if gradients[n] is None else float(gradients[n].norm()) for n in names])
    assert_close(torch.from_numpy(norms), np.nan_to_num(expected["grad_norm"]))
    seam.zero_grad()
    seam.float()


def test_affinity_network(reference):
    expected = reference("affinity_network.npz")
    network = AffinityNetwork(build_backbone("resnet38", {}), (64, 128, 256)).eval()
    assert fill(network, FLAT) == set(expected["keys"].tolist())
    with torch.no_grad():
        features = network(torch.from_numpy(expected["x"]))
    assert_close(pair_affinity(features, 5), expected["affinity"])
    dense = dense_affinity(features[0], 5).toarray()
    assert_close(torch.from_numpy(dense), expected["dense_affinity"])


def test_deeplab(reference):
    expected = reference("deeplab_network.npz")
    network = DeepLab(build_backbone("resnet38", {}), 21, 512, 12).eval()
    assert fill(network) == set(expected["keys"].tolist())
    with torch.no_grad():
        assert_close(network(torch.from_numpy(expected["x"])), expected["logits"])
    freeze(network.backbone, "segment")
    groups = parameter_groups(network)
    assert [len(g) for g in groups] == expected["group_counts"].tolist()
    assert [sum(p.numel() for p in g) for g in groups] == expected["group_numel"].tolist()
