"""Label the images of a shard by a random walk of their CAMs over learned affinities."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from hfpl.images.normalise import normalise
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.networks.affinity import AffinityNetwork
from hfpl.numerics import Runtime
from hfpl.plugins.backbones import build_backbone
from hfpl.sections.network import network_of
from hfpl.stages.cam.calibrate import Cams
from hfpl.stages.walk.params import Walk
from hfpl.stages.walk.random_walk import (
    dense_affinity,
    padded_size,
    random_walk,
    transition_matrix,
    walk_labels,
)
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_network


def label_shard(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifest: Path,
    cams: Path,
    calibration: Path | None = None,
    model: Path,
    labels: Path,
) -> str:
    """Write the label map of every image of a shard; what was done, in words.

    Raises:
        ValueError: an image, its CAMs or the model cannot be read.
    """
    content, root, source = (
        read_manifests([manifest]),
        ImageRoot(images),
        Cams([cams], calibration),
    )
    trained = load_affinity_network(settings, model, runtime)
    with (
        write_shard(labels, content.classes) as shard,
        track(f"walk {manifest.stem}", len(content.images), "images") as advance,
    ):
        for record in content.images:
            size = (record.height, record.width)
            classes, scores = source.of(record)
            if classes:
                pixels = np.asarray(root.image(record))
                mask = walked_label(
                    trained,
                    pixels,
                    scores,
                    classes,
                    settings.walk,
                    settings.affinity.radius,
                    runtime,
                )
            else:
                mask = np.zeros(size, np.uint8)
            shard.add_mask(record.id, mask)
            advance()
    return f"{len(content.images)} images of {manifest.stem}"


def load_affinity_network(settings: Settings, model: Path, runtime: Runtime) -> AffinityNetwork:
    """A trained affinity network, ready for inference; ValueError where the file does not fit."""
    network = network_of(settings, "affinity")
    backbone = build_backbone(network.backbone, network.options.as_dict())
    built = AffinityNetwork(backbone, tuple(settings.affinity.channels))
    load_network(model, built)
    return built.to(runtime.device, memory_format=torch.channels_last).eval()


@torch.inference_mode()
def walked_label(
    network: AffinityNetwork,
    pixels: np.ndarray,
    cams: np.ndarray,
    classes: list[int],
    settings: Walk,
    radius: int,
    runtime: Runtime,
) -> np.ndarray:
    """Label map of one image, uint8 (h, w).

    Args:
        pixels: RGB uint8 (h, w, 3).
        cams: float32 (m, h, w) in [0, 1], m > 0.
        classes: of the CAMs, counted from 0 without background.
    """
    height, width = pixels.shape[:2]
    stride = network.backbone.stride
    padded = padded_size((height, width), stride)
    image = torch.from_numpy(normalise(pixels, network.backbone.statistics).transpose(2, 0, 1))[
        None
    ]
    image = functional.pad(image, (0, padded[1] - width, 0, padded[0] - height))
    with runtime.autocast():
        features = network(image.to(runtime.device, memory_format=torch.channels_last))
    transition = transition_matrix(dense_affinity(features[0].contiguous(), radius), settings.beta)
    walked = random_walk(
        cams,
        transition,
        stride=stride,
        alpha=settings.background_power,
        log_steps=settings.log_steps,
    )
    return walk_labels(walked, classes, padded, (height, width))
