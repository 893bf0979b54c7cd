"""CAM inference, a plain pass per scale and mirror image."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from ruamel.yaml import YAML
from torch import nn

from hfpl.images.normalise import IMAGENET
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.interface import MethodNetwork


def plain_cams(
    network: nn.Module, image: Image.Image, tags: Sequence[int], scales: Sequence[float]
) -> NDArray:
    """One forward pass for each scale and mirror image; everything else written out."""
    height, width = image.height, image.width
    total = None
    for scale in scales:
        size = (int(np.rint(width * scale)), int(np.rint(height * scale)))
        resized = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float64) / 255
        normal = (resized - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
        for mirrored in (False, True):
            view = normal[:, ::-1] if mirrored else normal
            batch = torch.from_numpy(view.transpose(2, 0, 1).copy()).float()[None]
            with torch.no_grad():
                maps = network(batch).cam_rv[:, 1:]
            whole = nn.functional.interpolate(
                maps, (height, width), mode="bilinear", align_corners=False
            )[0].numpy()
            label = np.isin(np.arange(len(whole)), tags).astype(np.float32)
            whole = whole * label[:, None, None]
            whole = whole[:, :, ::-1] if mirrored else whole
            total = whole if total is None else total + whole
    total[total < 0] = 0
    low, high = (extreme((1, 2), keepdims=True) for extreme in (total.min, total.max))
    total[total < low + 1e-5] = 0
    return ((total - low - 1e-5) / (high - low + 1e-5))[list(tags)]


def random_network(classes: int, preset: str = "demo") -> MethodNetwork:
    """SEAM on the small backbone with random weights.

    Batch statistics are random too: the maps of a fresh network would be too plain.
    """
    params = validate_params(YAML(typ="safe").load(preset_text(preset)))
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = build_method("seam", backbone, classes, params.cam.methods["seam"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()
