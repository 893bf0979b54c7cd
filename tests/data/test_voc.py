"""PASCAL VOC's layout: classes, lists, annotations, sizes."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hfpl.plugins.formats import layout as voc
from hfpl.storage.reading import ImageRoot

CLASSES = ("cat", "dog", "diningtable")


@pytest.fixture
def root(tmp_path: Path) -> ImageRoot:
    (tmp_path / voc.ANNOTATIONS).mkdir(parents=True)
    (tmp_path / voc.LISTS).mkdir(parents=True)
    return ImageRoot(tmp_path)


def tags_of(root: ImageRoot, xml: str | bytes) -> tuple[int, ...]:
    path = root.root / voc.ANNOTATIONS / "x.xml"
    path.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return voc.read_tags(root, "x", CLASSES)


def objects(*names: str) -> str:
    inner = "".join(f"<object><name>{name}</name></object>" for name in names)
    return f"<annotation>{inner}</annotation>"


# Classes


def test_without_a_class_file_there_are_vocs_twenty(root):
    classes = voc.read_classes(root)
    assert len(classes) == len(set(classes)) == 20
    assert list(classes) == sorted(classes)  # VOC's order is alphabetical
    assert (classes[0], classes[14], classes[19]) == ("aeroplane", "person", "tvmonitor")


@pytest.mark.parametrize(
    "content",
    [b"cat\ndog\n", b"cat\r\n\r\n  dog  \r\n", b"\xef\xbb\xbfcat\ndog", b"\ncat\ndog\n\n"],
)
def test_a_class_file_is_one_name_a_line(root, content):
    (root.root / voc.CLASS_FILE).write_bytes(content)
    assert voc.read_classes(root) == ("cat", "dog")


def test_class_names_may_hold_spaces_and_umlauts(root):
    (root.root / voc.CLASS_FILE).write_text("dining table\nKühe\n", encoding="utf-8")
    assert voc.read_classes(root) == ("dining table", "Kühe")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "expected 1 to 254 classes, found 0"),
        (["cat", "cat"], "class 'cat' is there twice"),
        (["cat", " cat "], "class 'cat' is there twice"),
        (["cat", "CAT"], "class 'CAT' is there beside 'cat', which looks the same"),
        (["cat", "ｃａｔ"], "class 'ｃａｔ' is there beside 'cat', which looks the same"),
        (["cat", "background"], "class 'background' is no class"),
        (["cat", "void"], "class 'void' is no class"),
        ([f"c{n}" for n in range(255)], "expected 1 to 254 classes, found 255"),
    ],
)
def test_a_class_file_that_cannot_be_is_named(root, names, message):
    (root.root / voc.CLASS_FILE).write_text("\n".join(names), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"classes\.txt: {message}"):
        voc.read_classes(root)


@pytest.mark.parametrize(
    "first",
    ["background\n", "_background_\n", "__background__\n", "__ignore__\n_background_\n", "BG\n"],
)
def test_lines_for_the_background_before_the_classes_shift_no_label(root, first):
    (root.root / voc.CLASS_FILE).write_text(f"{first}cat\ndog\n")
    assert voc.read_classes(root) == ("cat", "dog")


# Lists


@pytest.mark.parametrize(
    "content", [b"b\na\n", b"b 1\r\na -1\r\n", b"\n a \n\nb\n", b"\xef\xbb\xbfa\nb\n"]
)
def test_a_list_is_the_first_word_of_each_line_sorted(root, content):
    (root.root / voc.LISTS / "train.txt").write_bytes(content)
    assert voc.read_list(root, "train") == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a photograph", "a photograph"),
        ("2007_000032 -1", "2007_000032"),
        ("2007_000032  1", "2007_000032"),
        ("/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png", "2007_000032"),
        ("JPEGImages/my cat.JPG\tSegmentationClass/my cat.png", "my cat"),
        ("JPEGImages/b.jpeg", "b"),
        ("cafe\u0301", "caf\u00e9"),
        ("a.b", "a.b"),
    ],
)
def test_a_line_of_a_list_is_a_name_or_a_path(root, line, name, encoding):
    (root.root / voc.LISTS / "odd.txt").write_bytes(f"{line}\r\n\n".encode(encoding))
    assert voc.read_list(root, "odd") == [name]


def test_a_list_that_is_no_text_is_named(root):
    (root.root / voc.LISTS / "odd.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"odd\.txt: not UTF-8; save it as UTF-8"):
        voc.read_list(root, "odd")


def test_a_list_that_is_missing_or_repeats_itself_is_named(root):
    with pytest.raises(ValueError, match=r"ImageSets/Segmentation/train\.txt: cannot be read"):
        voc.read_list(root, "train")
    (root.root / voc.LISTS / "train.txt").write_text("a\nb\nc\nb\n")
    with pytest.raises(ValueError, match=r"train\.txt: 'b' is listed twice"):
        voc.read_list(root, "train")


# Annotations


def test_tags_are_the_classes_of_all_objects_once_and_ascending(root):
    assert tags_of(root, objects("dog", "cat", "dog")) == (0, 1)
    assert tags_of(root, objects(" diningtable\n")) == (2,)
    assert tags_of(root, objects()) == ()


def test_difficult_objects_count_and_parts_of_objects_do_not(root):
    xml = (
        "<annotation><object><name>dog</name><difficult>1</difficult>"
        "<part><name>head</name><object><name>cat</name></object></part></object>"
        "<part><name>cat</name></part></annotation>"
    )
    assert tags_of(root, xml) == (1,)


@pytest.mark.parametrize(
    "xml",
    [
        '<annotation xmlns="http://a.b"><object><name>dog</name></object></annotation>',
        '<x:annotation xmlns:x="http://a.b"><x:object><x:name>dog</x:name></x:object>'
        "</x:annotation>",
        "<Annotation><Object><Name>dog</Name></Object></Annotation>",
        "<annotations><annotation><object><name>dog</name></object></annotation></annotations>",
        "<annotation><object><name> dog\u200b </name></object></annotation>",
    ],
)
def test_objects_count_in_any_name_space_capitals_and_depth(root, xml):
    assert tags_of(root, xml) == (1,)


def test_xml_of_another_kind_is_named(root):
    with pytest.raises(ValueError, match=r"x\.xml: <html> holds no <object>; expected an <annot"):
        tags_of(root, "<html><body/></html>")


@pytest.mark.parametrize("name", ["Cat", "cow", "", "cat dog"])
def test_an_unknown_class_is_named_with_those_there_are(root, name):
    with pytest.raises(ValueError, match=rf"x\.xml: unknown class '{name}'; known: cat, dog, dini"):
        tags_of(root, objects("dog", name))


def test_an_object_without_a_name_is_an_error(root):
    with pytest.raises(ValueError, match=r"x\.xml: unknown class ''"):
        tags_of(root, "<annotation><object/></annotation>")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<annotation>",
        b"no xml",
        b"<annotation><object><name>\xe4</name></object></annotation>",
        b'<?xml version="1.0" encoding="nonsense"?><annotation/>',
        b'<?xml version="1.0" encoding="shift_jis"?><annotation/>',
    ],
)
def test_what_is_no_xml_is_named(root, content):
    with pytest.raises(ValueError, match=r"x\.xml: not valid XML: "):
        tags_of(root, content)


def test_a_missing_annotation_is_named(root):
    with pytest.raises(ValueError, match=r"Annotations/y\.xml: cannot be read"):
        voc.read_tags(root, "y", CLASSES)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(root, encoding):
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    for entities, name in ((f'<!ENTITY a0 "cat">{levels}', "&a8;"), ('<!ENTITY a "cat">', "&a;")):
        xml = f"<!DOCTYPE annotation [{entities}]>{objects(name)}"
        with pytest.raises(ValueError, match=r"x\.xml: "):
            tags_of(root, xml.encode(encoding))


def test_utf_16_itself_is_read(root):
    assert tags_of(root, objects("dog").encode("utf-16")) == (1,)


# Annotations as this project writes them


BOXES = st.tuples(st.sampled_from(["cat", "cats & <dogs>"]), *[st.integers(1, 500)] * 4)


@settings(deadline=None, max_examples=50)
@given(st.lists(BOXES, max_size=4), st.text("ab<&>\"' ü", min_size=1, max_size=9))
def test_a_written_annotation_is_xml_that_says_what_was_given(boxes, name):
    tree = ElementTree.fromstring(voc.annotation_xml(name, (30, 40), boxes))
    assert tree.findtext("filename") == f"{name}.jpg"
    assert (tree.findtext("size/height"), tree.findtext("size/width")) == ("30", "40")
    found = [
        (
            o.findtext("name"),
            *(int(o.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")),
        )
        for o in tree.findall("object")
    ]
    assert found == boxes


def test_tags_of_real_photographs_hold_the_classes_of_their_masks(photographs: Path):
    root = ImageRoot(photographs)
    names = voc.read_list(root, "val")[::15]
    for name in names:
        tags = voc.read_tags(root, name, voc.read_classes(root))
        with Image.open(photographs / voc.MASKS / f"{name}.png") as image:
            labels = set(np.unique(np.array(image)).tolist()) - {0, 255}
        assert labels
        assert labels <= {tag + 1 for tag in tags}
