"""Networks of the library timm [TIMM], vision transformers among them.

The library needs torchvision, and so another torch than the project's: an environment of its own
(docs/weights.md). Weights are files with timm's names.
"""

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hfpl.images.normalise import ColourStatistics
from hfpl.networks.interface import Backbone, Features
from hfpl.sections.section import Text

_NAMES = ("conv4", "conv5", "conv6")


def build(
    *, name: Text, maps: Annotated[list[int], Field(min_length=3, max_length=3)], fixed_norms: bool
) -> "TimmBackbone":
    """Build a network of timm.

    Args:
        name: of the network, as timm.list_models() has it.
        maps: numbers of three of its intermediate results, the deepest last; negative ones count
            from the end.
        fixed_norms: keep layers that normalise as loaded.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            "network.backbone: 'timm' needs the library timm, in an environment of its own (see "
            f"docs/weights.md): {error}"
        ) from None
    if len(maps) != len(_NAMES):
        raise ValueError(f"network.options.maps: expected three numbers, found {maps}")
    if name not in timm.list_models():
        close = timm.list_models(f"*{name.split('_')[0]}*")[:5]
        raise ValueError(
            f"network.options.name: timm has no network '{name}'"
            + (f"; it has {', '.join(close)}, …" if close else "")
        )
    return TimmBackbone(_created(timm, name), maps, fixed_norms)


class TimmBackbone(Backbone):
    """A network of timm without its head, and three of its intermediate results.

    Sides that are no multiple of the stride are padded with zeros, right and below. Results on a
    finer grid than the deepest one are averaged over its cells.
    """

    weights_prefix = "network."

    def __init__(self, network: nn.Module, maps: list[int], fixed_norms: bool) -> None:
        super().__init__()
        self.network = network
        self.maps = list(maps)
        self.norms_fixed = fixed_norms
        known = network.feature_info
        chosen = [known[number] for number in self.maps]
        self.stride = int(chosen[-1]["reduction"])
        self.channels = {n: int(c["num_chs"]) for n, c in zip(_NAMES, chosen, strict=True)}
        config: dict[str, Any] = network.pretrained_cfg
        self.statistics = ColourStatistics(tuple(config["mean"]), tuple(config["std"]))

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W)."""
        height, width = (-side % self.stride for side in images.shape[2:])
        padded = functional.pad(images, (0, width, 0, height))
        found = self.network.forward_intermediates(
            padded, indices=self.maps, output_fmt="NCHW", intermediates_only=True
        )
        size = tuple(side // self.stride for side in padded.shape[2:])
        return {
            name: map_ if map_.shape[2:] == size else functional.adaptive_avg_pool2d(map_, size)
            for name, map_ in zip(_NAMES, found, strict=True)
        }


def _created(timm: Any, name: str) -> nn.Module:
    """A network with random weights; a transformer takes images of any size."""
    try:
        network = timm.create_model(name, num_classes=0, dynamic_img_size=True)
    except TypeError:  # only transformers have positions to interpolate
        network = timm.create_model(name, num_classes=0)
    if not hasattr(network, "forward_intermediates"):
        raise ValueError(f"network.options.name: '{name}' does not give intermediate results")
    return network
