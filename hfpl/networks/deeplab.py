"""Segmentation network: DeepLab-v1's large field of view on the backbone's last features
[DeepLab]; docs/method.md, 5.1."""

from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, StandsOnBackbone, full_precision, widths


class DeepLab(StandsOnBackbone):
    """Backbone with the segmentation head.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        num_classes: C, background included.
        channels: width of the head.
        dilation: of its 3x3 convolution, in cells.
        dropout: before the classifier.
        bn_momentum: of the head's running statistics.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        channels: int,
        dilation: int,
        dropout: float = 0.5,
        bn_momentum: float = 3e-4,
    ) -> None:
        super().__init__(backbone)
        (width,) = widths(backbone, "conv6")
        self.conv_fov = nn.Conv2d(
            width, channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn_fov = nn.BatchNorm2d(channels, momentum=bn_momentum)
        self.conv_fov2 = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn_fov2 = nn.BatchNorm2d(channels, momentum=bn_momentum)
        self.dropout = nn.Dropout(dropout)
        self.cls_conv = nn.Conv2d(channels, num_classes, 1)
        for layer in (self.conv_fov, self.conv_fov2, self.cls_conv):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        # As published: in no optimiser group, so the affine part stays and only statistics move.
        self.bn_fov.requires_grad_(False)
        self.bn_fov2.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C, H, W), float32, of normalised images (N, 3, H, W)."""
        x = self.backbone(images)["conv6"]
        x = functional.relu(self.bn_fov(self.conv_fov(x)))
        x = functional.relu(self.bn_fov2(self.conv_fov2(x)))
        logits = full_precision(self.cls_conv(self.dropout(x)))
        return functional.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)
