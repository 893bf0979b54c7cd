"""The published networks, with weights made from the names of their tensors."""

import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from hfpl.images.normalise import IMAGENET
from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.deeplab import DeepLab
from hfpl.networks.interface import freeze
from hfpl.networks.weights.published import imagenet_of
from hfpl.networks.weights.reading import read_weights
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.backbones.efficientnet_lite import EfficientNetLite
from hfpl.plugins.methods import build_method
from hfpl.stages.affinity.pairs import pair_affinity
from hfpl.stages.cam.addon import attach, total_loss
from hfpl.stages.segment.train import build_deeplab
from hfpl.stages.walk.random_walk import dense_affinity
from hfpl.training.optimiser import parameter_groups
from scripts.parity.arrays import Arrays
from scripts.parity.comparison import Comparison, close, equal, same_names
from scripts.parity.settings import published

CLASSES = 20
"""Foreground classes of the published networks."""

FLAT = "backbone."
"""What our names of the SEAM and the affinity network have and the published ones lack."""


@lru_cache(maxsize=1)
def filled(build: Callable[[nn.Module], nn.Module], stage: str) -> nn.Module:
    """A network of the published size, filled and frozen; one at a time, each is 500 MB."""
    # Random initial weights of 100 million parameters would take a second.
    with torch.device("meta"):
        network = build(build_backbone("resnet38", {}))
    prefix = "" if build is _deeplab else FLAT
    tensors = {
        name: _values(name.removeprefix(prefix), tuple(tensor.shape))
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(tensors, assign=True)
    freeze(network.backbone, stage)
    return network.eval()


def _values(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random float32 tensor that depends on its published name and shape only."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    random = np.random.RandomState(zlib.crc32(name.encode()))  # noqa: NPY002
    if len(shape) == 4:
        values = random.standard_normal(shape).astype(np.float32)
        values *= np.float32(np.sqrt(1 / np.prod(shape[1:])))
    elif name.endswith("running_var"):
        values = 0.5 + random.rand(*shape)
    elif name.endswith(".weight"):
        values = 0.8 + 0.4 * random.rand(*shape)
    else:
        values = 0.1 * random.standard_normal(shape)
    return torch.from_numpy(np.asarray(values, np.float32))


def _seam(backbone: nn.Module) -> nn.Module:
    return build_method("seam", backbone, CLASSES, published().cam.methods["seam"])


def _affinity(backbone: nn.Module) -> nn.Module:
    return AffinityNetwork(backbone, tuple(published().affinity.channels))


def _deeplab(backbone: nn.Module) -> DeepLab:
    return build_deeplab(backbone, CLASSES, published().segment.head)


def seam_network(arrays: Arrays) -> Iterator[Comparison]:
    """Names, maps and features of the SEAM network in evaluation mode."""
    network = filled(_seam, "cam")
    yield _names(network, arrays["keys"])
    shapes = {_flat(name): tuple(t.shape) for name, t in network.state_dict().items()}
    found = [str(shapes.get(name)) for name in arrays["keys"].tolist()]
    yield equal("shapes of tensors", np.array(found), arrays["shapes"])
    images = torch.from_numpy(arrays["x"])
    with torch.no_grad():
        output, features = network(images), network.backbone(images)
    for name in ("cam", "cam_rv", "logits"):
        yield close(name, getattr(output, name), arrays[name])
    for name in ("conv4", "conv5", "conv6"):
        mean = features[name].mean((2, 3))
        yield close(f"{name}, mean of channels", mean, arrays[f"{name}_mean"])


def seam_parameter_groups(arrays: Arrays) -> Iterator[Comparison]:
    """The SEAM network's four groups of parameters."""
    network = filled(_seam, "cam")
    yield from _groups(network, arrays["counts"], arrays["numel"])
    yield equal("trainable elements", _trainable(network), arrays["trainable"])


def seam_gradients(arrays: Arrays) -> Iterator[Comparison]:
    """Losses of the whole SEAM network and the norm of every parameter's gradient."""
    network = filled(_seam, "cam")
    filled.cache_clear()  # It is changed here, and whoever needs it again builds it anew.
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout2d):
            module.eval()
    images, labels = (torch.from_numpy(arrays[key]) for key in ("image", "labels"))
    terms = attach(network.losses(images, labels, 0.0), labels, IMAGENET, fsl=published().cam.fsl)
    total = total_loss(terms)
    total.backward()
    value = {name: term.value.item() for name, term in terms.items()}
    for name in ("cls", "rvmin"):
        value[name] = (value[f"{name}_1"] + value[f"{name}_2"]) / 2
    for name in ("cls", "rvmin", "er", "ecr", "fsl"):
        yield close(f"loss {name}", value[name], arrays[f"loss_{name}"])
    yield close("total without ISL", total.item(), arrays["total"])
    gradients = ((_flat(n), p.grad) for n, p in network.named_parameters() if p.grad is not None)
    # In float64: a float32 sum over eight million squares errs by more than the tolerance.
    norms = {name: gradient.double().norm() for name, gradient in gradients}
    parameters = {_flat(name) for name, _ in network.named_parameters()}
    yield same_names("names of parameters", parameters, arrays["keys"])
    names, has_grad = arrays["keys"].tolist(), arrays["has_grad"]
    yield equal("parameters with a gradient", [name in norms for name in names], has_grad)
    found = [norms.get(name, np.nan) for name, has in zip(names, has_grad, strict=True) if has]
    yield close("norms of gradients", found, arrays["grad_norm"][has_grad])


def affinity_network(arrays: Arrays) -> Iterator[Comparison]:
    """Names and affinities of the affinity network in evaluation mode."""
    network, radius = filled(_affinity, "affinity"), published().affinity.radius
    yield _names(network, arrays["keys"])
    with torch.no_grad():
        features = network(torch.from_numpy(arrays["x"]))
    yield close("affinities of pairs", pair_affinity(features, radius), arrays["affinity"])
    matrix = dense_affinity(features[0], radius).toarray()
    yield close("affinity matrix", matrix, arrays["dense_affinity"])


def deeplab_network(arrays: Arrays) -> Iterator[Comparison]:
    """Names, logits and groups of parameters of the segmentation network."""
    network = filled(_deeplab, "segment")
    yield same_names("names of tensors", set(network.state_dict()), arrays["keys"])
    with torch.no_grad():
        yield close("logits", network(torch.from_numpy(arrays["x"])), arrays["logits"])
    yield from _groups(network, arrays["group_counts"], arrays["group_numel"])
    # Published: two layers are not frozen, yet in no group. Here they are frozen.
    idle = sum(p.numel() for n, p in network.named_parameters() if n.startswith("bn_fov"))
    yield equal("trainable elements, with idle ones", _trainable(network) + idle,
                arrays["trainable"])  # fmt: skip


_KEPT = 8
"""Of the features of EfficientNet-Lite, every eighth channel is compared."""


def efficientnet_lite(arrays: Arrays) -> Iterator[Comparison]:
    """The published EfficientNet-Lites with their ImageNet weights and classifiers."""
    inputs = sorted(name.removeprefix("x_") for name in arrays if name.startswith("x_"))
    for name in inputs:
        size = int(name.removeprefix("lite").partition("_")[0])
        network, weight, bias = _classifier(size)
        with torch.no_grad():
            features = network(torch.from_numpy(arrays[f"x_{name}"]))["conv6"]
        pooled = features.mean((2, 3))
        yield close(f"features, {name}", features[:, ::_KEPT], arrays[f"features_{name}"])
        yield close(f"pooled features, {name}", pooled, arrays[f"pooled_{name}"])
        yield close(f"logits, {name}", pooled @ weight.T + bias, arrays[f"logits_{name}"])


@lru_cache(maxsize=1)
def _classifier(size: int) -> tuple[EfficientNetLite, torch.Tensor, torch.Tensor]:
    """The published network at its own stride, and weight and bias of its classifier."""
    published = next(p for p in imagenet_of("efficientnet_lite") if p.options == {"size": size})
    tensors = read_weights(published.installed())
    weight, bias = tensors.pop("_fc.weight"), tensors.pop("_fc.bias")
    network = EfficientNetLite(size, stride=32)
    network.load_state_dict(tensors)
    return network.eval(), weight, bias


def _flat(name: str) -> str:
    return name.removeprefix(FLAT)


def _names(network: nn.Module, expected: np.ndarray) -> Comparison:
    return same_names("names of tensors", {_flat(name) for name in network.state_dict()}, expected)


def _trainable(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _groups(network: nn.Module, counts: np.ndarray, numel: np.ndarray) -> Iterator[Comparison]:
    groups = parameter_groups(network)
    yield equal("groups: tensors", [len(group) for group in groups], counts)
    elements = [sum(p.numel() for p in group) for group in groups]
    yield equal("groups: elements", elements, numel)
