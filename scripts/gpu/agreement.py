"""Parts of the pipeline on a device against the CPU: the same inputs, weights and positions."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hfpl.images.normalise import IMAGENET
from hfpl.losses import class_activations, feature_similarity_loss, importance_sampling_loss
from hfpl.losses.importance_sampling import draw_positions
from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.interface import freeze
from hfpl.networks.weights.match import load_weights
from hfpl.networks.weights.published import imagenet_weights
from hfpl.numerics import Runtime
from hfpl.params.root import Params
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.stages.affinity.labels import pair_labels
from hfpl.stages.affinity.loss import affinity_loss
from hfpl.stages.affinity.pairs import pair_affinity
from hfpl.stages.cam.addon import attach, total_loss
from hfpl.stages.cam.infer import image_cams
from hfpl.stages.segment.test import class_probabilities
from hfpl.stages.segment.train import build_deeplab, pixel_loss

TOLERANCE = 1e-3
"""Largest error in float32, as a share of the largest value: sums run in another order there."""
CLASSES = 4
Computed = dict[str, Tensor]


BACKBONES: dict[str, dict[str, Any]] = {
    "efficientnet_lite": {"size": 0, "stride": 16},
    "resnet50": {"stride": 8, "frozen_layers": 1},
    "resnet38": {},
}
"""Backbones whose features are compared, with their options."""


def agreement(
    device: torch.device, params: Params, size: int, backbones: Collection[str] = tuple(BACKBONES)
) -> Iterator[dict[str, Any]]:
    """A row per part: its largest errors in float32, and under bfloat16 autocast.

    Args:
        device: to compare with the CPU.
        params: of the preset ``photographs``.
        size: side of the images in pixels.
        backbones: of :data:`BACKBONES`, those whose features are compared.
    """
    parts = {
        "ISL and its gradient": _isl,
        "FSL and its gradient": _fsl,
        "CAM training step": lambda d, half: _cam_step(params, size, d, half),
        "affinity training step": lambda d, half: _affinity_step(params, size, d, half),
        "segmentation training step": lambda d, half: _segment_step(params, size, d, half),
        "CAM inference": lambda d, half: _cam_inference(params, size, d, half),
        "segmentation inference": lambda d, half: _segment_inference(params, size, d, half),
    }
    for name, options in ((name, BACKBONES[name]) for name in backbones):
        parts[f"features of {name}"] = lambda d, half, name=name, options=options: _features(
            name, options, size, d, half
        )
    for name, compute in parts.items():
        exact = compute(torch.device("cpu"), False)
        row: dict[str, Any] = {"part": name}
        for half in (False, True):
            error = _error(compute(device, half), exact)
            row["bfloat16 error" if half else "float32 error"] = error
        row["agrees"] = row["float32 error"] <= TOLERANCE
        yield row


def _error(found: Computed, exact: Computed) -> float:
    """Largest |found - exact| over all tensors, each as a share of its largest |exact|."""
    errors = []
    for name, value in exact.items():
        scale = value.abs().max().clamp_min(1e-12)
        errors.append(((found[name].float().cpu() - value).abs().max() / scale).item())
    return max(errors)


def _autocast(device: torch.device, half: bool) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def _isl(device: torch.device, half: bool) -> Computed:
    scores, labels = _scores()
    positions = draw_positions(scores, form="binomial", samples=10, generator=_generator())
    leaf = scores.to(device).requires_grad_()
    with _autocast(device, half):
        loss = importance_sampling_loss(leaf, labels.to(device), positions=positions.to(device))
    loss.backward()
    return {"loss": loss.detach(), "gradient": leaf.grad}


def _fsl(device: torch.device, half: bool) -> Computed:
    scores, labels = _scores()
    image = torch.rand(len(scores), 3, *scores.shape[2:], generator=_generator())
    leaf = scores.to(device).requires_grad_()
    with _autocast(device, half):
        activations = class_activations(leaf, labels.to(device))
        loss = feature_similarity_loss(image.to(device), activations, mu=2.5, sigma=5.0)
    loss.backward()
    return {"loss": loss.detach(), "gradient": leaf.grad}


def _cam_step(params: Params, size: int, device: torch.device, half: bool) -> Computed:
    network = _network(
        params,
        "cam",
        lambda b: build_method("seam", b, CLASSES, params.cam.methods["seam"]),
        device,
    )
    images, labels = _images(size).to(device), _scores()[1].to(device)
    with _autocast(device, half):
        loss = network.losses(images, labels, 1.0)
    # The mean over all positions: the binomial form draws, differently on every device.
    terms = attach(loss, labels, IMAGENET, form="expected", isl=params.cam.isl, fsl=params.cam.fsl)
    return _after(network, total_loss(terms))


def _affinity_step(params: Params, size: int, device: torch.device, half: bool) -> Computed:
    channels = tuple(params.affinity.channels)
    network = _network(params, "affinity", lambda b: AffinityNetwork(b, channels), device)
    with _autocast(device, half):
        features = network(_images(size).to(device))
    labels = torch.randint(0, 3, features[:, 0].shape, generator=_generator()).to(device)
    pairs = pair_affinity(features.contiguous(), params.affinity.radius)
    return _after(network, affinity_loss(pairs, *pair_labels(labels, params.affinity.radius)))


def _segment_step(params: Params, size: int, device: torch.device, half: bool) -> Computed:
    head = params.segment.head
    network = _network(params, "segment", lambda b: build_deeplab(b, CLASSES, head), device)
    masks = torch.randint(0, CLASSES + 1, (2, size, size), generator=_generator()).to(device)
    with _autocast(device, half):
        logits = network(_images(size).to(device))
    return _after(network, pixel_loss(logits, masks))


def _cam_inference(params: Params, size: int, device: torch.device, half: bool) -> Computed:
    options = params.cam.methods["seam"]
    network = _network(params, "cam", lambda b: build_method("seam", b, CLASSES, options), device)
    maps = image_cams(network.eval(), _picture(size), [0, 2], [0.75, 1.0], _Half(device, 0, half))
    return {"cams": torch.from_numpy(maps)}


def _segment_inference(params: Params, size: int, device: torch.device, half: bool) -> Computed:
    head = params.segment.head
    network = _network(params, "segment", lambda b: build_deeplab(b, CLASSES, head), device)
    pixels, runtime = np.asarray(_picture(size)), _Half(device, 0, half)
    return {
        "scores": torch.from_numpy(
            class_probabilities(network.eval(), pixels, [0.75, 1.0], runtime)
        )
    }


def _features(
    name: str, options: dict[str, Any], size: int, device: torch.device, half: bool
) -> Computed:
    torch.manual_seed(0)
    backbone = build_backbone(name, options).to(device).eval()
    with torch.no_grad(), _autocast(device, half):
        return dict(backbone(_images(size).to(device)))


@dataclass(frozen=True)
class _Half(Runtime):
    """Runtime that says itself whether networks run in half precision."""

    half: bool = False

    def autocast(self):  # noqa: ANN201 - as the base
        return _autocast(self.device, self.half)


def _network(
    params: Params, stage: str, build: Callable[[nn.Module], nn.Module], device: torch.device
) -> nn.Module:
    """A network of a stage, in training mode without dropout, whose draws differ by device."""
    torch.manual_seed(0)
    network = params.network
    backbone = build_backbone(network.backbone, network.options)
    built = build(backbone)
    published = imagenet_weights(network)
    if published and published.path and published.path.is_file():
        load_weights(published.path, backbone)
    freeze(backbone, stage)
    built.to(device, memory_format=torch.channels_last).train()
    for module in built.modules():
        if isinstance(module, (nn.Dropout, nn.Dropout2d)):
            module.eval()
    return built


def _after(network: nn.Module, total: Tensor) -> Computed:
    """Loss of a step, and the norm of every gradient."""
    total.backward()
    norms = [p.grad.float().norm() for p in network.parameters() if p.grad is not None]
    return {"loss": total.detach(), "norms of gradients": torch.stack(norms)}


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def _scores() -> tuple[Tensor, Tensor]:
    labels = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    return torch.randn(2, CLASSES, 28, 28, generator=_generator()), labels


def _images(size: int) -> Tensor:
    images = torch.randn(2, 3, size, size, generator=_generator())
    return images.contiguous(memory_format=torch.channels_last)


def _picture(size: int) -> Image.Image:
    pixels = torch.randint(0, 256, (size // 8, size // 8, 3), generator=_generator())
    small = Image.fromarray(pixels.numpy().astype(np.uint8))
    return small.resize((size, size), Image.Resampling.BICUBIC)
