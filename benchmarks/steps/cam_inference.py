"""CAM inference against one pass of all classes for each scale and mirror image."""

from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.comparison import Comparison, assert_close
from hfpl.numerics import Runtime
from hfpl.plugins.methods.interface import MethodNetwork
from hfpl.stages.cam.infer import image_cams
from tests.plain.cam_inference import plain_cams, random_network

SCALES = (0.5, 1.0, 1.5, 2.0)
CLASSES, TAGS = 20, (3, 12)


def _prepare(side: tuple[int, int], small: bool) -> tuple:
    height, width = (24, 32) if small else side
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    layouts = (
        random_network(CLASSES).to(memory_format=f)
        for f in (torch.contiguous_format, torch.channels_last)
    )
    return (*layouts, image)


def _plain(network: MethodNetwork, _: MethodNetwork, image: Image.Image) -> NDArray:
    return plain_cams(network, image, TAGS, SCALES)


def _fast(_: MethodNetwork, network: MethodNetwork, image: Image.Image) -> NDArray:
    return image_cams(network, image, TAGS, SCALES, Runtime(torch.device("cpu"), 0))


COMPARISONS = tuple(
    Comparison(
        f"CAM inference, small network, {width}x{height}, 4 scales x 2 mirrors",
        "one pass after the other, all 20 classes",
        partial(_prepare, (height, width)),
        _plain,
        _fast,
        assert_close,
        faster=1.3,
    )
    for height, width in ((96, 96), (375, 500))
)
