"""Weights find their tensors by name; the report says which did not."""

import pytest
import torch
from torch import nn

from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.deeplab import DeepLab
from hfpl.networks.weights.match import load_weights
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.storage.tensors import save_network, save_tensors

OPTIONS = {"stride": 8, "widths": [4, 4, 6, 8, 10], "blocks": [1, 1, 1, 1]}


def small(**changes) -> nn.Module:
    return build_backbone("small", {**OPTIONS, "train_batchnorm": False, **changes})


def seam(classes: int = 3) -> nn.Module:
    options = {"view_scale": 0.5, "pcm_channels": [4, 6], "dropout": 0.5}
    return build_method("seam", small(), classes, options)


def affinity(classes: int = 3) -> nn.Module:
    return AffinityNetwork(small(), (3, 4, 5))


def deeplab(classes: int = 3) -> nn.Module:
    return DeepLab(small(), classes + 1, 7, 2)


NETWORKS = {"seam": seam, "affinity": affinity, "deeplab": deeplab}


def published(network: nn.Module, flat: bool, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state of other random values; ``flat``: without ``backbone.``, as SEAM's authors save."""
    g = torch.Generator().manual_seed(seed)
    return {
        name.removeprefix("backbone.") if flat else name: (
            torch.rand(t.shape, generator=g) if t.is_floating_point() else t + 5
        )
        for name, t in network.state_dict().items()
    }


def expect_state(network: nn.Module, expected: dict[str, torch.Tensor], names) -> None:
    state = network.state_dict()
    for name in names:
        theirs = expected.get(name, expected.get(name.removeprefix("backbone.")))
        assert torch.equal(state[name], theirs), name


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_whole_network_loads_by_name(tmp_path, kind, flat, wrapped):
    network = NETWORKS[kind]()
    tensors = published(network, flat)
    content = {"model": {f"module.{n}": t for n, t in tensors.items()}} if wrapped else tensors
    torch.save(content, tmp_path / "net.pth")
    match = load_weights(tmp_path / "net.pth", network)
    assert match.loaded == tuple(network.state_dict())
    assert match.missing == match.reshaped == match.unused == ()
    expect_state(network, tensors, match.loaded)
    assert match.lines("net.pth") == [f"net.pth: {len(tensors)} tensors loaded"]


def test_a_network_in_any_wrapper_loads_and_the_rest_of_the_file_is_left_alone(tmp_path):
    network = seam()
    tensors = published(network, False)
    lightning = {f"model._orig_mod.{name}": t for name, t in tensors.items()}
    content = {"state_dict": lightning, "optimizer": {"state": {0: torch.ones(2)}}, "epoch": 3}
    torch.save(content, tmp_path / "last.ckpt")
    match = load_weights(tmp_path / "last.ckpt", network)
    assert match.loaded == tuple(network.state_dict())
    assert match.unused == ()
    expect_state(network, tensors, match.loaded)


def test_a_classifier_of_other_classes_stays_random_and_is_reported(tmp_path):
    torch.save(published(seam(20), flat=True), tmp_path / "net.pth")
    network = seam(3)
    before = network.fc8.weight.detach().clone()
    match = load_weights(tmp_path / "net.pth", network)
    assert match.reshaped == ("fc8.weight",)
    assert match.missing == match.unused == ()
    assert torch.equal(network.fc8.weight, before)
    assert match.lines("net.pth")[1:] == ["  1 of another shape in the file, random: fc8.weight"]


def test_heads_the_file_lacks_stay_random_and_are_reported(tmp_path):
    tensors = published(deeplab(), flat=False)
    left_out = ["cls_conv.weight", "cls_conv.bias"]
    torch.save({n: t for n, t in tensors.items() if n not in left_out}, tmp_path / "net.pth")
    network = deeplab()
    before = network.cls_conv.weight.detach().clone()
    match = load_weights(tmp_path / "net.pth", network)
    assert match.missing == tuple(left_out)
    assert torch.equal(network.cls_conv.weight, before)
    expect_state(network, tensors, match.loaded)
    assert len(match.loaded) == len(tensors) - 2


def test_a_backbone_of_ones_own_loads_into_a_network(tmp_path):
    source = small()
    nn.init.constant_(source.conv1.weight, 0.5)
    save_network(tmp_path / "backbone.safetensors", source)
    network = seam()
    match = load_weights(tmp_path / "backbone.safetensors", network)
    assert set(match.missing) == {"fc8.weight", "f8_3.weight", "f8_4.weight", "f9.weight"}
    expect_state(network, source.state_dict(), match.loaded)
    assert len(match.loaded) == len(source.state_dict())


def test_without_heads_only_the_backbone_is_taken(tmp_path):
    """AffinityNet's f8_3 has the name and may have the shape of SEAM's."""
    tensors = published(seam(), flat=True)
    torch.save(tensors, tmp_path / "net.pth")
    network = seam()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    match = load_weights(tmp_path / "net.pth", network, heads=False)
    heads = {"fc8.weight", "f8_3.weight", "f8_4.weight", "f9.weight"}
    assert set(match.unused) == heads
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in heads)
    expect_state(network, tensors, match.loaded)
    assert all(name.startswith("backbone.") for name in match.loaded)
    assert match.missing == ()


def test_old_files_lack_the_counters_of_batch_normalisation(tmp_path):
    tensors = {n: t for n, t in published(small(), False).items() if "num_batches" not in n}
    torch.save(tensors, tmp_path / "net.pth")
    match = load_weights(tmp_path / "net.pth", small())
    assert match.missing == ()
    assert len(match.loaded) == len(tensors)


def test_a_long_list_is_cut(tmp_path):
    tensors = published(small(), False)
    tensors |= {f"extra{i}": torch.zeros(1) for i in range(9)}
    save_tensors(tmp_path / "net.safetensors", tensors)
    (line,) = load_weights(tmp_path / "net.safetensors", small()).lines("f")
    assert line.endswith(" loaded, 9 not needed: extra0, extra1, extra2, extra3, … and 5 more")


def test_half_precision_becomes_float32(tmp_path):
    tensors = {n: t.half() for n, t in published(small(), False).items()}
    torch.save(tensors, tmp_path / "net.pth")
    network = small()
    load_weights(tmp_path / "net.pth", network)
    assert network.conv1.weight.dtype == torch.float32
    assert torch.equal(network.conv1.weight, tensors["conv1.weight"].float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("conv1.weight"), r"tensor 'conv1\.weight' is missing"),
        (
            lambda t: t.update({"conv1.weight": torch.zeros(1)}),
            r"'conv1\.weight' has shape \(1,\), the network expects \(4, 3, 3, 3\)",
        ),
        (lambda t: t["conv1.weight"].fill_(torch.nan), r"'conv1\.weight' holds values .* finite"),
        (
            lambda t: (t.clear(), t.update(x=torch.zeros(2))),
            r"holds 0 of the backbone's 65 tensors \(tensor .* missing; it has x\); does it",
        ),
    ],
)
@pytest.mark.parametrize(("whole", "heads"), [(True, True), (True, False), (False, True)])
def test_a_file_that_would_leave_the_backbone_in_part_random_is_refused(
    tmp_path, change, message, heads, whole
):
    tensors = published(small(), False)
    change(tensors)
    path = tmp_path / "net.pth"
    torch.save(tensors, path)
    network = seam() if whole else small()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    message = message if not whole else message.replace("'conv1", r"'backbone\.conv1")
    with pytest.raises(ValueError, match=message) as error:
        load_weights(path, network, heads)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "other",
    [
        lambda t: t.to_sparse(),
        lambda t: t.to("meta"),
        lambda t: t.to(torch.complex64),
        lambda t: t.to(torch.int32),
        lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
        lambda t: torch.nested.nested_tensor(list(t)),
    ],
    ids=["sparse", "meta", "complex", "integer", "quantised", "nested"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_other_kinds_are_named(tmp_path, other):
    tensors = published(small(), False)
    tensors["conv1.weight"] = other(tensors["conv1.weight"])
    torch.save(tensors, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net\.pth: ") as error:
        load_weights(tmp_path / "net.pth", small())
    assert "tensor 'conv1.weight' is of a kind that cannot be loaded" in str(error.value)
    assert "\n" not in str(error.value)


def test_eight_bits_become_float32(tmp_path):
    tensors = published(small(), False)
    tensors["conv1.weight"] = tensors["conv1.weight"].to(torch.float8_e4m3fn)
    torch.save(tensors, tmp_path / "net.pth")
    network = small()
    load_weights(tmp_path / "net.pth", network)
    assert torch.equal(network.conv1.weight, tensors["conv1.weight"].float())


def test_what_float32_cannot_hold_is_not_finite(tmp_path):
    tensors = published(small(), False)
    tensors["conv1.weight"] = torch.full_like(tensors["conv1.weight"], 1e39, dtype=torch.float64)
    torch.save(tensors, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"tensor 'conv1\.weight' holds values .* finite"):
        load_weights(tmp_path / "net.pth", small())


def test_another_backbones_weights_are_refused(tmp_path):
    save_network(tmp_path / "net.safetensors", small(widths=[4, 4, 6, 8, 12]))
    with pytest.raises(ValueError, match="does it belong to another backbone"):
        load_weights(tmp_path / "net.safetensors", seam())
