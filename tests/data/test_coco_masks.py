"""COCO's instances: parsed, and drawn as a plain rasteriser draws them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.formats.coco2014.masks import CocoImage, draw_mask, read_image_ids, read_instances

H, W = 30, 40
LABELS = {1: 1, 7: 2, 90: 80}


def parsed(*annotations: tuple[int, object], size=(H, W)) -> CocoImage:
    """Image 5 with annotations (category, segmentation), through the JSON's text."""
    content = {
        "images": [{"id": 5, "height": size[0], "width": size[1], "file_name": "x"}],
        "categories": [{"id": k, "name": f"class {k}"} for k in (90, 1, 7)],
        "annotations": [
            {"image_id": 5, "category_id": c, "segmentation": s} for c, s in annotations
        ],
    }
    _, images = read_instances(json.dumps(content).encode(), "a.json", {5})
    return images[5]


def drawn(*annotations: tuple[int, object]) -> np.ndarray:
    return draw_mask(parsed(*annotations), LABELS)


def plain_box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Boolean (H, W) of a box that holds its right and lower edge too."""
    return np.array([[x0 <= x <= x1 and y0 <= y <= y1 for x in range(W)] for y in range(H)])


def plain_polygon(vertices: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that are inside by the even-odd rule, and those within one pixel of an edge."""
    inside, edge = np.zeros((H, W), bool), np.zeros((H, W), bool)
    for y in range(H):
        for x in range(W):
            for (ax, ay), (bx, by) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
                if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
                    inside[y, x] ^= True
                length = (bx - ax) ** 2 + (by - ay) ** 2
                along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length if length else 0
                t = min(1, max(0, along))
                away = (x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2
                edge[y, x] |= away <= 1
    return inside, edge


def test_vertices_are_truncated_and_the_outline_belongs_to_it():
    mask = drawn((7, [[3.9, 4.2, 20.99, 4.9, 20.1, 11.7, 3.0, 11.99]]))
    np.testing.assert_array_equal(mask, 2 * plain_box(3, 4, 20, 11))
    assert mask.dtype == np.uint8


def test_a_polygon_that_leaves_the_image_is_cut():
    mask = drawn((1, [[-10.5, -3, 500, -3, 500, 6.5, -10.5, 6.5]]))
    np.testing.assert_array_equal(mask, plain_box(0, 0, W, 6))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, W - 1), st.integers(0, H - 1)), min_size=3, max_size=7))
def test_polygons_are_filled_by_the_even_odd_rule(vertices):
    mask = drawn((90, [[float(v) + 0.75 for vertex in vertices for v in vertex]]))
    inside, edge = plain_polygon(vertices)
    assert set(np.unique(mask)) <= {0, 80}
    np.testing.assert_array_equal((mask > 0)[~edge], inside[~edge])
    assert all(mask[y, x] == 80 for x, y in vertices)


def test_later_instances_cover_earlier_ones_and_parts_add_up():
    first, second = [[0, 0, 20, 0, 20, 20, 0, 20]], [[10, 10, 30, 10, 30, 25, 10, 25]]
    expected = 1 * plain_box(0, 0, 20, 20)
    expected[plain_box(10, 10, 30, 25)] = 80
    np.testing.assert_array_equal(drawn((1, first), (90, second)), expected)
    inner = [[5, 5, 8, 5, 8, 8, 5, 8]]
    np.testing.assert_array_equal(drawn((1, first + inner)), plain_box(0, 0, 20, 20))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=20))
def test_runs_go_down_the_columns(runs):
    runs = [min(n, max(0, H * W - sum(runs[:k]))) for k, n in enumerate(runs)]
    runs.append(H * W - sum(runs))
    flat = [k % 2 for k, n in enumerate(runs) for _ in range(n)]
    expected = np.array([[flat[x * H + y] for x in range(W)] for y in range(H)])
    region = {"size": [H, W], "counts": runs}
    np.testing.assert_array_equal(drawn((7, region)), 2 * expected)


def test_a_crowd_counts_like_any_other():
    crowd = {"size": [H, W], "counts": [0, H * W]}
    box = [[3, 4, 20, 4, 20, 11, 3, 11]]
    np.testing.assert_array_equal(drawn((1, box), (90, crowd)), np.full((H, W), 80))
    covered = np.full((H, W), 80)
    covered[plain_box(3, 4, 20, 11)] = 1
    np.testing.assert_array_equal(drawn((90, crowd), (1, box)), covered)


def test_an_image_without_instances_is_background():
    np.testing.assert_array_equal(drawn(), np.zeros((H, W)))
    np.testing.assert_array_equal(drawn((1, [])), np.zeros((H, W)))


@pytest.mark.parametrize(
    "region",
    [
        {"size": [H, W], "counts": [H * W + 1]},
        {"size": [H, W], "counts": [5]},
        {"size": [H, W], "counts": [-5, H * W + 5]},
        {"size": [H, W], "counts": [H * W / 2, H * W / 2]},
        {"size": [W, H], "counts": [H * W]},
        {"size": [H, W], "counts": "zzzzzzzzzzzzzzzzzz"},
        {"counts": [H * W]},
        {"size": [H, W]},
    ],
)
def test_runs_that_do_not_fit_are_refused(region):
    with pytest.raises(ValueError, match="a region"):
        drawn((1, region))


@pytest.mark.parametrize(
    "polygon",
    [[1, 2, 3], [], [[1, 2], [3, 4]], ["a", "b"], [1, float("nan")], [1e9, 1], 3, [None, 1]],
)
def test_polygons_that_are_none_are_named(polygon):
    with pytest.raises(ValueError, match=r"a\.json: not an annotation file of COCO: "):
        parsed((1, [polygon]))


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (10**9, 10**9)])
def test_sizes_that_cannot_be_are_named(size):
    with pytest.raises(ValueError, match=r"a\.json: .* an image has a side of"):
        parsed(size=size)


def test_only_wanted_images_are_kept():
    content = {
        "images": [{"id": n, "height": 5, "width": 6, "file_name": "x"} for n in (3, 4)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": n, "category_id": 1, "segmentation": [[0, 0, 3, 3, n, 0]]} for n in (3, 4)
        ],
    }
    text = json.dumps(content).encode()
    categories, images = read_instances(text, "a.json", {4, 99})
    assert categories == {1: "cat"}
    assert list(images) == [4]
    assert len(images[4].instances) == 1
    assert read_image_ids(text, "a.json") == {3, 4}


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff", b"[]", b"{}", b'{"images": [{}]}', b'{"images": 3}', b"[" * 100_000,
     b'{"images": [], "categories": [], "annotations": [{"segmentation": []}]}'],
)  # fmt: skip
def test_other_files_are_named(text):
    with pytest.raises(ValueError, match=r"^a\.json: not an annotation file of COCO: "):
        read_instances(text, "a.json", {1})
    if b"annotations" not in text:
        with pytest.raises(ValueError, match=r"^a\.json: not an annotation file of COCO: "):
            read_image_ids(text, "a.json")


def test_an_unknown_category_is_named():
    with pytest.raises(ValueError, match="image 5 has an object of unknown category 2"):
        parsed((2, []))
