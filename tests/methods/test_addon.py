"""The add-on: what ISL and FSL do to the terms of any method."""

import ast
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import hfpl.plugins.methods
from hfpl.images.normalise import IMAGENET
from hfpl.losses import (
    class_activations,
    expected_importance_sampling_loss,
    feature_image,
    feature_similarity_loss,
    importance_sampling_loss,
)
from hfpl.plugins.methods.interface import MethodLoss, MethodNetwork, Term, View
from hfpl.stages.cam.addon import attach, total_loss
from hfpl.stages.cam.params import FeatureSimilarity, ImportanceSampling

LAMBDA = 0.25
LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


def isl(form: str, weight: float = LAMBDA, samples: int = 4, start: float = 0.0) -> dict:
    return {
        "form": form,
        "isl": ImportanceSampling(weight=weight, samples=samples, start=start),
    }


def fsl(
    weight: float, mu: float, sigma: float | None, form: str = "max_norm", repel: float = 1.0
) -> dict:
    return {"fsl": FeatureSimilarity(weight=weight, mu=mu, sigma=sigma, form=form, repel=repel)}


BINOMIAL, MULTINOMIAL = isl("binomial"), isl("multinomial")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def two_view_loss(*, background: bool = True) -> MethodLoss:
    """Terms with distinct weights, a main view and a smaller second one."""
    terms = {
        "cls_a": Term(torch.tensor(0.7), 0.5),
        "other": Term(torch.tensor(0.3), 2.0),
        "cls_b": Term(torch.tensor(0.9), 0.25),
    }
    views = tuple(
        View(
            name,
            random(2, 3, 8 * size, 8 * size, seed=size),
            random(2, 3, size, size, seed=size + 10),
            random(2, 1, size, size, seed=size + 20) if background else None,
        )
        for name, size in (("cls_a", 4), ("cls_b", 2))
    )
    return MethodLoss(terms, views)


def test_without_additions_the_terms_stay():
    loss = two_view_loss()
    terms = attach(loss, LABELS, IMAGENET)
    assert terms == loss.terms
    assert total_loss(terms).item() == pytest.approx(0.5 * 0.7 + 2 * 0.3 + 0.25 * 0.9)


def test_binomial_sampling_takes_its_share_of_the_main_views_term_alone():
    loss = two_view_loss()
    torch.manual_seed(3)
    terms = attach(loss, LABELS, IMAGENET, **BINOMIAL)
    torch.manual_seed(3)
    sampled = importance_sampling_loss(loss.views[0].foreground, LABELS, samples=4).item()
    assert set(terms) == {"cls_a", "isl_cls_a", "other", "cls_b"}
    assert terms["isl_cls_a"].value.item() == pytest.approx(sampled)
    assert terms["cls_b"] == loss.terms["cls_b"]
    expected = 0.5 * ((1 - LAMBDA) * 0.7 + LAMBDA * sampled) + 2 * 0.3 + 0.25 * 0.9
    assert total_loss(terms).item() == pytest.approx(expected)


@pytest.mark.parametrize("background", [True, False])
def test_multinomial_sampling_draws_in_every_view(background):
    loss = two_view_loss(background=background)
    torch.manual_seed(3)
    terms = attach(loss, LABELS, IMAGENET, **MULTINOMIAL)
    torch.manual_seed(3)
    sampled = []
    for view in loss.views:
        zeros = torch.zeros_like(view.foreground[:, :1])
        scores = torch.cat([view.background if background else zeros, view.foreground], 1)
        loss_value = importance_sampling_loss(scores, LABELS, form="multinomial", samples=4)
        sampled.append(loss_value.item())
    assert set(terms) == {"cls_a", "isl_cls_a", "other", "cls_b", "isl_cls_b"}
    expected = 2 * 0.3
    for weight, value, drawn in zip((0.5, 0.25), (0.7, 0.9), sampled, strict=True):
        expected += weight * ((1 - LAMBDA) * value + LAMBDA * drawn)
    assert total_loss(terms).item() == pytest.approx(expected)


def test_the_expected_form_draws_nothing_in_the_main_view():
    loss = two_view_loss()
    before = torch.get_rng_state()
    terms = attach(loss, LABELS, IMAGENET, **isl("expected", LAMBDA, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert set(terms) == {"cls_a", "isl_cls_a", "other", "cls_b"}
    expected = expected_importance_sampling_loss(loss.views[0].foreground, LABELS)
    assert terms["isl_cls_a"].value.item() == pytest.approx(expected.item())
    assert terms["isl_cls_a"].weight == pytest.approx(0.5 * LAMBDA)
    # It is what the binomial form finds on average.
    torch.manual_seed(0)
    many = attach(loss, LABELS, IMAGENET, **isl("binomial", LAMBDA, 10_000))
    assert many["isl_cls_a"].value.item() == pytest.approx(expected.item(), rel=0.01)


def test_lambda_zero_is_the_method_alone():
    loss = two_view_loss()
    terms = attach(loss, LABELS, IMAGENET, **isl("binomial", 0.0, 4))
    assert total_loss(terms).item() == pytest.approx(total_loss(loss.terms).item())


def test_isl_counts_from_its_start_on():
    loss = two_view_loss()
    late = isl("binomial", start=0.5)
    for progress, weight in ((0.0, 0.0), (0.49, 0.0), (0.5, LAMBDA), (0.99, LAMBDA)):
        terms = attach(loss, LABELS, IMAGENET, **late, progress=progress)
        assert terms["isl_cls_a"].weight == 0.5 * weight
        assert terms["cls_a"].weight == 0.5 * (1 - weight)
    # Before it, the same terms are shown, and the method's own count as if it were alone.
    early = attach(loss, LABELS, IMAGENET, **late, progress=0.2)
    assert early.keys() == terms.keys()
    assert total_loss(early).item() == pytest.approx(total_loss(loss.terms).item())
    always = attach(loss, LABELS, IMAGENET, **BINOMIAL, progress=0.0)
    assert always["isl_cls_a"].weight == 0.5 * LAMBDA


def test_repelling_pairs_of_fsl_are_scaled_in_both_forms():
    loss = two_view_loss()
    for form in ("max_norm", "softmax"):
        terms = {
            repel: attach(loss, LABELS, IMAGENET, **fsl(0.3, 2.0, 1.5, form, repel))[
                "fsl"
            ].value.item()
            for repel in (0.0, 1.0, 2.0)
        }
        assert terms[0.0] >= 0  # nothing is rewarded
        # The loss is a sum of the two kinds of pairs.
        assert terms[2.0] - terms[1.0] == pytest.approx(terms[1.0] - terms[0.0], rel=1e-4)
        assert terms[1.0] < terms[0.0]


def test_feature_similarity_adds_a_term_on_the_main_view():
    loss = two_view_loss()
    terms = attach(loss, LABELS, IMAGENET, **BINOMIAL, **fsl(0.3, 2.0, 1.5))
    view = loss.views[0]
    expected = feature_similarity_loss(
        feature_image(view.image, (4, 4), IMAGENET.mean, IMAGENET.std),
        class_activations(view.foreground, LABELS),
        mu=2.0,
        sigma=1.5,
    )
    assert terms["fsl"].value.item() == pytest.approx(expected.item())
    assert terms["fsl"].weight == 0.3
    without = attach(loss, LABELS, IMAGENET)
    with_fsl = attach(loss, LABELS, IMAGENET, **fsl(0.3, 2.0, 1.5))
    difference = total_loss(with_fsl) - total_loss(without)
    assert difference.item() == pytest.approx(0.3 * expected.item(), abs=1e-6)


@pytest.mark.parametrize("background", [True, False])
def test_the_predecessors_similarity_compares_probabilities_without_the_half(background):
    loss = two_view_loss(background=background)
    view = loss.views[0]
    image = feature_image(view.image, (4, 4), IMAGENET.mean, IMAGENET.std).double().flatten(2)
    zeros = torch.zeros_like(view.foreground[:, :1])
    scores = torch.cat([view.background if background else zeros, view.foreground], 1)
    y = scores.double().flatten(2).softmax(1)
    expected = 0.0
    for n in range(2):
        for i in range(16):
            for j in range(16):
                d = (image[n, :, i] - image[n, :, j]).abs().sum() / 3
                pull = torch.tanh(2 + torch.log((d + 1e-5) / (1 - d + 1e-5)))
                far = (i // 4 - j // 4) ** 2 + (i % 4 - j % 4) ** 2
                g = math.exp(-0.5 * far / 1.5**2) / (2 * math.pi * 1.5**2)
                expected -= float(g * pull * ((y[n, :, i] - y[n, :, j]) ** 2).sum()) / (2 * 16)
    terms = attach(loss, LABELS, IMAGENET, **fsl(0.5, 2.0, 1.5, "softmax"))
    assert terms["fsl"].value.item() == pytest.approx(expected, rel=1e-4)
    assert terms["fsl"].weight == 0.5


def test_the_method_s_own_terms_are_not_changed_in_place():
    loss = two_view_loss()
    before = dict(loss.terms)
    attach(loss, LABELS, IMAGENET, **MULTINOMIAL, **fsl(1.0, 2.0, None))
    assert loss.terms == before


class PlainMethod(MethodNetwork):
    """A method that another author might write: it knows nothing of the added losses."""

    def __init__(self, backbone: nn.Module, num_classes: int) -> None:
        super().__init__(backbone)
        self.classifier = nn.Conv2d(backbone.channels["conv6"], num_classes, 1, bias=False)

    def losses(self, images, labels, progress):
        scores = self.classifier(self.backbone(images)["conv6"])
        margin = nn.functional.multilabel_soft_margin_loss(scores.mean((2, 3)), labels)
        return MethodLoss({"cls": Term(margin, 1.0)}, (View("cls", images, scores),))

    def cams(self, images):
        return self.classifier(self.backbone(images)["conv6"]).relu()


class OneConv(nn.Module):
    channels, stride = {"conv4": 4, "conv5": 4, "conv6": 4}, 4

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, stride=4)

    def forward(self, images):
        features = self.conv(images)
        return {"conv4": features, "conv5": features, "conv6": features}


@pytest.mark.parametrize("sampling", [{}, BINOMIAL, MULTINOMIAL])
@pytest.mark.parametrize("similarity", [{}, fsl(1.0, 2.5, 2.0), fsl(0.5, 2.5, 2.0, "softmax")])
def test_any_method_trains_with_the_additions(sampling, similarity):
    torch.manual_seed(0)
    network = PlainMethod(OneConv(), 3)
    loss = network.losses(random(2, 3, 16, 16), LABELS, 0.0)
    terms = attach(loss, LABELS, IMAGENET, **sampling, **similarity)
    total_loss(terms).backward()
    added = (["isl_cls"] if sampling else []) + (["fsl"] if similarity else [])
    assert list(terms) == ["cls", *added]
    for parameter in network.parameters():
        assert parameter.grad.abs().sum() > 0


def test_no_method_s_file_names_the_added_losses():
    folder = Path(hfpl.plugins.methods.__file__).parent
    files = [f for f in folder.glob("*.py") if f.name not in ("__init__.py", "addon.py")]
    assert files
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        fields = ("id", "attr", "name", "module")
        found = [getattr(node, field, None) for node in ast.walk(tree) for field in fields]
        names = " ".join(str(name).lower() for name in found if name)
        for word in ("isl", "fsl", "importance", "feature_similarity", "addon"):
            assert word not in names, f"{file.name} names {word}"
