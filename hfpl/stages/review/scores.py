"""How sure the networks are of photographs, and whether the classifier sees what tags say."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from hfpl.images.normalise import normalise
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.numerics import Runtime
from hfpl.plugins.methods.interface import MethodNetwork
from hfpl.stages.cam.infer import load_cam_network
from hfpl.stages.review.listing import Scored, write_scores
from hfpl.stages.segment.test import class_probabilities, load_deeplab
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot


def score_shard(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifest: Path,
    model: Path,
    network: Path,
    scores: Path,
) -> str:
    """Write what the networks say of every photograph of a shard; what was done, in words.

    Raises:
        ValueError: an image or a network cannot be read.
    """
    content, root = read_manifests([manifest]), ImageRoot(images)
    classifier = load_cam_network(settings, len(content.classes), model, runtime)
    deeplab = load_deeplab(settings, len(content.classes), network, runtime)
    found: dict[str, Scored] = {}
    with track(f"review scores {manifest.stem}", len(content.images), "images") as advance:
        for record in content.images:
            image = root.image(record)
            labels = torch.zeros(1, len(content.classes))
            labels[0, list(record.tags)] = 1
            seen = seen_classes(classifier, image, labels, runtime)
            probabilities = class_probabilities(deeplab, np.asarray(image), [1.0], runtime)
            found[record.id] = Scored(
                seen=tuple(round(float(p), 4) for p in seen),
                unsure=round(doubt(probabilities), 4),
                shares=shares(probabilities.argmax(0)),
            )
            advance()
    write_scores(scores, found)
    return f"{len(found)} images of {manifest.stem}"


@torch.inference_mode()
def seen_classes(
    network: MethodNetwork, image: Image.Image, labels: Tensor, runtime: Runtime
) -> NDArray[np.float32]:
    """Probability that each foreground class is in an image, float32 (K,), by the classification
    that the CAM network learned from.

    Args:
        labels: float32 (1, K), the image's tags: a method needs them for its other losses, its
            classification does not see them.
    """
    pixels = normalise(np.asarray(image), network.backbone.statistics).transpose(2, 0, 1)
    batch = torch.from_numpy(np.ascontiguousarray(pixels))[None].to(runtime.device)
    with runtime.autocast():
        whole = batch.contiguous(memory_format=torch.channels_last)
        view = network.losses(whole, labels.to(runtime.device), 1.0).views[0]
    return view.foreground.float().mean((2, 3)).sigmoid()[0].cpu().numpy()


def doubt(probabilities: NDArray[np.float32]) -> float:
    """Mean over the pixels of the entropy, as a share of the largest; in [0, 1].

    Shape:
        probabilities: float32 (C, h, w), C >= 2, of classes, adding up to 1.
    """
    clipped = np.clip(probabilities, 1e-8, 1)
    entropy = -(clipped * np.log(clipped)).sum(0).mean()
    return float(entropy / np.log(len(probabilities)))


def shares(labels: NDArray[np.integer]) -> Mapping[int, float]:
    """Share of an image of each class that is there, by its label; background left out."""
    counts = np.bincount(labels.ravel())
    return {k: round(float(counts[k] / labels.size), 4) for k in range(1, len(counts)) if counts[k]}
