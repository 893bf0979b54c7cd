"""The small backbone: what every backbone offers, and its options."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.backbones import build_backbone

OPTIONS = {"stride": 4, "widths": [2, 3, 4, 5, 6], "blocks": [1, 2, 1, 1], "train_batchnorm": True}


def build(seed: int = 0, **changes):
    torch.manual_seed(seed)
    return build_backbone("small", {**OPTIONS, **changes})


@settings(deadline=None, max_examples=20)
@given(stride=st.sampled_from([4, 8]), height=st.integers(1, 40), width=st.integers(1, 40))
def test_features_have_the_size_and_widths_that_are_announced(stride, height, width):
    backbone = build(stride=stride).eval()
    with torch.no_grad():
        features = backbone(torch.randn(2, 3, height, width))
    assert backbone.stride == stride
    assert backbone.channels == {"conv3": 3, "conv4": 4, "conv5": 5, "conv6": 6}
    assert list(features) == list(backbone.channels)
    for name, channels in backbone.channels.items():
        step = 4 if name == "conv3" else stride
        assert features[name].shape == (2, channels, -(-height // step), -(-width // step))


@pytest.mark.parametrize("stride", [4, 8])
def test_a_cell_lies_over_its_own_pixels(stride):
    """The centre of what a cell sees is the centre of its square, to within half a square."""
    backbone = build(stride=stride).eval()
    side = 16 * stride
    image = torch.zeros(1, 3, side, side, requires_grad=True)
    for cell in ((8, 8), (7, 10)):
        features = backbone(image + torch.randn(1, 3, side, side))["conv4"]
        (gradient,) = torch.autograd.grad(features[0, :, cell[0], cell[1]].sum(), image)
        seen = gradient[0].abs().sum(0).nonzero().float()
        centre = (seen.amin(0) + seen.amax(0)) / 2
        expected = torch.tensor(cell) * stride + (stride - 1) / 2
        assert (centre - expected).abs().max() <= stride / 2


def test_all_parameters_learn():
    backbone = build()
    features = backbone(torch.randn(2, 3, 16, 16))
    features["conv6"].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_an_image_does_not_depend_on_its_neighbours_at_test():
    backbone = build().eval()
    images = torch.randn(3, 3, 20, 20)
    with torch.no_grad():
        together = backbone(images)["conv6"]
        alone = backbone(images[1:2])["conv6"]
    torch.testing.assert_close(together[1:2], alone)


def test_equal_seeds_give_equal_weights():
    one, two, other = build(1).state_dict(), build(1).state_dict(), build(2).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"stride": 16}, "network.options.stride"),
        ({"widths": [1, 2, 3, 4]}, "network.options.widths"),
        ({"widths": [1, 2, 3, 4, 0]}, "network.options.widths"),
        ({"blocks": [1, 1, 1]}, "network.options.blocks"),
        ({"blocks": [1, 1, 1, 0]}, "network.options.blocks"),
    ],
)
def test_options_out_of_range_are_named(changes, key):
    with pytest.raises(ValueError, match=key):
        build(**changes)
