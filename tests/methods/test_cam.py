"""The plain classification network against loops."""

import numpy as np
import pytest
import torch


def plain_scores(network, images: torch.Tensor) -> np.ndarray:
    """The classifier applied at every position of the features, one number at a time."""
    features = network.backbone(images)["conv6"].detach().double().numpy()
    weights = network.classifier.weight.detach().double().numpy()[:, :, 0, 0]
    n, _, h, w = features.shape
    out = np.zeros((n, len(weights), h, w))
    for i, k, y, x in np.ndindex(*out.shape):
        out[i, k, y, x] = sum(weights[k] * features[i, :, y, x])
    return out


def test_the_loss_is_that_of_the_mean_of_the_scores(build, batch, plain_margin, sizes):
    network = build("cam")
    images, labels = batch(sizes[0], 3, *sizes[1:])
    loss = network.losses(images, labels, 0.0)
    scores = plain_scores(network, images)
    (view,) = loss.views
    assert list(loss.terms) == [view.term] == ["cls"]
    assert loss.terms["cls"].weight == 1
    assert loss.terms["cls"].value.item() == pytest.approx(plain_margin(scores, labels), rel=1e-5)
    assert view.foreground.shape == (sizes[0], 3, -(-sizes[1] // 4), -(-sizes[2] // 4))
    np.testing.assert_allclose(view.foreground.detach(), scores, atol=1e-6)
    assert view.image is images
    assert view.background is None


def test_the_classifier_answers_to_the_mean_of_the_features_alike(build, batch):
    network = build("cam")
    images, labels = batch(2, 3, 16, 24)
    pooled = network.backbone(images)["conv6"].mean((2, 3))
    logits = pooled @ network.classifier.weight[:, :, 0, 0].T
    expected = torch.nn.functional.multilabel_soft_margin_loss(logits, labels)
    assert network.losses(images, labels, 0.0).terms["cls"].value.item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_cams_are_the_positive_scores(build, batch):
    network = build("cam")
    images, _ = batch(2, 3, 20, 12)
    scores = plain_scores(network, images)
    assert scores.min() < 0 < scores.max()
    np.testing.assert_allclose(
        network.cams(images, range(scores.shape[1])).detach(), np.maximum(scores, 0), atol=1e-6
    )
    np.testing.assert_allclose(
        network.cams(images, [1]).detach(), np.maximum(scores, 0)[:, 1:2], atol=1e-6
    )


def test_each_class_is_divided_by_its_maximum(build):
    found = build("cam").scaled(torch.tensor([[[0.5, 2.0]], [[0.0, 0.0]]]))
    assert found.tolist() == [[[pytest.approx(0.5 / 2.00001), pytest.approx(2 / 2.00001)]],
                              [[0, 0]]]  # fmt: skip


def test_scores_are_float32_under_autocast(build, batch):
    network = build("cam")
    images, labels = batch(2, 3, 16, 24)
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.losses(images, labels, 0.0)
        assert network.cams(images, [0]).dtype == torch.float32
    assert loss.views[0].foreground.dtype == torch.float32
    assert loss.terms["cls"].value.dtype == torch.float32
