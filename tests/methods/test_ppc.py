"""PPC: what it adds to SEAM, put together by hand from the tested parts."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from hfpl.plugins.methods.ppc.contrast import (
    Compared,
    class_scores,
    contrasts,
    prototypes,
    pseudo_labels,
)

OPTIONS = {
    "view_size": 12,
    "pcm_channels": [3, 4],
    "dropout": 0.0,
    "projection": 8,
    "background": 0.2,
    "weight": 0.1,
}


def make(build, **changes):
    return build("ppc", **{**OPTIONS, **changes})


def test_the_second_view_is_a_square_whatever_the_first_is(build, batch):
    network = make(build)
    images, labels = batch(2, 3, 24, 20)
    one, two = network.losses(images, labels, 0.0).views
    small = functional.interpolate(images, (12, 12), mode="bilinear", align_corners=True)
    torch.testing.assert_close(two.image, small)
    assert one.image is images
    torch.testing.assert_close(one.foreground, network(images).logits[:, 1:])
    torch.testing.assert_close(two.background, network(small).logits[:, :1])


@pytest.mark.parametrize("side", [24, 20])
def test_with_equal_views_its_other_terms_are_seam_s(build, batch, side):
    network = make(build, view_size=side // 2)
    seam = build("seam", view_scale=0.5, pcm_channels=[3, 4], dropout=0.0)
    seam.load_state_dict({n: v for n, v in network.state_dict().items() if "proj_fc" not in n})
    images, labels = batch(3, 3, side, side)
    expected = seam.losses(images, labels, 0.0)
    found = network.losses(images, labels, 0.0)
    added = ["cross_prototype", "cross_label", "intra"]
    assert list(found.terms) == [*expected.terms, *added]
    for name, term in expected.terms.items():
        assert found.terms[name].weight == term.weight
        torch.testing.assert_close(found.terms[name].value, term.value)
    assert [found.terms[name].weight for name in added] == [0.1] * 3
    torch.testing.assert_close(network.cams(images, [1, 0]), seam.cams(images, [1, 0]))
    merged = torch.rand(2, 5, 6)
    assert torch.equal(network.scaled(merged), seam.scaled(merged))


def aligned_resize(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear with aligned corners, one cell at a time."""
    out = np.zeros((*maps.shape[:2], *size))
    for y, x in np.ndindex(*size):
        v = y * (maps.shape[2] - 1) / max(size[0] - 1, 1)
        u = x * (maps.shape[3] - 1) / max(size[1] - 1, 1)
        top, left = int(v), int(u)
        bottom, right = min(top + 1, maps.shape[2] - 1), min(left + 1, maps.shape[3] - 1)
        b, a = v - top, u - left
        upper = (1 - a) * maps[..., top, left] + a * maps[..., top, right]
        lower = (1 - a) * maps[..., bottom, left] + a * maps[..., bottom, right]
        out[..., y, x] = (1 - b) * upper + b * lower
    return out


def plain_view(network, images: torch.Tensor, labels: torch.Tensor, grid) -> Compared:
    """Features, prototypes and pseudo-labels of a view on a grid."""
    features = network.backbone(images)["conv6"].detach().double().numpy()
    weights = network.proj_fc.weight.detach().double().numpy()[:, :, 0, 0]
    projected = np.maximum(np.einsum("dc,nchw->ndhw", weights, features), 0)
    rows = aligned_resize(projected, grid).transpose(0, 2, 3, 1).reshape(-1, len(weights))
    refined = network.maps(images).refined.detach().double().numpy()
    scores = class_scores(torch.from_numpy(aligned_resize(refined, grid)), 0.2)
    norms = np.array([max(math.sqrt(sum(row**2)), 1e-12) for row in rows])
    return Compared(
        torch.from_numpy(rows / norms[:, None]),
        prototypes(torch.from_numpy(rows), scores),
        pseudo_labels(scores, labels.double()),
    )


def test_its_own_terms_compare_both_views_on_the_second_one_s_grid(build, batch, sizes):
    network = make(build)
    images, labels = batch(sizes[0], 3, *sizes[1:])
    torch.manual_seed(4)
    found = network.losses(images, labels, 0.0).terms
    small = functional.interpolate(images, (12, 12), mode="bilinear", align_corners=True)
    views = [plain_view(network, view, labels, (3, 3)) for view in (images, small)]
    torch.manual_seed(4)
    for name, value in contrasts(*views).items():
        assert found[name].value.item() == pytest.approx(value.item(), rel=1e-4), name


def test_its_own_terms_train_the_projection_and_the_backbone_alone(build, batch):
    network = make(build)
    images, labels = batch(3, 3, 24, 24)
    labels[:] = 1
    terms = network.losses(images, labels, 0.0).terms
    sum(terms[name].value for name in ("cross_prototype", "cross_label", "intra")).backward()
    moved = {name for name, p in network.named_parameters() if p.grad is not None}
    heads = {name for name in moved if not name.startswith("backbone.")}
    assert heads == {"proj_fc.weight"}
    assert "backbone.first.weight" in moved


def test_features_and_scores_see_the_same_dropout(build, batch):
    network = make(build, dropout=0.5)
    images, _ = batch(2, 3, 24, 24)
    torch.manual_seed(0)
    maps = network.maps(images)
    torch.testing.assert_close(maps.logits, network.fc8(maps.features))
    dropped = (maps.features == 0).all(2).all(2)
    assert dropped.any()


def test_what_is_drawn_follows_torch_s_seed(build, batch):
    network = make(build)
    images, labels = batch(3, 3, 24, 24)
    labels[:] = 1

    def intra(seed):
        torch.manual_seed(seed)
        return network.losses(images, labels, 0.0).terms["intra"].value.item()

    assert intra(0) == intra(0)
    assert len({intra(seed) for seed in range(5)}) > 1


def test_losses_are_finite_and_float32_under_autocast(build, batch):
    network = make(build)
    images, labels = batch(2, 3, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        terms = network.losses(images, labels, 0.0).terms
    for name, term in terms.items():
        assert term.value.dtype == torch.float32, name
        assert torch.isfinite(term.value), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view_size", 1),
        ("pcm_channels", [3]),
        ("dropout", 1.0),
        ("projection", 0),
        ("background", 1.0),
        ("weight", -0.1),
    ],
)
def test_options_out_of_range_are_named(build, name, value):
    with pytest.raises(ValueError, match=f"cam.methods.ppc.{name}"):
        make(build, **{name: value})
