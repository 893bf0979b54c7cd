"""MXNet's list of arrays: written here by the format's description, read back without mxnet."""

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.networks.weights.match import load_weights
from hfpl.networks.weights.mxnet import resnet38_name
from hfpl.networks.weights.reading import read_weights
from hfpl.plugins.backbones import build_backbone

LEGACY, SHAPE64, STORAGE = None, 0xF993FAC8, 0xF993FAC9
FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}


def array_bytes(array: np.ndarray, layout: int | None) -> bytes:
    shape = array.shape
    if layout is LEGACY:
        head = struct.pack(f"<I{len(shape)}I", len(shape), *shape)
    else:
        storage = struct.pack("<i", 0) if layout == STORAGE else b""
        head = struct.pack("<I", layout) + storage
        head += struct.pack(f"<I{len(shape)}q", len(shape), *shape)
    return head + struct.pack("<3i", 1, 0, FLAGS[array.dtype.name]) + array.tobytes()


def list_bytes(arrays: dict[str, np.ndarray], layout: int | None = STORAGE) -> bytes:
    return b"".join(
        [
            struct.pack("<3Q", 0x112, 0, len(arrays)),
            *(array_bytes(array, layout) for array in arrays.values()),
            struct.pack("<Q", len(arrays)),
            *(struct.pack("<Q", len(name)) + name.encode() for name in arrays),
        ]
    )


def published_names() -> dict[str, str]:
    """Names of the published ImageNet file → those of the PyTorch network, spelt out."""
    names = {"arg:conv1a_weight": "conv1a.weight"}
    blocks = {2: 3, 3: 3, 4: 6, 5: 3, 6: 1, 7: 1}
    for stage, count in blocks.items():
        for number in range(count):
            theirs, ours = f"{stage}a", f"b{stage}"
            if number:
                theirs, ours = f"{stage}b{number}", f"b{stage}_{number}"
            branches = ["2a", "2b1"] + (["2b2"] if stage >= 6 else [])
            for branch in branches:
                names[f"arg:res{theirs}_branch{branch}_weight"] = (
                    f"{ours}.conv_branch{branch}.weight"
                )
                bn, mine = f"bn{theirs}_branch{branch}", f"{ours}.bn_branch{branch}"
                names |= {
                    f"arg:{bn}_gamma": f"{mine}.weight",
                    f"arg:{bn}_beta": f"{mine}.bias",
                    f"aux:{bn}_moving_mean": f"{mine}.running_mean",
                    f"aux:{bn}_moving_var": f"{mine}.running_var",
                }
            if number == 0:
                names[f"arg:res{theirs}_branch1_weight"] = f"{ours}.conv_branch1.weight"
    return names | {
        "arg:bn7_gamma": "bn7.weight",
        "arg:bn7_beta": "bn7.bias",
        "aux:bn7_moving_mean": "bn7.running_mean",
        "aux:bn7_moving_var": "bn7.running_var",
    }


def write(folder, content: bytes):
    path = folder / "net.params"
    path.write_bytes(content)
    return path


def test_every_published_name_has_its_place_in_the_network():
    with torch.device("meta"):
        wanted = build_backbone("resnet38", {}).state_dict()
    found = [resnet38_name(name) for name in published_names()]
    assert found == list(published_names().values())
    assert sorted(found) == sorted(n for n in wanted if not n.endswith("num_batches_tracked"))


@pytest.mark.parametrize("name", ["arg:linear1000_weight", "linear1000_bias", "res4_weight", "x"])
def test_other_names_are_left_alone(name):
    assert resnet38_name(name) == name.removeprefix("arg:")


@pytest.mark.parametrize("layout", [LEGACY, SHAPE64, STORAGE])
@pytest.mark.parametrize("kind", FLAGS)
def test_arrays_of_all_layouts_and_types_are_read(tmp_path, layout, kind):
    rng = np.random.default_rng(0)
    arrays = {
        "arg:conv1a_weight": (rng.random((2, 3, 1, 4)) * 100).astype(kind),
        "aux:bn7_moving_var": np.arange(5).astype(kind),
        "arg:linear1000_bias": np.zeros((0,), kind),
    }
    found = read_weights(write(tmp_path, list_bytes(arrays, layout)))
    assert list(found) == ["conv1a.weight", "bn7.running_var", "linear1000_bias"]
    for tensor, array in zip(found.values(), arrays.values(), strict=True):
        assert tensor.dtype == torch.float32
        np.testing.assert_array_equal(tensor.numpy(), array.astype(np.float32))


GOOD = list_bytes(
    {"arg:conv1a_weight": np.ones((2, 3), np.float32), "aux:bn7_moving_var": np.ones(4)}
)


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, len(GOOD) - 1))
def test_a_truncated_file_is_one_clear_line(tmp_path_factory, cut):
    path = write(tmp_path_factory.mktemp("cut"), GOOD[:cut])
    # Of less than the first number nobody can say what it was.
    message = "not a readable .params file" if cut >= 8 else "is it truncated"
    with pytest.raises(ValueError, match=message) as error:
        read_weights(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, len(GOOD) // 4 - 1), value=st.binary(min_size=4, max_size=4))
def test_whatever_a_number_says_it_is_read_or_a_value_error(tmp_path_factory, place, value):
    content = GOOD[: 4 * place] + value + GOOD[4 * place + 4 :]
    path = write(tmp_path_factory.mktemp("odd"), content)
    with suppress(ValueError):
        assert read_weights(path)


ONE = np.ones((2, 3), np.float32)


def changed(content: bytes, place: int, layout: str, *values: int) -> bytes:
    new = struct.pack(layout, *values)
    return content[:place] + new + content[place + len(new) :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither safetensors, nor of torch.save, nor MXNet"),
        (b"\x89PNG" + bytes(200), "neither safetensors, nor of torch.save, nor MXNet"),
        (GOOD[:20], "shorter than the header"),
        (changed(GOOD, 16, "<Q", 2**63), "truncated: 9223372036854775808 entries"),
        (changed(GOOD, 16, "<Q", 3), "array"),
        (changed(list_bytes({"a": ONE}, LEGACY), 24, "<3I", 2, 2**32 - 1, 2**32 - 1), "truncated"),
        (changed(list_bytes({"a": ONE}, SHAPE64), 28, "<I2q", 2, 2**62, 2**62), "truncated"),
        (changed(list_bytes({"a": ONE}, SHAPE64), 32, "<2q", -1, -6), r"shape \(-1, -6\)"),
        (changed(list_bytes({"a": ONE}, SHAPE64), 28, "<I", 2**31), "2147483648 dimensions"),
        (changed(list_bytes({"a": ONE}, LEGACY), 24, "<I", 0), "0 dimensions"),
        (changed(list_bytes({"a": ONE}, STORAGE), 28, "<i", 1), "sparse"),
        (changed(list_bytes({"a": ONE}, LEGACY), 44, "<i", 12), "unknown type 12"),
        (changed(list_bytes({"a": ONE}), len(list_bytes({"a": ONE})) - 17, "<Q", 2), "2 names"),
        (
            changed(list_bytes({"a": ONE}), len(list_bytes({"a": ONE})) - 9, "<Q", 2**40),
            "a name of",
        ),
        (list_bytes({"a": ONE})[:-1] + b"\xff", "a name is no text"),
        (list_bytes({"a": ONE}) + b"x", "1 bytes follow"),
        (list_bytes({"a": ONE, "b": ONE})[:-1] + b"a", "a name stands twice"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, content, message):
    path = write(tmp_path, content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as error:
            read_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_imagenet_file_fills_the_whole_backbone(tmp_path):
    backbone = build_backbone("resnet38", {})
    rng = np.random.default_rng(0)
    arrays = {
        theirs: rng.random(tuple(backbone.state_dict()[ours].shape), np.float32)
        for theirs, ours in published_names().items()
    }
    arrays["arg:linear1000_weight"] = np.zeros((1000, 4096), np.float32)
    match = load_weights(write(tmp_path, list_bytes(arrays)), backbone)
    assert set(match.loaded) == set(published_names().values())
    assert match.missing == match.reshaped == ()
    assert match.unused == ("linear1000_weight",)
    state = backbone.state_dict()
    for theirs, ours in published_names().items():
        np.testing.assert_array_equal(state[ours].numpy(), arrays[theirs])
