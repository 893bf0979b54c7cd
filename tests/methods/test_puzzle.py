"""PuzzleCAM: tiles cut and joined by loops, its loss against plain computation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.methods.puzzle import join, tiles

STRIDE = 4


def plain_tiles(image: np.ndarray, stride: int) -> dict[tuple[int, int], np.ndarray]:
    """Row and column → tile of one image (3, H, W), zeros where it has no pixels."""
    height, width = (math.ceil(side / (2 * stride)) * stride for side in image.shape[1:])
    found = {}
    for row, column in np.ndindex(2, 2):
        tile = np.zeros((3, height, width), np.float32)
        for channel, y, x in np.ndindex(*tile.shape):
            at = row * height + y, column * width + x
            if at[0] < image.shape[1] and at[1] < image.shape[2]:
                tile[channel, y, x] = image[channel, at[0], at[1]]
        found[row, column] = tile
    return found


def plain_tiled(network, images: torch.Tensor) -> np.ndarray:
    """Scores of each tile by itself, put where the tile lies, at the whole image's size."""
    h, w = (math.ceil(side / STRIDE) for side in images.shape[2:])
    out = np.zeros((len(images), 3, h, w))
    for i, image in enumerate(images.numpy()):
        for (row, column), tile in plain_tiles(image, STRIDE).items():
            maps = network(torch.from_numpy(tile)[None])[0].detach().numpy()
            for k, y, x in np.ndindex(*maps.shape):
                at = row * maps.shape[1] + y, column * maps.shape[2] + x
                if at[0] < h and at[1] < w:
                    out[i, k, at[0], at[1]] = maps[k, y, x]
    return out


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 4]))
def test_tiles_match_loops(images, height, width, stride):
    batch = torch.arange(images * 3 * height * width).float().view(images, 3, height, width) + 1
    found = tiles(batch, stride).numpy()
    assert len(found) == 4 * images
    for i, image in enumerate(batch.numpy()):
        for (row, column), tile in plain_tiles(image, stride).items():
            np.testing.assert_array_equal(found[(2 * row + column) * images + i], tile)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_joining_undoes_the_cutting(images, height, width):
    batch = torch.randn(images, 5, 2 * height, 2 * width)
    assert torch.equal(join(tiles(batch, 1)), batch)


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.5, 0.9])
def test_losses_match_plain_computation(build, batch, plain_margin, sizes, progress):
    network = build("puzzle", alpha=4.0)
    images, labels = batch(sizes[0], 3, *sizes[1:])
    loss = network.losses(images, labels, progress)
    whole, tiled = network(images).detach().numpy(), plain_tiled(network, images)
    difference = 0.0
    for i, k, y, x in np.ndindex(*whole.shape):
        difference += abs(whole[i, k, y, x] - tiled[i, k, y, x]) * float(labels[i, k])
    expected = {
        "cls": plain_margin(whole, labels),
        "cls_tiled": plain_margin(tiled, labels),
        "reconstruction": difference / whole.size,
    }
    assert list(loss.terms) == list(expected)
    for name, value in expected.items():
        assert loss.terms[name].value.item() == pytest.approx(value, rel=1e-4, abs=1e-7), name
    # Grown linearly from 0 to 4 at half of the training.
    alpha = 4 * progress / 0.5 if progress < 0.5 else 4
    weights = [term.weight for term in loss.terms.values()]
    assert weights == [1, 1, pytest.approx(alpha)]


def test_the_one_view_is_the_whole_image(build, batch):
    network = build("puzzle", alpha=1.0)
    images, labels = batch(2, 3, 21, 18)
    (view,) = network.losses(images, labels, 0.3).views
    assert view.term == "cls"
    assert view.image is images
    torch.testing.assert_close(view.foreground, network(images))


def test_cells_that_see_nothing_beyond_themselves_are_reconstructed(build, batch):
    network = build("puzzle", blind=True, alpha=1.0)
    images, labels = batch(3, 3, 32, 24)
    labels[:] = 1
    reconstruction = network.losses(images, labels, 0.5).terms["reconstruction"].value
    assert reconstruction.item() < 1e-6
    seeing = build("puzzle", alpha=1.0).losses(images, labels, 0.5).terms["reconstruction"].value
    assert seeing.item() > 1e-3


def test_reconstruction_moves_both_sides_and_present_classes_alone(build, batch):
    network = build("puzzle", alpha=1.0)
    images, labels = batch(1, 3, 16, 16)
    labels[0] = torch.tensor([0.0, 1.0, 0.0])
    whole, tiled = [], []

    def keep(module, inputs, output):
        output.retain_grad()
        (whole if len(output) == 1 else tiled).append(output)

    network.classifier.register_forward_hook(keep)
    network.losses(images, labels, 0.5).terms["reconstruction"].value.backward()
    for (scores,) in (whole, tiled):
        moved = scores.grad.abs().amax((0, 2, 3))
        assert moved[1] > 0
        assert moved[0] == moved[2] == 0


def test_a_negative_weight_is_named(build):
    with pytest.raises(ValueError, match=r"cam.methods.puzzle.alpha"):
        build("puzzle", alpha=-1.0)
