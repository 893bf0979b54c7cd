"""The figure of the comparison: what is drawn where."""

from PIL import Image

from hfpl.ablation.compare import compare
from hfpl.ablation.figure import comparison_figure, sweeps
from hfpl.stages.report.plots import plot_style, save_figure


def make_runs(row):
    runs = []
    for seed in range(2):
        runs.append(row("cam", seed, {"val": (60.0 + seed, 20.0)}))
        runs.append(row("seam", seed, {"val": (55.0 + seed, 25.0)}))
        runs.append(row("cam-isl-fsl", seed, {"val": (70.0 + seed, 35.0)}))
        for mu in ("10.0", "1.0"):
            runs.append(row("cam-isl-fsl", seed, {"val": (65.0, 30.0)}, cam__fsl__mu=mu))
    return runs


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda o: hasattr(o, "get_text"))]


def test_a_sweep_holds_the_variant_s_own_value_in_its_place(row):
    compared = [r for r in compare(make_runs(row)) if r["threshold_chosen"] == "fixed beforehand"]
    ((key, points),) = sweeps(compared).items()
    assert key == ("cam-isl-fsl", "cam.fsl.mu")
    assert [value for value, _ in points] == ["1.0", "2.0", "10.0"]
    assert [point["miou"]["mean"] for _, point in points] == [65.0, 70.5, 65.0]


def test_every_setting_and_sweep_is_drawn(row, tmp_path):
    with plot_style():
        figure = comparison_figure(compare(make_runs(row)), "val", "shapes")
        save_figure(figure, tmp_path / "one.png")
    found = texts(figure)
    assert {"cam", "+ ISL + FSL", "seam", "shapes", "cam-isl-fsl\nfsl.mu"} <= set(found)
    assert sum("threshold" in text for text in found) == 2
    with Image.open(tmp_path / "one.png") as image:
        assert image.width > 500


def test_equal_rows_give_equal_bytes(row, tmp_path):
    files = [tmp_path / "one.png", tmp_path / "two.png"]
    for file in files:
        with plot_style():
            save_figure(comparison_figure(compare(make_runs(row)), "val", "shapes"), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_device_with_most_settings_is_drawn(row):
    runs = [*make_runs(row), row("seam", 0, {"val": (1.0, 1.0)}, "NVIDIA X")]
    with plot_style():
        found = " ".join(texts(comparison_figure(compare(runs), "val", "shapes")))
    assert "CPU x86_64" in found
    assert "NVIDIA" not in found


def test_without_scores_the_figure_says_so():
    assert "No scores." in texts(comparison_figure([], "val", "shapes"))


def test_every_metric_of_the_rows_has_a_panel(row):
    runs = [row("cam", seed, {"val": (60.0 + seed, 20.0)}) for seed in range(2)]
    for run in runs:
        for score in run["scores"]:
            score["boundary_iou"] = 40.0
    figure = comparison_figure(compare(runs), "val", "title")
    assert len(figure.subfigs) == 2
    for part in figure.subfigs:
        labels = [axes.get_xlabel() for axes in part.axes]
        assert labels == ["mIoU, %", "boundary IoU, %", "contour F, %"]
