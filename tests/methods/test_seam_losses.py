"""SEAM's loss terms against plain loops."""

import math

import numpy as np
import pytest
import torch

from hfpl.plugins.methods.seam.losses import (
    classification,
    enlarged_mean,
    equivariance,
    minimum_response,
    present_classes,
    select_channels,
)

MAPS = ("cam1", "cam_rv1", "cam2", "cam_rv2")


def plain_resize(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear with aligned corners, one output cell at a time."""
    out = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            v = y * (plane.shape[0] - 1) / max(size[0] - 1, 1)
            u = x * (plane.shape[1] - 1) / max(size[1] - 1, 1)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, plane.shape[0] - 1), min(left + 1, plane.shape[1] - 1)
            b, a = v - top, u - left
            upper = (1 - a) * plane[top, left] + a * plane[top, right]
            lower = (1 - a) * plane[bottom, left] + a * plane[bottom, right]
            out[y, x] = (1 - b) * upper + b * lower
    return out


def plain_max_norm(plane: np.ndarray) -> np.ndarray:
    positive = np.maximum(plane, 0)
    low, high = positive.min(), positive.max()
    return np.maximum(positive - low - 1e-5, 0) / (high - low + 1e-5)


def plain_classification(cam: np.ndarray, labels: np.ndarray) -> float:
    values = []
    for n, k in np.ndindex(labels.shape):
        p = 1 / (1 + math.exp(-cam[n, k + 1].mean()))
        values.append(-math.log(p if labels[n, k] else 1 - p))
    return sum(values) / len(values)


def plain_minimum(cam_rv: np.ndarray, labels: np.ndarray) -> float:
    means = []
    for image, tags in zip(cam_rv, labels, strict=True):
        peaks = []
        for y, x in np.ndindex(image.shape[1:]):
            peaks.append(max(image[k + 1, y, x] * tags[k] for k in range(len(tags))))
        quarter = sorted(peaks)[: len(peaks) // 4]
        means.append(sum(max(p, 0) for p in quarter) / len(quarter))
    return sum(means) / len(means)


def plain_one_hot(cam: np.ndarray) -> np.ndarray:
    out = np.zeros_like(cam)
    for y, x in np.ndindex(cam.shape[1:]):
        best = max(cam[1:, y, x])
        out[0, y, x] = 1 - best
        for c in range(1, len(cam)):
            out[c, y, x] = cam[c, y, x] if cam[c, y, x] == best else 0
    return out


def plain_normed(maps: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    out = np.zeros((*maps.shape[:2], *size))
    for n, c in np.ndindex(maps.shape[:2]):
        present = 1 if c == 0 else labels[n, c - 1]
        out[n, c] = plain_resize(plain_max_norm(maps[n, c]), size) * present
    return out


def plain_equivariance(maps: dict[str, np.ndarray], labels: np.ndarray, hot=None):
    """l_er, l_ecr, and the one-hot maps, which may be given: they carry no gradient."""
    size = maps["cam2"].shape[2:]
    c_1, r_1, c_2, r_2 = (plain_normed(maps[name], labels, size) for name in MAPS)
    er = np.mean([abs(a - b) for a, b in zip(c_1[:, 1:].flat, c_2[:, 1:].flat, strict=True)])
    hot = hot or [[plain_one_hot(image) for image in c] for c in (c_1, c_2)]
    ecr = 0.0
    for one_hot, refined in ((hot[1], r_1), (hot[0], r_2)):
        for image, other in zip(one_hot, refined, strict=True):
            differences = sorted(abs(image - other).flat, reverse=True)
            k = int(len(differences) * 0.2)
            ecr += sum(differences[:k]) / k / len(refined)
    return er, ecr, hot


def random_maps(seed: int, classes: int = 4, images: int = 2):
    rng = np.random.default_rng(seed)
    large, small = (9, 11), (5, 4)
    maps = {
        name: rng.normal(size=(images, classes + 1, *(large if name[-1] == "1" else small)))
        for name in MAPS
    }
    labels = (rng.random((images, classes)) < 0.5).astype(float)
    labels[:, 0] = 1
    return maps, labels


def as_tensors(maps, labels):
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in maps.items()}
    return tensors, torch.tensor(labels)


@pytest.mark.parametrize("seed", range(3))
def test_classification_and_minimum_match_loops(seed):
    maps, labels = random_maps(seed)
    tensors, tags = as_tensors(maps, labels)
    for name in MAPS:
        expected = plain_classification(maps[name], labels)
        means = tensors[name][:, 1:].mean((2, 3))
        assert classification(means, tags).item() == pytest.approx(expected, rel=1e-9)
        expected = plain_minimum(maps[name] + 1, labels)
        found = minimum_response(tensors[name] + 1, tags).item()
        assert found == pytest.approx(expected, rel=1e-9)
        assert expected > 0


def compared(tensors, tags):
    """Both terms, of the maps of all classes."""
    cam_1, cam_rv_1, cam_2, cam_rv_2 = tensors.values()
    return equivariance(cam_1[:, 1:], cam_rv_1, cam_2[:, 1:], cam_rv_2, tags, cam_1.shape[1])


def compared_where_present(tensors, tags):
    """Both terms, of the maps of present classes alone."""
    classes, present = present_classes(tags)
    channels = torch.cat([torch.zeros_like(classes[:, :1]), classes + 1], 1)
    cam_1, cam_rv_1, cam_2, cam_rv_2 = (
        select_channels(maps, classes + 1 if name in ("cam1", "cam2") else channels)
        for name, maps in tensors.items()
    )
    return equivariance(cam_1, cam_rv_1, cam_2, cam_rv_2, present, tensors["cam1"].shape[1])


@pytest.mark.parametrize("terms", [compared, compared_where_present])
@pytest.mark.parametrize("seed", range(3))
def test_equivariance_matches_loops(seed, terms):
    maps, labels = random_maps(seed)
    tensors, tags = as_tensors(maps, labels)
    er, ecr = terms(tensors, tags)
    expected_er, expected_ecr, _ = plain_equivariance(maps, labels)
    assert er.item() == pytest.approx(expected_er, rel=1e-9)
    assert ecr.item() == pytest.approx(expected_ecr, rel=1e-9)


@pytest.mark.parametrize("terms", [compared, compared_where_present])
@pytest.mark.parametrize("name", MAPS)
def test_gradients_match_finite_differences_of_the_loops(name, terms):
    """Also through each map's minimum and maximum, and not through the one-hot maps."""
    maps, labels = random_maps(7, classes=2, images=1)
    # Positive, so that the minimum is a value of the map and not the ReLU's zero.
    maps = {key: value + 4 for key, value in maps.items()}
    tensors, tags = as_tensors(maps, labels)
    er, ecr = terms(tensors, tags)
    (gradient,) = torch.autograd.grad(er + 2 * ecr, tensors[name])
    hot = plain_equivariance(maps, labels)[2]
    channel = 1 if "rv" not in name else 0
    plane = maps[name][0, channel]
    cells = [plane.argmin(), plane.argmax(), *np.random.default_rng(0).integers(plane.size, size=4)]
    for cell in cells:
        y, x = np.unravel_index(cell, plane.shape)
        values = []
        for step in (1e-6, -1e-6):
            moved = {key: value.copy() for key, value in maps.items()}
            moved[name][0, channel, y, x] += step
            moved_er, moved_ecr, _ = plain_equivariance(moved, labels, hot)
            values.append(moved_er + 2 * moved_ecr)
        slope = (values[0] - values[1]) / 2e-6
        assert gradient[0, channel, y, x].item() == pytest.approx(slope, abs=1e-7)
    assert gradient[0, channel].abs().max() > 1e-4


def test_an_image_without_classes_has_no_foreground_in_the_regularisation():
    maps, labels = random_maps(1)
    labels[:] = 0
    tensors, tags = as_tensors(maps, labels)
    er, ecr = compared_where_present(tensors, tags)
    gradients = torch.autograd.grad(er + ecr, list(tensors.values()), allow_unused=True)
    assert er.item() == 0
    for gradient in gradients:
        assert gradient is None or gradient[:, 1:].abs().max() == 0
    assert minimum_response(tensors["cam_rv1"], tags).item() == 0


def test_the_losses_are_those_of_each_image_averaged():
    maps, labels = random_maps(3)
    whole, tags = as_tensors(maps, labels)
    together = compared_where_present(whole, tags)
    alone = [
        compared_where_present({k: v[n : n + 1] for k, v in whole.items()}, tags[n : n + 1])
        for n in range(len(labels))
    ]
    for index, value in enumerate(together):
        mean = sum(single[index].item() for single in alone) / len(alone)
        assert value.item() == pytest.approx(mean, rel=1e-12)


def test_present_classes_come_first_and_every_image_has_as_many():
    labels = torch.tensor([[0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]]).float()
    classes, present = present_classes(labels)
    assert classes[0, 0] == 2
    assert classes[1].tolist() == [0, 3]
    assert present.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert all(len(set(row)) == 2 for row in classes.tolist())
    classes, present = present_classes(torch.zeros(2, 3))
    assert classes.shape == present.shape == (2, 1)


def test_channels_of_each_image_are_its_own():
    maps = torch.arange(12.0).view(2, 3, 1, 2).requires_grad_()
    chosen = select_channels(maps, torch.tensor([[2, 0], [1, 1]]))
    assert chosen[:, :, 0].tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]
    chosen.sum().backward()
    assert maps.grad[:, :, 0, 0].tolist() == [[1, 0, 1], [0, 2, 0]]


@pytest.mark.parametrize("size", [(9, 11), (5, 4), (1, 1), (23, 40), (2, 1)])
def test_the_mean_of_enlarged_maps_needs_no_enlarging(size):
    maps = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    expected = [[plain_resize(plane, size).mean() for plane in image] for image in maps]
    found = enlarged_mean(torch.from_numpy(maps), torch.Size(size))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
