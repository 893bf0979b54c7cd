"""A trained segmentation network by itself: its file says all that labelling takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hfpl.jobs.settings import Settings
from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.formats.class_names import MOST
from hfpl.sections.network import Options, network_of
from hfpl.sections.plugins import check_options, check_refiner
from hfpl.sections.section import Count, Name, Text
from hfpl.stages.segment.params import SegmentHead, SegmentTest
from hfpl.stages.segment.train import build_deeplab
from hfpl.storage.manifest import read_manifests
from hfpl.storage.schema import first_problem
from hfpl.storage.tensors import fit_tensors, load_tensors, save_tensors


@dataclass(frozen=True)
class Model:
    """A network ready for inference, and how it was to be tested when it was trained.

    Attributes:
        network: in evaluation mode, on the runtime's device.
        classes: names of the foreground classes; label 0 is background.
        test: scales and refiner.
        long_side: of the largest training image, in pixels.
    """

    network: DeepLab
    classes: Sequence[str]
    test: SegmentTest
    long_side: int


DESCRIPTION = "segment"
"""Key in the model's metadata."""


def write_model(
    settings: Settings, *, manifests: Sequence[Path], network: Path, model: Path
) -> str:
    """Write a trained network together with all that labelling a photograph takes.

    Apart from the training, which a change of the test's settings does not run again.
    """
    manifest = read_manifests(manifests)
    tensors, _ = load_tensors(network)
    chosen = network_of(settings, "segment")
    description = {
        "classes": list(manifest.classes),
        "backbone": chosen.backbone,
        "options": chosen.options.as_dict(),
        "head": settings.segment.head.as_dict(),
        "test": settings.segment.test.as_dict(),
        "long_side": max(max(image.height, image.width) for image in manifest.images),
    }
    save_tensors(model, tensors, {DESCRIPTION: description})
    return f"{len(manifest.classes)} classes"


class _Description(BaseModel):
    """What :func:`write_model` writes; the file may come from anywhere."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    classes: Annotated[list[Text], Field(min_length=1, max_length=MOST)]
    backbone: Name
    options: Options
    head: SegmentHead
    test: SegmentTest
    long_side: Count


def load_model(path: Path, runtime: Runtime) -> Model:
    """Read a model that ``hfpl segment model`` wrote.

    Raises:
        ValueError: the file cannot be read, does not describe its network, or holds another one;
            one line.
    """
    tensors, metadata = load_tensors(path)
    if not isinstance(metadata, Mapping) or DESCRIPTION not in metadata:
        raise ValueError(
            f"{path}: does not say which network it holds; give the model of the stage segment, "
            "made with this version ('hfpl segment model')"
        )
    found = _read(path, metadata[DESCRIPTION])

    def build() -> DeepLab:
        backbone = build_backbone(found.backbone, found.options)
        return build_deeplab(backbone, len(found.classes), found.head)

    with torch.device("meta"):  # Whatever sizes the file names, nothing is allocated for them yet.
        fit_tensors(path, tensors, build())
    odd = next((name for name, t in tensors.items() if not torch.isfinite(t).all()), None)
    if odd:
        raise ValueError(f"{path}: tensor '{odd}' holds values that are no numbers; train it again")
    network = build()
    network.load_state_dict(tensors)
    network = network.to(runtime.device, memory_format=torch.channels_last).eval()
    return Model(network, found.classes, found.test, found.long_side)


def _read(path: Path, content: Any) -> _Description:
    try:
        found = _Description.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: its description is broken: {first_problem(error)}") from None
    # Only plug-ins of this package are imported, whatever names the file holds.
    for message in (
        *check_options(
            "backbone", "hfpl.plugins.backbones", found.backbone, "options", found.options
        ),
        *check_refiner("test", found.test),
    ):
        raise ValueError(f"{path}: its description does not fit this version: {message}")
    return found
