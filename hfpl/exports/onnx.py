"""A trained network as ONNX, for programs without torch: photograph in, class scores out."""

import importlib.util
import json
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.stages.segment.model import load_model
from hfpl.storage.atomic import replacing

INPUT, OUTPUT = "photograph", "scores"
_SMALLEST, _LARGEST = 16, 16384
"""Sides in pixels that the graph is made for."""


class Whole(nn.Module):
    """A segmentation network with what stands around it in a test at scale 1: colours normalised,
    the photograph and its mirror image averaged, softmax."""

    def __init__(self, network: DeepLab) -> None:
        super().__init__()
        self.network = network
        colours = network.backbone.statistics
        self.register_buffer("mean", torch.tensor(colours.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(colours.std).view(3, 1, 1))

    def forward(self, photograph: Tensor) -> Tensor:
        """Probabilities, float32 (C, h, w), of an RGB photograph, uint8 (h, w, 3)."""
        pixels = photograph.permute(2, 0, 1).float() / 255
        image = (pixels - self.mean) / self.std
        logits = self.network(torch.stack([image, image.flip(2)]))
        return ((logits[0] + logits[1].flip(2)) / 2).softmax(0)


def write_onnx(model: Path, path: Path) -> str:
    """Write a model of ``hfpl segment model`` as ONNX; what was written, in words.

    The graph takes ``photograph``, uint8 (height, width, 3), RGB and upright, of any size, and
    gives ``scores``, float32 (classes, height, width). Its metadata hold ``classes``, a JSON list
    of the scores' names, and ``long_side``: larger photographs are best shrunk to it, whose scale
    the network knows. The CRF is no part of it, nor are scales other than 1.

    Raises:
        ValueError: no such model, or packages are missing; one line.
    """
    trained = load_model(model, Runtime(torch.device("cpu"), 0))
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"ONNX takes packages that are not installed ({', '.join(missing)}): "
            'pip install -r requirements-onnx.txt, or pip install "hfpl[onnx]"'
        )
    whole = Whole(trained.network.to(memory_format=torch.contiguous_format)).eval()
    sides = {
        axis: torch.export.Dim(name, min=_SMALLEST, max=_LARGEST)
        for axis, name in enumerate(("height", "width"))
    }
    # Of odd sides, so that nothing is taken for a multiple of the network's stride.
    example = torch.zeros(97, 131, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            whole,
            (example,),
            dynamo=True,
            dynamic_shapes={INPUT: sides},
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    classes = ["background", *trained.classes]
    program.model.metadata_props.update(
        classes=json.dumps(classes, ensure_ascii=False), long_side=str(trained.long_side)
    )
    with replacing(path) as temporary:
        program.save(temporary)
    scales = [scale for scale in trained.test.scales if scale != 1]
    note = f"; without the scales {', '.join(map(str, scales))}" if scales else ""
    return f"{len(classes)} classes in {path}{note}"
