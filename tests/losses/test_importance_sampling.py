"""Importance sampling loss against plain loops and against its expectation."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.losses import (
    draw_positions,
    expected_importance_sampling_loss,
    importance_sampling_loss,
)

FORMS = ("binomial", "multinomial")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_case(form: str, images: int, classes: int, height: int, width: int, seed: int = 0):
    g = seeded(seed)
    channels = classes + (form == "multinomial")
    scores = 2 * torch.randn(images, channels, height, width, generator=g)
    labels = (torch.rand(images, classes, generator=g) < 0.5).float()
    return scores, labels


def plain_probability(scores: list[float], channel: int, form: str) -> float:
    """Probability of one channel at one position, from that position's scores."""
    if form == "binomial":
        return 1 / (1 + math.exp(-scores[channel]))
    return math.exp(scores[channel + 1]) / sum(math.exp(s) for s in scores)


def plain_weights(scores: torch.Tensor, form: str) -> list[list[list[float]]]:
    """Normalised draw probabilities [image][class][position]."""
    flat = scores.double().flatten(2)
    classes = flat.shape[1] - (form == "multinomial")
    shift = 1e-5 if form == "binomial" else 0.0
    weights = []
    for image in flat:
        rows = []
        for k in range(classes):
            row = [plain_probability(p.tolist(), k, form) + shift for p in image.unbind(1)]
            rows.append([w / sum(row) for w in row])
        weights.append(rows)
    return weights


def plain_entropy(position_scores: list[float], k: int, target: float, form: str) -> float:
    p = plain_probability(position_scores, k, form)
    if form == "multinomial":
        # The logit ln(p(1-e)+e) - ln(1-p(1-e)) as a probability.
        above, below = p * (1 - 1e-3) + 1e-3, 1 - p * (1 - 1e-3)
        p = above / (above + below)
    return -(target * math.log(p) + (1 - target) * math.log(1 - p))


def plain_loss(scores, labels, positions, form: str) -> float:
    flat = scores.double().flatten(2)
    terms = [
        plain_entropy(flat[n, :, i].tolist(), k, labels[n, k].item(), form)
        for n, per_image in enumerate(positions.tolist())
        for k, drawn in enumerate(per_image)
        for i in drawn
    ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=25)
@given(
    images=st.integers(1, 3),
    classes=st.integers(1, 5),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    draws=st.integers(1, 7),
    seed=st.integers(0, 10**6),
)
def test_fixed_draws_match_a_plain_loop(form, images, classes, height, width, draws, seed):
    scores, labels = make_case(form, images, classes, height, width, seed)
    positions = torch.randint(height * width, (images, classes, draws), generator=seeded(seed))
    loss = importance_sampling_loss(scores, labels, form=form, positions=positions)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        plain_loss(scores, labels, positions, form), rel=1e-5, abs=2e-6
    )


@pytest.mark.parametrize("form", FORMS)
def test_gradient_flows_through_the_drawn_values_only(form):
    scores, labels = make_case(form, 2, 3, 3, 4)
    scores = scores.double().requires_grad_()
    positions = draw_positions(scores, form=form, samples=2, generator=seeded(1))
    importance_sampling_loss(scores, labels, form=form, positions=positions).backward()
    numeric = torch.zeros_like(scores)
    step = 1e-6
    for index in range(scores.numel()):
        moved = [scores.detach().clone() for _ in range(2)]
        for values, sign in zip(moved, (1, -1), strict=True):
            values.view(-1)[index] += sign * step
        up, down = (plain_loss(values, labels, positions, form) for values in moved)
        numeric.view(-1)[index] = (up - down) / (2 * step)
    torch.testing.assert_close(scores.grad, numeric, rtol=1e-5, atol=1e-8)


def test_binomial_gradient_adds_up_over_repeated_draws():
    scores, labels = make_case("binomial", 2, 3, 4, 5)
    scores.requires_grad_()
    positions = torch.tensor([0, 0, 7]).expand(2, 3, 3)
    importance_sampling_loss(scores, labels, positions=positions).backward()
    residual = (scores.detach().sigmoid() - labels[:, :, None, None]).flatten(2)
    expected = torch.zeros_like(residual)
    expected[:, :, 0] = 2 * residual[:, :, 0] / 18
    expected[:, :, 7] = residual[:, :, 7] / 18
    torch.testing.assert_close(scores.grad.flatten(2), expected)


@pytest.mark.parametrize("form", FORMS)
def test_draws_follow_the_stated_probabilities(form):
    scores, _ = make_case(form, 2, 3, 3, 5)
    draws = 200_000
    positions = draw_positions(scores, form=form, samples=draws, generator=seeded(3))
    assert positions.shape == (2, 3, draws)
    assert positions.dtype == torch.int64
    expected = torch.tensor(plain_weights(scores, form), dtype=torch.float64)
    for n in range(2):
        for k in range(3):
            frequency = positions[n, k].bincount(minlength=15) / draws
            deviation = (expected[n, k] * (1 - expected[n, k]) / draws).sqrt()
            assert ((frequency - expected[n, k]).abs() <= 4.5 * deviation).all()


@pytest.mark.parametrize("form", FORMS)
def test_draws_of_different_classes_are_independent(form):
    scores = torch.zeros(1, 2 + (form == "multinomial"), 1, 2)
    first, second = draw_positions(scores, form=form, samples=10_000, generator=seeded(0))[0]
    agreement = (first == second).double().mean().item()
    assert agreement == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize("form", FORMS)
def test_sampled_loss_averages_to_its_expectation(form):
    scores, labels = make_case(form, 2, 4, 5, 3)
    draws = 100_000
    loss = importance_sampling_loss(
        scores, labels, form=form, samples=draws, generator=seeded(5)
    ).item()
    mean, variance = 0.0, 0.0
    for n, per_class in enumerate(plain_weights(scores, form)):
        for k, weights in enumerate(per_class):
            entropies = [
                plain_entropy(position.tolist(), k, labels[n, k].item(), form)
                for position in scores[n].double().flatten(1).unbind(1)
            ]
            first = sum(q * e for q, e in zip(weights, entropies, strict=True))
            second = sum(q * e * e for q, e in zip(weights, entropies, strict=True))
            mean += first / 8
            variance += (second - first**2) / draws / 64
    assert abs(loss - mean) <= 4 * math.sqrt(variance)
    if form == "binomial":
        expected = expected_importance_sampling_loss(scores, labels).item()
        assert expected == pytest.approx(mean, rel=1e-5)


def test_gradient_of_the_expectation_holds_the_draw_fixed():
    scores, labels = make_case("binomial", 2, 3, 4, 3)
    scores.requires_grad_()
    expected_importance_sampling_loss(scores, labels).backward()
    weights = torch.tensor(plain_weights(scores.detach(), "binomial")).view(2, 3, 4, 3)
    residual = scores.detach().sigmoid() - labels[:, :, None, None]
    torch.testing.assert_close(scores.grad, weights * residual / 6, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_generator_state_decides_the_draw(form):
    scores, labels = make_case(form, 2, 3, 6, 6)
    loss = partial(importance_sampling_loss, form=form, samples=10)
    before = torch.get_rng_state()
    first = draw_positions(scores, form=form, samples=10, generator=seeded(7))
    assert torch.equal(first, draw_positions(scores, form=form, samples=10, generator=seeded(7)))
    assert not torch.equal(
        first, draw_positions(scores, form=form, samples=10, generator=seeded(8))
    )
    sampled = loss(scores, labels, generator=seeded(7))
    fixed = importance_sampling_loss(scores, labels, form=form, positions=first)
    assert torch.equal(sampled, fixed)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(9)
    default = loss(scores, labels)
    torch.manual_seed(9)
    assert torch.equal(default, loss(scores, labels))


@pytest.mark.parametrize("form", FORMS)
def test_images_without_any_class_are_drawn_too(form):
    scores, _ = make_case(form, 1, 3, 4, 4)
    scores.requires_grad_()
    loss = importance_sampling_loss(scores, torch.zeros(1, 3), form=form, generator=seeded(0))
    loss.backward()
    assert loss.item() > 0
    assert (scores.grad[:, -3:].flatten(2) != 0).any(2).all()


def test_binomial_draw_is_uniform_where_every_score_is_hopeless():
    positions = draw_positions(
        torch.full((1, 1, 1, 4), -200.0), samples=20_000, generator=seeded(0)
    )
    frequency = positions.flatten().bincount(minlength=4) / 20_000
    torch.testing.assert_close(frequency, torch.full((4,), 0.25), rtol=0, atol=0.015)


def test_multinomial_draw_survives_underflow():
    scores = torch.zeros(1, 2, 1, 3)
    # exp(-300) is 0 in float32, yet the second position is e times likelier than the others.
    scores[0, 1, 0] = torch.tensor([-300.0, -299.0, -300.0])
    positions = draw_positions(scores, form="multinomial", samples=50_000, generator=seeded(0))
    frequency = positions.flatten().bincount(minlength=3) / 50_000
    expected = torch.tensor([1.0, math.e, 1.0]) / (2 + math.e)
    torch.testing.assert_close(frequency, expected, rtol=0, atol=0.01)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_extreme_scores_give_finite_loss_and_gradient(form, extreme):
    scores = torch.zeros(1, 1 + (form == "multinomial"), 2, 2)
    scores[:, -1] = extreme
    scores.requires_grad_()
    labels = torch.ones(1, 1)
    loss = importance_sampling_loss(scores, labels, form=form, generator=seeded(0))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    # Sure and right costs nothing; sure and wrong costs the logit, which e bounds by ln 1000.
    wrong = -extreme if form == "binomial" else -math.log(1e-3 / (1 + 1e-3))
    right = 0.0 if form == "binomial" else math.log((1 + 1e-3) / 1)
    assert loss.item() == pytest.approx(wrong if extreme < 0 else right, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("score", "label", "expected"),
    [(math.inf, 1, 0.0), (math.inf, 0, math.inf), (-math.inf, 0, 0.0), (-math.inf, 1, math.inf)],
)
def test_infinite_logits_cost_what_very_large_ones_tend_to(score, label, expected):
    scores = torch.full((1, 1, 2, 2), score, requires_grad=True)
    labels = torch.full((1, 1), float(label))
    for loss in (importance_sampling_loss, expected_importance_sampling_loss):
        (gradient,) = torch.autograd.grad(value := loss(scores, labels), scores)
        assert value.item() == expected
        slope = 0.0 if expected == 0 else math.copysign(1.0, score)
        assert gradient.sum().item() == slope


@pytest.mark.parametrize("place", [0, 5, 11])
@pytest.mark.parametrize("form", FORMS)
def test_broken_numbers_are_not_hidden(form, place):
    scores, labels = make_case(form, 2, 3, 3, 4)
    scores[1, -1].view(-1)[place] = torch.nan
    assert importance_sampling_loss(scores, labels, form=form, samples=1).isnan()
    if form == "binomial":
        assert expected_importance_sampling_loss(scores, labels).isnan()


def test_an_infinite_score_breaks_the_softmax_and_is_not_hidden():
    scores, labels = make_case("multinomial", 1, 2, 3, 4)
    scores[0, 1, 0, 2] = torch.inf
    assert importance_sampling_loss(scores, labels, form="multinomial", samples=1).isnan()


@pytest.mark.parametrize("form", FORMS)
def test_half_precision_and_autocast_compute_in_float32(form):
    scores, labels = make_case(form, 2, 3, 6, 5)
    scores = scores.bfloat16()
    positions = draw_positions(scores, form=form, samples=10, generator=seeded(0))
    exact = importance_sampling_loss(scores.float(), labels, form=form, positions=positions)
    for dtype in (torch.float32, torch.bool, torch.int64):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = importance_sampling_loss(
                scores, labels.to(dtype), form=form, positions=positions
            )
            drawn = draw_positions(scores, form=form, samples=10, generator=seeded(0))
        assert loss.dtype == torch.float32
        assert torch.equal(loss, exact)
        assert torch.equal(drawn, positions)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS)
def test_cuda_draws_without_waiting_and_agrees_with_the_cpu(form):
    scores, labels = make_case(form, 2, 3, 6, 5)
    positions = draw_positions(scores, form=form, samples=10, generator=seeded(0))
    on_cpu = importance_sampling_loss(scores, labels, form=form, positions=positions)
    scores, labels = scores.cuda(), labels.cuda()
    on_gpu = importance_sampling_loss(scores, labels, form=form, positions=positions.cuda())
    torch.testing.assert_close(on_gpu.cpu(), on_cpu)
    generator = torch.Generator("cuda").manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        importance_sampling_loss(scores, labels, form=form, generator=generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "poisson"}, "form must be one of binomial, multinomial"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"scores": torch.zeros(2, 3, 4)}, "N x C x h x w"),
        ({"scores": torch.zeros(2, 3, 0, 4)}, "no empty dimension"),
        ({"scores": torch.zeros(2, 1, 4, 4), "form": "multinomial"}, "C >= 2"),
        ({"scores": torch.zeros(2, 3, 4, 4, dtype=torch.int64)}, "floating point"),
        ({"labels": torch.zeros(2, 4)}, "labels must be 2 x 3"),
        ({"form": "multinomial"}, "labels must be 2 x 2"),
        ({"positions": torch.zeros(2, 3, 5)}, "positions must be int64"),
        ({"positions": torch.zeros(2, 2, 5, dtype=torch.int64)}, "positions must be 2 x 3"),
        ({"positions": torch.full((2, 3, 5), 16)}, r"lie in \[0, 16\)"),
        ({"positions": torch.full((2, 3, 5), -1)}, r"lie in \[0, 16\)"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {"scores": torch.zeros(2, 3, 4, 4), "labels": torch.zeros(2, 3)} | changes
    with pytest.raises(ValueError, match=message):
        importance_sampling_loss(**arguments)
