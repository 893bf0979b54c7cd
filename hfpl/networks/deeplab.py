"""Segmentation network: DeepLab-v1's large field of view on the backbone's last features
[DeepLab]; docs/method.md, 5.1."""

from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, StandsOnBackbone, full_precision, resized, widths


class DeepLab(StandsOnBackbone):
    """Backbone with the segmentation head.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        num_classes: C, background included.
        channels: width of the head.
        dilation: of its 3x3 convolution, in cells.
        dropout: before the classifier, or before the finer maps join.
        bn_momentum: of the head's running statistics.
        skip: width of the maps that join a finer map of the backbone, conv3, to the head's result,
            as DeepLab v3+ does [DeepLabV3Plus]; 0: none, as published.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        channels: int,
        dilation: int,
        dropout: float = 0.5,
        bn_momentum: float = 3e-4,
        skip: int = 0,
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
        self.skip = _Skip(backbone, channels, skip, bn_momentum) if skip else None
        self.cls_conv = nn.Conv2d(skip or channels, num_classes, 1)
        for layer in self.new_layers():
            for module in layer.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out")
                # As published: in no optimiser group, so the affine part stays and only
                # statistics move.
                elif isinstance(module, nn.BatchNorm2d):
                    module.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C, H, W), float32, of normalised images (N, 3, H, W)."""
        features = self.backbone(images)
        x = features["conv6"]
        x = functional.relu(self.bn_fov(self.conv_fov(x)))
        x = functional.relu(self.bn_fov2(self.conv_fov2(x)))
        x = self.dropout(x)
        if self.skip is not None:
            x = self.skip(x, features["conv3"])
        logits = full_precision(self.cls_conv(x))
        return functional.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)


class _Skip(nn.Module):
    """A coarse map and a finer one, side by side at the finer one's size, mixed by a 1x1 and a 3x3
    convolution. The 1x1 one goes before the enlarging: it is linear, and there are fewer cells."""

    def __init__(self, backbone: Backbone, channels: int, width: int, bn_momentum: float) -> None:
        super().__init__()
        (fine,) = widths(backbone, "conv3")
        self.conv_coarse = nn.Conv2d(channels, width, 1, bias=False)
        self.conv_fine = nn.Conv2d(fine, width, 1, bias=False)
        self.bn = nn.BatchNorm2d(width, momentum=bn_momentum)
        self.conv_joined = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn_joined = nn.BatchNorm2d(width, momentum=bn_momentum)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(N, width, h, w) of maps (N, channels, h', w') and (N, D, h, w)."""
        x = resized(self.conv_coarse(coarse), fine.shape[2:]) + self.conv_fine(fine)
        x = functional.relu(self.bn(x))
        return functional.relu(self.bn_joined(self.conv_joined(x)))
