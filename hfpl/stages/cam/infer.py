"""CAM inference at several scales, each plain and mirrored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hfpl.images.normalise import ColourStatistics, normalise
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.numerics import Runtime
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.interface import MethodNetwork
from hfpl.sections.network import network_of
from hfpl.stages.cam.merge import merge_cams
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_network


def infer_cams(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifest: Path,
    model: Path,
    cams: Path,
) -> str:
    """Write the CAMs of the tagged classes of every image of a shard; what was done, in words.

    Raises:
        ValueError: an image or the model cannot be read.
    """
    content, root = read_manifests([manifest]), ImageRoot(images)
    trained = load_cam_network(settings, len(content.classes), model, runtime)
    scales = settings.cam.inference.scales
    with (
        write_shard(cams, counts_from=0) as shard,
        track(f"cam infer {cams.stem}", len(content.images), "images") as advance,
    ):
        for record in content.images:
            maps = np.zeros((0, record.height, record.width), np.float32)
            if record.tags:
                maps = image_cams(trained, root.image(record), record.tags, scales, runtime)
            shard.add_scores(record.id, record.tags, maps)
            advance()
    return f"{len(content.images)} images of {manifest.stem}"


def load_cam_network(
    settings: Settings, num_classes: int, model: Path, runtime: Runtime
) -> MethodNetwork:
    """A trained CAM network, ready for inference; ValueError where the file does not fit."""
    network, method = network_of(settings, "cam"), settings.chosen.variant.method
    backbone = build_backbone(network.backbone, network.options.as_dict())
    options = settings.cam.methods[method].as_dict()
    built = build_method(method, backbone, num_classes, options)
    load_network(model, built)
    return built.to(runtime.device, memory_format=torch.channels_last).eval()


@torch.inference_mode()
def image_cams(
    network: MethodNetwork,
    image: Image.Image,
    tags: Sequence[int],
    scales: Sequence[float],
    runtime: Runtime,
) -> np.ndarray:
    """CAMs of the tagged classes, float32 (m, h, w) in [0, 1], at the image's size."""
    maps: list[Tensor] = []
    for scale in scales:
        pair = _mirror_pair(image, scale, network.backbone.statistics).to(
            runtime.device, memory_format=torch.channels_last
        )
        with runtime.autocast():
            maps += network.cams(pair, tags).float().unbind()
    merged = merge_cams(maps, [False, True] * len(scales), (image.height, image.width))
    return network.scaled(merged).cpu().numpy()


def _mirror_pair(image: Image.Image, scale: float, statistics: ColourStatistics) -> Tensor:
    """A resized image and its mirror image, normalised, (2, 3, h, w)."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resized = image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)
    plain = torch.from_numpy(normalise(np.asarray(resized), statistics).transpose(2, 0, 1))
    return torch.stack([plain, plain.flip(2)])
