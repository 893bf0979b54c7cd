"""AffinityNet: features whose distance tells whether two cells belong together.

Source: [PSA]; docs/method.md, 4.1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, StandsOnBackbone, full_precision, widths


class AffinityNetwork(StandsOnBackbone):
    """Backbone with the affinity head.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        channels: widths of f8_3, f8_4 and f8_5.
    """

    def __init__(self, backbone: Backbone, channels: tuple[int, int, int]) -> None:
        super().__init__(backbone)
        d4, d5, d6 = widths(backbone, "conv4", "conv5", "conv6")
        a, b, c = channels
        self.f8_3 = nn.Conv2d(d4, a, 1, bias=False)
        self.f8_4 = nn.Conv2d(d5, b, 1, bias=False)
        self.f8_5 = nn.Conv2d(d6, c, 1, bias=False)
        self.f9 = nn.Conv2d(a + b + c, a + b + c, 1, bias=False)
        for layer in (self.f8_3, self.f8_4, self.f8_5):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.xavier_uniform_(self.f9.weight, gain=4)

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, a + b + c, h, w), float32, of normalised images (N, 3, H, W)."""
        features = self.backbone(images)
        layers = {"conv4": self.f8_3, "conv5": self.f8_4, "conv6": self.f8_5}
        parts = [functional.elu(layer(features[name])) for name, layer in layers.items()]
        return full_precision(functional.elu(self.f9(torch.cat(parts, 1))))
