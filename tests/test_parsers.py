"""Whatever bytes a parser gets, it returns or says in one line what is wrong."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from hfpl.images.decode import UNREADABLE, damage, decode_image
from hfpl.images.palette import decode_mask, encode_mask
from hfpl.networks.weights.mxnet import read_mxnet
from hfpl.networks.weights.reading import read_weights
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.class_names import class_lines
from hfpl.plugins.formats.coco2014.masks import read_instances
from hfpl.plugins.formats.folder.labels import read_labels
from hfpl.storage.manifest import read_manifests, read_masks
from hfpl.storage.plain_yaml import load_yaml
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shard, write_shard
from tests.networks.weights.test_mxnet import list_bytes

pytestmark = pytest.mark.slow

MANY = settings(
    max_examples=1000,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = ("file", "tags", "split", "train", "dog", "cat.jpg", ",", ";", "\t", "\n", "\r", '"', "\0",
         "\ufeff", "é", "<object>", "<name>", "</name>", "</object>", "<annotation>",
         "<!DOCTYPE", "&a;", "{", "}", "[", "]", ":", "-", "&x", "*x", "!!", "1e999", "null", "'",
         '"images"', '"id"', '"segmentation"', '"annotations"', '"categories"', '"image_id"',
         '"category_id"', '"height"', '"counts"', "0", "-1", "255")  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=40).map("".join)
BYTES = st.one_of(
    st.binary(max_size=300),
    TEXTS.map(lambda text: text.encode("utf-8", "replace")),
    TEXTS.map(lambda text: text.encode("utf-16", "replace")),
)


def refused(call, *arguments, known=(ValueError,)) -> None:
    error = None
    try:
        call(*arguments)
    except known as caught:
        error = caught
    assert error is None or str(error)


@MANY
@given(BYTES)
def test_lists_of_tags(content):
    refused(read_labels, content)


@MANY
@given(BYTES)
def test_class_files(content):
    refused(class_lines, content, "classes.txt")


@MANY
@given(BYTES)
@example(b"<annotation>" * 2000)
def test_annotations_and_lists_of_voc(tmp_path, content):
    for folder, name in ((voc.ANNOTATIONS, "a.xml"), (voc.LISTS, "train.txt")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    root = ImageRoot(tmp_path)
    refused(voc.read_tags, root, "a", ("dog",))
    refused(voc.read_list, root, "train")


@MANY
@given(BYTES)
@example(b"[" * 100_000)
def test_annotations_of_coco(content):
    refused(read_instances, content, "a.json", {1})


@MANY
@given(TEXTS)
def test_yaml(text):
    refused(load_yaml, text, known=(YAMLError,))


@MANY
@given(BYTES)
@example(b"[" * 100_000)
def test_manifests(tmp_path, content):
    file = tmp_path / "a.json"
    file.write_bytes(content)
    refused(read_manifests, [file])
    refused(read_masks, [file])


@st.composite
def mangled(draw, whole: bytes) -> bytes:
    """A file with bytes changed, taken out and put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.integers(0, 3))
        if kind == 0 and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == 1:
            del data[at : at + draw(st.integers(1, 30))]
        elif kind == 2:
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            data[at : at + 8] = struct.pack("<Q", draw(st.integers(0, 2**64 - 1)))
    return bytes(data)


def mxnet_file() -> bytes:
    """Two arrays as MXNet writes them."""
    arrays = {"arg:a": np.arange(6, dtype=np.float32).reshape(2, 3), "aux:b": np.zeros(2, np.uint8)}
    return list_bytes(arrays)


@MANY
@given(st.data())
def test_weights_of_mxnet(tmp_path, data):
    file = tmp_path / "a.params"
    file.write_bytes(data.draw(mangled(mxnet_file())))
    refused(read_mxnet, file)
    refused(read_weights, file)


@MANY
@given(st.data())
def test_masks_and_photographs(data):
    content = data.draw(mangled(encode_mask(np.arange(30, dtype=np.uint8).reshape(5, 6))))
    refused(decode_mask, content, known=UNREADABLE)
    refused(decode_image, content, known=UNREADABLE)
    damage(content)


@MANY
@given(st.data())
def test_shards(tmp_path, data):
    file = tmp_path / "a.zip"
    with write_shard(file, ["cat"]) as shard:
        shard.add_mask("a", np.ones((4, 5), np.uint8))
    file.write_bytes(data.draw(mangled(file.read_bytes())))

    def read() -> None:
        shard = Shard(file)
        shard.class_table()
        for name in shard.ids:
            shard.mask(name)

    refused(read)
