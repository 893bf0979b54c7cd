"""Plots: what they draw, and that equal data give equal bytes."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from hfpl.stages.evaluate.table import BEST, FIXED
from hfpl.stages.report.plots import (
    class_bars,
    plot_style,
    save_figure,
    threshold_curve,
    training_curves,
)

THRESHOLDS = [0.0, 0.1, 0.2, 0.3]
CURVES = {"train": [40.0, 50.0, 45.0, 30.0], "val": [35.0, 41.0, 42.0, 20.0]}
ROWS = [
    {"split": "train", "threshold_chosen": FIXED, "threshold": 0.25, "miou": 38.0},
    {"split": "train", "threshold_chosen": BEST, "threshold": 0.1, "miou": 50.0},
    {"split": "val", "threshold_chosen": FIXED, "threshold": 0.25, "miou": 33.0},
    {"split": "val", "threshold_chosen": BEST, "threshold": 0.2, "miou": 42.0},
]


def scores(classes, level):
    return {
        "miou": level,
        "contour_f": level / 2,
        "iou": {"background": 90.0, **{name: level + k for k, name in enumerate(classes)}},
        "contour_f_per_class": {name: level / 2 + k for k, name in enumerate(classes)},
    }


def figures():
    classes = ("cat", "dog")
    history = {"step": [1, 2, 3], "total": [3.0, 2.0, 1.5], "cls": [1.0, 0.9, 0.8]}
    return {
        "threshold": lambda: threshold_curve(THRESHOLDS, CURVES, ROWS, "title"),
        "classes": lambda: class_bars(classes, {"cam": scores(classes, 40.0)}, "title"),
        "training": lambda: training_curves({"cam": history}, "title"),
    }


def lines_of(axes):
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()]


def texts_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_threshold_curve_draws_the_curves_and_both_marks_of_each():
    figure = threshold_curve(THRESHOLDS, CURVES, ROWS, "title")
    lines = lines_of(figure.axes[0])
    for curve in CURVES.values():
        assert (THRESHOLDS, curve) in lines
    for row in ROWS:
        assert ([row["threshold"]], [row["miou"]]) in lines
    assert "train: 38.0 at 0.25, best 50.0 at 0.1" in texts_of(figure)
    assert "val: 33.0 at 0.25, best 42.0 at 0.2" in texts_of(figure)


def test_class_bars_are_the_scores_in_the_order_of_the_classes():
    classes = ("zebra", "ant", "cow")
    rows = {"cam": scores(classes, 30.0), "walk": scores(classes, 50.0)}
    figure = class_bars(classes, rows, "title")
    iou, contour = figure.axes
    names = [label.get_text() for label in iou.get_yticklabels()]
    assert names == ["mean", "background", *classes]
    assert [container.get_label() for container in iou.containers] == ["cam", "walk"]
    widths = [[bar.get_width() for bar in container] for container in iou.containers]
    assert widths == [[30, 90, 30, 31, 32], [50, 90, 50, 51, 52]]
    widths = np.array([[bar.get_width() for bar in c] for c in contour.containers])
    np.testing.assert_array_equal(widths, [[15, np.nan, 15, 16, 17], [25, np.nan, 25, 26, 27]])
    assert texts_of(figure) == ["cam", "walk"]


def test_bars_of_one_class_do_not_overlap_and_stay_beside_its_name():
    classes = ("cat",)
    rows = {name: scores(classes, 30.0) for name in ("cam", "walk", "segment")}
    with plot_style():
        figure = class_bars(classes, rows, "title")
    for place in range(3):
        bars = sorted(
            (container[place].get_y(), container[place].get_height())
            for container in figure.axes[0].containers
        )
        for (low, height), (following, _) in zip(bars, bars[1:], strict=False):
            assert low + height <= following
        assert bars[0][0] > place - 0.5
        assert bars[-1][0] + bars[-1][1] < place + 0.5


@pytest.mark.parametrize("count", [1, 6, 20, 80])
def test_more_classes_make_a_higher_picture(count):
    classes = tuple(f"class {k}" for k in range(count))
    figure = class_bars(classes, {"cam": scores(classes, 10.0)}, "title")
    assert figure.get_figheight() >= 0.45 * count


def test_training_curves_have_a_panel_for_every_column():
    histories = {
        "pretrain": {"step": [1, 2], "total": [2.0, 1.0], "accuracy": [0.5, 0.6]},
        "cam": {"step": [1, 2], "total": [5.0, 4.0], **{f"t{k}": [k, k] for k in range(9)}},
        "segment": {"step": [4, 8], "total": [3.0, 2.5]},
    }
    figure = training_curves(histories, "title")
    panels = {axes.get_title(loc="left") or axes.get_title(): axes for axes in figure.axes}
    assert len(panels) == len(figure.axes) == 3 + 10
    for stage, history in histories.items():
        assert lines_of(panels[f"{stage}: total loss"]) == [(history["step"], history["total"])]
        for name in history.keys() - {"step", "total"}:
            assert lines_of(panels[f"{stage}: {name}"]) == [(history["step"], history[name])]


def test_training_without_further_terms_has_one_row_of_panels():
    figure = training_curves({"segment": {"step": [1], "total": [2.0]}}, "title")
    assert len(figure.axes) == 1


@pytest.mark.parametrize("name", figures())
def test_equal_figures_give_equal_bytes_without_date_or_version(tmp_path, name):
    for file in ("a.png", "b.png"):
        with plot_style():
            save_figure(figures()[name](), tmp_path / file)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        assert image.text == {}
        assert min(image.size) > 200
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("name", figures())
def test_a_users_settings_change_nothing(tmp_path, name):
    with plot_style():
        save_figure(figures()[name](), tmp_path / "own.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 40}):
        with plot_style():
            save_figure(figures()[name](), tmp_path / "other.png")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "own.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_dollar_signs_in_names_are_no_formulas(tmp_path):
    classes = ("$5 note", "a $ and $x^")
    with plot_style():
        save_figure(class_bars(classes, {"cam": scores(classes, 5.0)}, "t"), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_class_bars_have_a_panel_per_metric():
    classes = ("cat", "dog")
    more = {"background": 70.0, "cat": 50.0, "dog": 60.0}
    row = {**scores(classes, 40.0), "boundary_iou": 60.0, "boundary_iou_per_class": more}
    figure = class_bars(classes, {"cam": row}, "title")
    assert [axes.get_title() for axes in figure.axes] == ["IoU", "Boundary IoU", "Contour F"]
    (container,) = figure.axes[1].containers
    assert [bar.get_width() for bar in container] == [60.0, 70.0, 50.0, 60.0]
