"""Pixel-to-prototype contrast against plain loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.methods.ppc.contrast import (
    Compared,
    class_scores,
    contrast,
    contrasts,
    halves,
    intra_view_contrast,
    prototypes,
    pseudo_labels,
    semi_hard_places,
)

SHAPES = {
    "images": st.integers(1, 3),
    "channels": st.integers(2, 6),
    "height": st.integers(1, 5),
    "width": st.integers(1, 6),
    "seed": st.integers(0, 99),
}


def plain_scores(refined: np.ndarray, background: float) -> np.ndarray:
    out = np.zeros_like(refined)
    for i, c in np.ndindex(*refined.shape[:2]):
        values = [max(v, 0) for v in refined[i, c].flat]
        low, high = min(values), max(values)
        kept = [0 if v < low + 1e-5 else v for v in values]
        scaled = [(v - low - 1e-5) / (high - low + 1e-5) for v in kept]
        out[i, c] = np.reshape(scaled, refined.shape[2:])
    out[:, 0] = background
    return out


def plain_labels(scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """Argmax of the softmax over channels, absent classes scoring 0."""
    found = []
    for i in range(len(scores)):
        present = [1, *labels[i]]
        for y, x in np.ndindex(*scores.shape[2:]):
            powers = [math.exp(s * t) for s, t in zip(scores[i, :, y, x], present, strict=True)]
            found.append(int(np.argmax([p / sum(powers) for p in powers])))
    return found


def unit(vector: np.ndarray) -> np.ndarray:
    norm = math.sqrt(sum(vector**2))
    return vector / norm if norm else vector


def plain_prototypes(features: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Weighted means at the places of the highest 1/8 of each channel's scores, ties included."""
    found = []
    for c in range(scores.shape[1]):
        values = [scores[i, c, y, x] for i in range(len(scores))
                  for y, x in np.ndindex(*scores.shape[2:])]  # fmt: skip
        last = sorted(values, reverse=True)[max(1, len(values) // 8) - 1]
        total, weight = np.zeros(features.shape[1]), 0.0
        for feature, value in zip(features, values, strict=True):
            if value >= last:
                total, weight = total + value * feature, weight + value
        found.append(unit(total / weight))
    return np.array(found)


def plain_nce(feature: np.ndarray, positive: np.ndarray, others: list[np.ndarray]) -> float:
    powers = sum(math.exp(float(feature @ other) / 0.1) for other in others)
    return -math.log(math.exp(float(feature @ positive) / 0.1) / powers)


def plain_intra(features, means, targets, drawn, places) -> float:
    """``drawn``: class → random half of its positions; ``places``: bounds of the semi-hard ones."""
    per_class = []
    for c in sorted(set(targets)):
        members = [p for p, target in enumerate(targets) if target == c]
        count = len(members)
        hardest = sorted(members, key=lambda p: float(features[p] @ means[c]))
        hardest = hardest[: math.floor(0.6 * count + 1e-9)]
        half = hardest[len(hardest) - count // 2 :]
        chosen = [members[place] for place in drawn[c]] + half
        losses = []
        for p in chosen:
            ranked = sorted(means, key=lambda m: -float(features[p] @ m))
            others = ranked[places[0] : places[1]]
            losses.append(plain_nce(features[p], means[c], [means[c], *others]))
        per_class.append(sum(losses) / len(losses) if losses else 0.0)
    return sum(per_class) / len(per_class)


def random_case(images, channels, height, width, seed):
    """Refined maps, image-level labels, and features of as many positions, in float64."""
    rng = np.random.default_rng(seed)
    refined = rng.normal(0.3, 1, (images, channels, height, width))
    labels = (rng.random((images, channels - 1)) < 0.5).astype(float)
    features = np.maximum(rng.normal(size=(images * height * width, 5)), 0)
    return refined, labels, features


@settings(deadline=None, max_examples=40)
@given(**SHAPES)
def test_scores_pseudo_labels_and_prototypes_match_loops(images, channels, height, width, seed):
    refined, labels, features = random_case(images, channels, height, width, seed)
    scores = class_scores(torch.from_numpy(refined), 0.2)
    expected = plain_scores(refined, 0.2)
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-12)
    found = pseudo_labels(scores, torch.from_numpy(labels))
    assert found.tolist() == plain_labels(expected, labels)
    means = prototypes(torch.from_numpy(features), scores)
    np.testing.assert_allclose(means.numpy(), plain_prototypes(features, expected), atol=1e-9)


def test_an_image_without_classes_is_background():
    refined, _, _ = random_case(2, 4, 3, 5, 0)
    scores = class_scores(torch.from_numpy(refined), 0.2)
    labels = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    found = pseudo_labels(scores, labels).view(2, 15)
    assert set(found[0].tolist()) == {0}
    assert set(found[1].tolist()) == {0, 1, 3}


def test_the_background_s_prototype_is_the_mean_of_all_features():
    refined, _, features = random_case(2, 3, 4, 4, 1)
    means = prototypes(torch.from_numpy(features), class_scores(torch.from_numpy(refined), 0.2))
    np.testing.assert_allclose(means[0].numpy(), unit(features.mean(0)), atol=1e-12)


def test_a_channel_without_activation_has_the_mean_of_all_features():
    _, _, features = random_case(2, 3, 4, 4, 2)
    scores = class_scores(-torch.ones(2, 3, 4, 4, dtype=torch.float64), 0.2)
    assert (scores[:, 1:] == -1).all()
    means = prototypes(torch.from_numpy(features), scores)
    np.testing.assert_allclose(means[1].numpy(), unit(features.mean(0)), atol=1e-12)


def random_view(positions: int, channels: int, seed: int):
    """Unit features, unit prototypes and targets that leave out the last channel."""
    rng = np.random.default_rng(seed)
    features = np.array([unit(v) for v in np.abs(rng.normal(size=(positions, 5)))])
    means = np.array([unit(v) for v in np.abs(rng.normal(size=(channels, 5)))])
    return features, means, rng.integers(0, max(1, channels - 1), positions)


@pytest.mark.parametrize("channels", [2, 4, 7, 21])
@pytest.mark.parametrize("seed", range(3))
def test_contrast_matches_loops(channels, seed):
    features, means, targets = random_view(12, channels, seed)
    losses = [plain_nce(f, means[t], list(means)) for f, t in zip(features, targets, strict=True)]
    found = contrast(*map(torch.from_numpy, (features, means, targets)))
    assert found.item() == pytest.approx(sum(losses) / len(losses), rel=1e-9)


def drawn_halves(targets: np.ndarray, seed: int) -> dict[int, list[int]]:
    """What torch's generator draws for each class, in the order of the classes."""
    torch.manual_seed(seed)
    found = {}
    for c in sorted(set(targets.tolist())):
        count = int((targets == c).sum())
        found[c] = torch.randperm(count)[: count // 2].tolist()
    return found


@pytest.mark.parametrize(("channels", "places"), [(2, (0, 1)), (4, (1, 2)), (7, (1, 4)),
                                                  (21, (3, 13))])  # fmt: skip
@pytest.mark.parametrize("positions", [1, 2, 30])
def test_intra_view_contrast_matches_loops(channels, places, positions):
    features, means, targets = random_view(positions, channels, channels)
    drawn = drawn_halves(targets, 5)
    torch.manual_seed(5)
    found = intra_view_contrast(*map(torch.from_numpy, (features, means, targets)))
    expected = plain_intra(features, means, targets.tolist(), drawn, places)
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert positions < 4 or expected > 0


@pytest.mark.parametrize(("channels", "first", "last"), [(21, 3, 13), (81, 12, 50), (7, 1, 4),
                                                         (3, 0, 2), (2, 0, 1)])  # fmt: skip
def test_both_bounds_of_the_semi_hard_grow_with_the_channels(channels, first, last):
    assert semi_hard_places(channels) == (first, last)
    assert 0 <= first < last <= channels


@pytest.mark.parametrize("count", range(12))
def test_halves_by_hand(count):
    similarity = torch.from_numpy(np.random.default_rng(count).permutation(count) / 12)
    torch.manual_seed(1)
    found = halves(similarity)
    torch.manual_seed(1)
    drawn = torch.randperm(count)[: count // 2]
    assert found[: count // 2].tolist() == drawn.tolist()
    # Ranks of the hard half, from the least similar position on.
    ranks = sorted((similarity[found[count // 2 :]] * 12).round().int().tolist())
    sixty = count * 6 // 10
    assert ranks == list(range(sixty - count // 2, sixty))
    assert len(found) == 2 * (count // 2)


def test_the_draw_follows_torch_s_seed():
    view = [torch.from_numpy(a) for a in random_view(40, 4, 0)]
    torch.manual_seed(3)
    one = [intra_view_contrast(*view).item() for _ in range(3)]
    torch.manual_seed(3)
    assert [intra_view_contrast(*view).item() for _ in range(3)] == one
    assert len(set(one)) == 3


def test_each_term_takes_the_prototypes_and_labels_it_should():
    one, two = (random_view(10, 5, seed) for seed in (1, 2))
    views = [Compared(*map(torch.from_numpy, view)) for view in (one, two)]
    torch.manual_seed(0)
    found = contrasts(*views)

    def nce(features, means, targets):
        pairs = zip(features, targets, strict=True)
        return np.mean([plain_nce(f, means[t], list(means)) for f, t in pairs])

    (f_1, m_1, t_1), (f_2, m_2, t_2) = one, two
    crossed = (nce(f_1, m_2, t_1) + nce(f_2, m_1, t_2)) / 2
    assert found["cross_prototype"].item() == pytest.approx(crossed, rel=1e-9)
    labelled = (nce(f_1, m_1, t_2) + nce(f_2, m_2, t_1)) / 2
    assert found["cross_label"].item() == pytest.approx(labelled, rel=1e-9)
    torch.manual_seed(0)
    intra = sum(intra_view_contrast(*view) for view in views) / 2
    assert found["intra"].item() == pytest.approx(intra.item(), rel=1e-12)


def test_a_position_without_features_gives_no_broken_gradient():
    features = torch.zeros(4, 5, requires_grad=True)
    unit_vectors = torch.nn.functional.normalize(features.relu(), dim=1)
    means = torch.nn.functional.normalize(torch.ones(3, 5), dim=1)
    targets = torch.tensor([0, 1, 1, 2])
    (contrast(unit_vectors, means, targets) + intra_view_contrast(unit_vectors, means, targets)
     ).backward()  # fmt: skip
    assert torch.isfinite(features.grad).all()
