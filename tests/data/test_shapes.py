"""The procedural data set: deterministic, well-formed, and hard in the ways it promises."""

import colorsys
import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.formats.layout import class_boxes
from hfpl.plugins.formats.shapes import textures
from hfpl.plugins.formats.shapes.drawing import CLASS_NAMES, Scene, draw_scene

SCENES = 240


@cache
def scenes(single: bool = False) -> list[Scene]:
    return [
        draw_scene(7, index, size=96, num_classes=6, single_object=single)
        for index in range(SCENES)
    ]


def same(a: Scene, b: Scene) -> bool:
    return (
        a.image.tobytes() == b.image.tobytes()
        and a.mask.tobytes() == b.mask.tobytes()
        and a.classes == b.classes
    )


def test_a_scene_depends_on_its_arguments_alone():
    forward = [draw_scene(3, index, size=64, num_classes=4) for index in range(8)]
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    backward = [draw_scene(3, index, size=64, num_classes=4) for index in reversed(range(8))]
    assert all(map(same, forward, reversed(backward)))


def test_seed_index_and_settings_change_the_scene():
    base = {"size": 64, "num_classes": 4, "single_object": True}
    first = draw_scene(3, 5, **base)
    assert not same(first, draw_scene(5, 3, **base))
    assert not same(first, draw_scene(3, 6, **base))
    for change in (
        {"min_extent": 0.3, "max_extent": 0.4},
        {"texture_amplitude": 0.0},
        {"head_fraction": 0.2},
    ):
        assert not np.array_equal(first.image, draw_scene(3, 5, **base, **change).image), change


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**63),
    index=st.integers(0, 2**32),
    size=st.integers(32, 140),
    num_classes=st.integers(2, 6),
    single=st.booleans(),
)
def test_scenes_are_well_formed(seed, index, size, num_classes, single):
    scene = draw_scene(seed, index, size=size, num_classes=num_classes, single_object=single)
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.image.flags.c_contiguous
    assert scene.mask.shape == (size, size)
    assert scene.mask.dtype == np.uint8
    values, counts = np.unique(scene.mask, return_counts=True)
    areas = {int(v) - 1: int(c) for v, c in zip(values, counts, strict=True) if v > 0}
    assert scene.classes == tuple(sorted(areas))
    assert all(0 <= k < num_classes for k in areas)
    assert all(area >= 40 * size**2 / 96**2 for area in areas.values())
    assert len(areas) == 1 if single else len(areas) <= 3


def test_every_number_of_classes_and_every_class_occurs():
    counts = np.bincount([len(scene.classes) for scene in scenes()], minlength=4)
    assert counts.size == 4
    assert (counts >= [1, 0.3 * SCENES, 0.2 * SCENES, 0.05 * SCENES]).all(), counts
    per_class = np.bincount([k for scene in scenes() for k in scene.classes], minlength=6)
    assert (per_class > 0.1 * SCENES).all(), per_class
    alone = np.bincount([scene.classes[0] for scene in scenes(single=True)], minlength=6)
    assert (alone > 0.08 * SCENES).all(), alone


def test_partner_classes_occur_together_more_often_than_others():
    pairs = np.zeros((6, 6), int)
    for scene in scenes():
        for a in scene.classes:
            for b in scene.classes:
                pairs[a, b] += a != b
    partners = [pairs[k, k ^ 1] for k in range(6)]
    others = [pairs[a, b] for a in range(6) for b in range(6) if a not in (b, b ^ 1)]
    assert min(partners) > 1.5 * np.mean(others), pairs


def test_classes_overlap():
    touching = 0
    several = [scene.mask for scene in scenes() if len(scene.classes) > 1]
    for mask in several:
        a, b = mask[:, 1:], mask[:, :-1]
        touching += bool(((a != b) & (a > 0) & (b > 0)).any())
    assert touching > 0.5 * len(several)


def test_objects_are_large_and_leave_background():
    share = np.mean([(scene.mask > 0).mean() for scene in scenes()])
    assert 0.35 < share < 0.6
    extents = []
    for index in range(40):
        small = draw_scene(
            1, index, size=96, num_classes=6, min_extent=0.3, max_extent=0.4, single_object=True
        )
        extents.append((small.mask > 0).mean())
    assert np.mean(extents) < 0.15


def edge_contrast(image: np.ndarray, edge: np.ndarray) -> float:
    """Mean contrast across the horizontal neighbours two pixels to either side of the edges."""
    rows, columns = np.nonzero(edge[:, 2:-3])
    left, right = image[rows, columns], image[rows, columns + 5]
    return float(np.abs(left - right).mean())


@cache
def contour_contrasts() -> list[float]:
    found = []
    for scene in scenes(single=True):
        inside = scene.mask > 0
        edge = inside[:, 1:] != inside[:, :-1]
        found.append(edge_contrast(scene.image.astype(float) / 255, edge))
    return found


def test_contours_and_background_have_colour_edges():
    assert np.quantile(contour_contrasts(), 0.05) > 0.2
    background = []
    for scene in scenes():
        image = scene.image.astype(float) / 255
        inside = scene.mask > 0
        away = ~inside & (np.cumsum(inside, axis=1) == 0)
        steps = np.abs(image[:, 5:] - image[:, :-5]).mean(2)[away[:, 5:]]
        if steps.size > 500:
            background.append(np.quantile(steps, 0.98))
    # The clutter's edges are as strong as the objects'; without clutter this is 0.12.
    assert np.mean(background) > 0.2


def test_colour_does_not_tell_the_class():
    colours = np.array(
        [(scene.image[scene.mask > 0].mean(0) / 255).tolist() for scene in scenes(single=True)]
    )
    labels = np.array([scene.classes[0] for scene in scenes(single=True)])
    # Variance between the classes against variance within them: an F test per channel. With 6
    # classes and 240 pictures its 0.1 % point is 4.3.
    grand = colours.mean(0)
    between, within = np.zeros(3), np.zeros(3)
    for k in range(6):
        group = colours[labels == k]
        between += len(group) * (group.mean(0) - grand) ** 2 / 5
        within += ((group - group.mean(0)) ** 2).sum(0) / (SCENES - 6)
    assert (between / within < 4.3).all()
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in colours]
    assert (np.histogram(hues, bins=6, range=(0, 1))[0] > 0.05 * SCENES).all()


def test_body_texture_is_weak_and_head_is_strong():
    """The head's contrast beats the texture's, and stays below the mean contour's."""
    flat, drawn = (
        [
            draw_scene(
                2, i, size=96, num_classes=6, single_object=True, texture_amplitude=amplitude
            ).image.astype(float)
            / 255
            for i in range(60)
        ]
        for amplitude in (0.0, 0.08)
    )
    # The same picture but for the texture: the difference is the texture alone, clipping apart.
    texture = [np.abs(a - b).max() for a, b in zip(flat, drawn, strict=True)]
    assert 0.06 < np.mean(texture) < 0.11
    # The same picture but for the head's size: where they differ most, the glyph meets the body.
    heads = []
    for i in range(60):
        small = draw_scene(
            2,
            i,
            size=96,
            num_classes=6,
            single_object=True,
            texture_amplitude=0.0,
            head_fraction=0.1,
        )
        change = np.abs(small.image.astype(float) / 255 - flat[i]).mean(2)
        heads.append(np.median(change[change > 0.05]))
    assert 2 * np.mean(texture) < np.mean(heads) < np.mean(contour_contrasts())


def test_heads_are_the_smaller_part_of_their_objects():
    shares = []
    for scene in scenes(single=True):
        head, body = scene.heads > 0, scene.mask > 0
        assert np.array_equal(scene.heads[head], scene.mask[head])
        shares.append(head.sum() / body.sum())
    assert np.mean(np.array(shares) > 0) > 0.95
    assert 0.08 < np.mean(shares) < 0.25


def test_glyphs_tell_the_classes_apart_and_bodies_only_their_pairs():
    v, u = np.mgrid[-20:21, -20:21].astype(np.float32)
    disc = np.hypot(u, v) < 14
    glyphs = [textures.glyph(k, u, v, 14.0)[disc] for k in range(6)]
    bodies = [textures.body_texture(k, u + 0.7, v + 0.3, 6.0).ravel() for k in range(6)]
    for fields in (glyphs, bodies):
        for field in fields:
            assert field.dtype == np.float32
            assert -1 <= field.min() < -0.9
            assert 0.9 < field.max() <= 1.0001
    for one, other in itertools.combinations(range(6), 2):
        assert abs(np.corrcoef(glyphs[one], glyphs[other])[0, 1]) < 0.75
        if other == one ^ 1:
            assert np.array_equal(bodies[one], bodies[other])
        else:
            assert abs(np.corrcoef(bodies[one], bodies[other])[0, 1]) < 0.75
    # A glyph is two-coloured: no more than its edges lie between.
    assert all((np.abs(field) == 1).mean() > 0.6 for field in glyphs)


@pytest.mark.parametrize("supersampling", [1, 3])
def test_rasterise_covers_what_the_outline_encloses(supersampling):
    outline = np.array([[-5.0, 3.0], [12.5, 3.0], [12.5, 9.25], [-5.0, 9.25]])
    patch = textures.rasterise(outline, 40, supersampling)
    assert patch.window == (slice(3, 10), slice(0, 13))
    wanted = np.ones((7, 13))
    wanted[:, 12] *= 0.5
    wanted[6] *= 0.25
    # OpenCV also fills the sub-pixels that the outline only touches.
    assert np.abs(patch.coverage - wanted)[:6, :12].max() == 0
    assert np.abs(patch.coverage - wanted).max() <= (0.35 if supersampling == 3 else 1)
    assert textures.rasterise(outline + 60, 40, supersampling) is None


def test_rasterised_blob_has_the_area_of_its_outline():
    rng = np.random.default_rng(0)
    for _ in range(20):
        outline = textures.blob_outline(
            rng, (48, 48), 25, harmonics=4, roughness=0.32, aspect=1.2, angle=0.4
        )
        x, y = outline.T
        shoelace = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        assert textures.rasterise(outline, 96).coverage.sum() == pytest.approx(shoelace, rel=0.04)


def test_paint_blends_by_coverage():
    image = np.full((3, 4, 4), 0.25, np.float32)
    coverage = np.array([[0, 1], [0.5, 0.25]], np.float32)
    patch = textures.Patch((slice(1, 3), slice(2, 4)), coverage)
    textures.paint(image, patch, np.array([1, 0, 0.25], np.float32)[:, None, None])
    wanted = np.full((3, 4, 4), 0.25)
    for i in range(2):
        for j in range(2):
            for c, colour in enumerate((1, 0, 0.25)):
                a = coverage[i, j]
                wanted[c, i + 1, j + 2] = a * colour + (1 - a) * 0.25
    np.testing.assert_allclose(image, wanted, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), points=st.integers(1, 50), contrast=st.floats(0.05, 0.4))
def test_contrasting_colour_is_the_first_that_contrasts(seed, points, contrast):
    surroundings = np.random.default_rng(seed + 1).random((3, points), dtype=np.float32)
    found = textures.contrasting_colour(
        np.random.default_rng(seed), surroundings, contrast, (0.2, 0.8)
    )
    candidates = np.random.default_rng(seed).uniform(0.2, 0.8, (3, 24)).astype(np.float32).T
    best = None
    for colour in candidates:
        contrasts = sorted(float(np.abs(colour - around).mean()) for around in surroundings.T)
        worst = contrasts[points // 10]  # a tenth of the points may fall short
        if best is None or (worst > best[0] and best[0] < contrast):
            best = (worst, colour)
    assert found.shape == (3, 1, 1)
    np.testing.assert_array_equal(found[:, 0, 0], best[1])


def test_class_boxes_are_those_of_voc():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:3, 2:5] = 3
    mask[5, 7] = 3
    mask[0, 0] = 1
    mask[4, :] = np.where(mask[4] == 0, 255, mask[4])
    assert class_boxes(mask) == [(0, 1, 1, 1, 1), (2, 3, 2, 8, 6)]
    assert class_boxes(np.zeros((5, 5), np.uint8)) == []
    with pytest.raises(ValueError, match="2 dimensions"):
        class_boxes(np.zeros((2, 5, 5), np.uint8))


def test_class_boxes_agree_with_a_scan_of_the_mask():
    for scene in scenes()[:30]:
        wanted = {}
        for i, row in enumerate(scene.mask.tolist(), start=1):
            for j, value in enumerate(row, start=1):
                if value:
                    x0, y0, x1, y1 = wanted.get(value - 1, (j, i, j, i))
                    wanted[value - 1] = (min(x0, j), min(y0, i), max(x1, j), max(y1, i))
        assert class_boxes(scene.mask) == [(k, *wanted[k]) for k in scene.classes]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 31}, "size"),
        ({"num_classes": 1}, "num_classes"),
        ({"num_classes": 7}, "num_classes"),
        ({"min_extent": 0.9, "max_extent": 0.8}, "extent"),
        ({"min_extent": 0.1}, "extent"),
        ({"max_extent": 1.3}, "extent"),
        ({"texture_amplitude": -0.1}, "texture_amplitude"),
        ({"texture_amplitude": float("nan")}, "texture_amplitude"),
        ({"head_fraction": 0.9}, "head_fraction"),
        ({"seed": -1}, "seed"),
        ({"index": -1}, "index"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"seed": 0, "index": 0, "size": 96, "num_classes": 6} | change
    with pytest.raises(ValueError, match=message):
        draw_scene(arguments.pop("seed"), arguments.pop("index"), **arguments)


def test_class_names_describe_the_glyphs():
    assert CLASS_NAMES == ("plus", "cross", "rings", "quarters", "halves", "bars")
