"""CAM: a plain classification network, whose classifier is also applied at every position.

The first step of IRN [IRN]; docs/method.md, 7.1. That the gradient
stops after the second stage of a ResNet-50 is an option of that backbone.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import full_precision, widths
from hfpl.plugins.methods.interface import MethodLoss, MethodNetwork, Term, View
from hfpl.plugins.methods.scaling import scale_by_maximum


def build(backbone: nn.Module, num_classes: int) -> "CamNetwork":
    """Build the classification network for K foreground classes; it has no options."""
    return CamNetwork(backbone, num_classes)


class CamNetwork(MethodNetwork):
    """Backbone and ``classifier``, a 1x1 convolution without bias."""

    def __init__(self, backbone: nn.Module, num_classes: int) -> None:
        super().__init__(backbone)
        self.classifier = nn.Conv2d(*widths(backbone, "conv6"), num_classes, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Scores at every position, float32 (N, K, h, w), of normalised images (N, 3, H, W).

        Without a bias, their mean is the classifier's answer to the mean of the features.
        """
        # Elementwise work on a few channels runs faster with each channel in one piece.
        return full_precision(self.classifier(self.backbone(images)["conv6"])).contiguous()

    def losses(self, images: Tensor, labels: Tensor, progress: float) -> MethodLoss:
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.losses`."""
        scores = self(images)
        terms = {"cls": Term(soft_margin(scores, labels), 1.0)}
        return MethodLoss(terms, (View("cls", images, scores),))

    def cams(self, images: Tensor, classes: Sequence[int]) -> Tensor:
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.cams`: the positive scores."""
        return functional.relu(self(images)[:, list(classes)])

    def scaled(self, cams: Tensor) -> Tensor:
        """Divided by the maximum; :meth:`hfpl.plugins.methods.interface.MethodNetwork.scaled`."""
        return scale_by_maximum(cams)


def soft_margin(scores: Tensor, labels: Tensor) -> Tensor:
    """Multi-label soft margin of the spatial mean of scores (N, K, h, w)."""
    return functional.binary_cross_entropy_with_logits(scores.mean((2, 3)), labels)
