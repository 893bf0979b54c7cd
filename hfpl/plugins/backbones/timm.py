"""Networks of the library timm [TIMM], vision transformers among them.

The library needs torchvision, and so another torch than the project's: an environment of its own
(docs/weights.md). Weights are files with timm's names; ``hfpl weights fetch timm`` writes those
that belong to a network.
"""

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from hfpl.images.normalise import ColourStatistics
from hfpl.networks.interface import Backbone, Features
from hfpl.sections.section import Text

_NAMES = ("conv4", "conv5", "conv6")


def build(*, model: Text, stride: Literal[8, 16, 32]) -> "TimmBackbone":
    """Build a network of timm.

    Args:
        model: name of the network, as timm.list_models() has it.
        stride: of its deepest features; of a vision transformer, the side of its patches.
    """
    timm = imported_timm()
    known = timm.list_models()
    if model.partition(".")[0] not in known:
        close = timm.list_models(f"*{model.split('_')[0]}*")[:5]
        raise ValueError(
            f"network.options.model: timm has no network '{model}'"
            + (f"; it has {', '.join(close)}, …" if close else "")
        )
    return TimmBackbone(_created(timm, model, stride), stride)


def imported_timm() -> Any:
    """The library.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            "network.backbone: 'timm' needs the library timm, in an environment of its own (see "
            f"docs/weights.md): {error}"
        ) from None
    return timm


class TimmBackbone(Backbone):
    """A network of timm without its head, and three of its intermediate results.

    Of a convolutional network these are the last three of its feature maps, and ``conv3`` is the
    one at stride 4, if there is one; of a vision transformer the patch tokens after a half, three
    quarters and all of its blocks. Sides that are no multiple of the stride are padded with zeros,
    right and below. Results on a finer grid than the deepest one are averaged over its cells, but
    for ``conv3``. Batch norms stay as loaded.
    """

    weights_prefix = "network."

    def __init__(self, network: nn.Module, stride: int) -> None:
        super().__init__()
        self.network, self.stride = network, stride
        known = [
            (number, int(entry["reduction"]), int(entry["num_chs"]))
            for number, entry in enumerate(network.feature_info)
        ]
        quarters = [(part * len(known)) // 4 - 1 for part in (2, 3, 4)]
        even = len({reduction for _, reduction, _ in known}) == 1
        chosen = [known[k] for k in quarters] if even and len(known) >= 4 else known[-3:]
        fine = [entry for entry in known[:-3] if entry[1] == 4] if not even else []
        maps = dict(zip(_NAMES, chosen, strict=True)) | ({"conv3": fine[-1]} if fine else {})
        self.maps = dict(sorted(maps.items(), key=lambda item: item[1][0]))
        self.channels = {name: width for name, (_, _, width) in self.maps.items()}
        self.norms_fixed = any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
        config: dict[str, Any] = network.pretrained_cfg
        self.statistics = ColourStatistics(tuple(config["mean"]), tuple(config["std"]))

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W)."""
        height, width = (-side % self.stride for side in images.shape[2:])
        padded = functional.pad(images, (0, width, 0, height))
        found = self.network.forward_intermediates(
            padded,
            indices=[number for number, _, _ in self.maps.values()],
            output_fmt="NCHW",
            intermediates_only=True,
        )
        size = tuple(side // self.stride for side in padded.shape[2:])
        return {
            name: found_map
            if name == "conv3" or found_map.shape[2:] == size
            else functional.adaptive_avg_pool2d(found_map, size)
            for name, found_map in zip(self.maps, found, strict=True)
        }


def _created(timm: Any, model: str, stride: int) -> nn.Module:
    """A network with random weights, of the wanted stride; a transformer takes any size."""
    for more in ({"output_stride": stride}, {"dynamic_img_size": True}, {}):
        try:
            network = timm.create_model(model, num_classes=0, **more)
        except (TypeError, NotImplementedError, AssertionError):
            continue  # It has no such argument, or not this stride.
        if not hasattr(network, "forward_intermediates"):
            raise ValueError(f"network.options.model: '{model}' does not give intermediate results")
        if int(network.feature_info[-1]["reduction"]) == stride:
            return network
    raise ValueError(f"network.options.stride: timm's '{model}' cannot have a stride of {stride}")
