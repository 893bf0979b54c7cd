"""The benchmark of growth: what it measures in small, its arithmetic, its page and its figure."""

import json
import zipfile

import pytest
import torch
from hfpl.params.reruns import STAGES
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale import __main__ as command
from benchmarks.scale import jobs
from benchmarks.scale.commands import Done
from benchmarks.scale.estimate import SIZES, core_hours, images_read
from benchmarks.scale.figure import curves, spread
from benchmarks.scale.memory import Kept
from benchmarks.scale.page import LAYOUTS, PLAN_COLUMNS, number, page
from benchmarks.scale.plan import measure_plan, planned_jobs, usual_shards, write_data_set
from benchmarks.scale.stages import by_stage, measure_stages, run_settings
from hfpl.plugins.formats.indexing import write_index
from hfpl.stages.report.plots import plot_style
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot

LISTS = {"training": "train", "train": "train", "val": "val"}


@pytest.fixture(autouse=True)
def threads():
    """Leaves the number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def measured():
    """Of every part, in the form in which it is kept; time is linear, memory constant."""
    on = {"machine": "a machine, 2 cores", "load": 2.5}
    runs = {
        str(n): {stage: {"cpu": 1 + n / 1000, "MB": 100.0} for stage in STAGES}
        for n in (500, 100, 2000)
    }
    cost = {"cpu": 0.002, "megabytes": 40.0}
    sizes = {job: {"128": {"cpu": 0.008, "megabytes": 80.0}, "64": cost} for job in jobs.JOBS}
    plans = {str(n): dict.fromkeys(PLAN_COLUMNS, float(n)) for n in (1000, 100)}
    kept = {"of_set": 100.0, "of_shard": 800.0, "opening": 1500.0}
    return {
        "stages": {"on": on, "micro": runs},
        "memory": {"on": on, "bytes": {"walk": kept}},
        "sizes": {"on": on, **sizes},
        "plan": {"on": on, "zip": plans, "folder": plans},
        "presets": {"on": on, "cam train": {"448": {"cpu": 3600.0, "megabytes": 9000.0}}},
    }


@pytest.mark.parametrize("job", jobs.JOBS)
def test_every_job_is_measured(job):
    cost = jobs._measure(job, "micro", 48, 2)
    assert 0 < cost.cpu < 60
    assert cost.megabytes >= 0


def test_a_clock_leaves_the_first_time_out_and_takes_the_middle_one():
    clock = jobs._Clock()
    clock.marks = [0.0, 100.0, 101.0, 103.0, 113.0]
    assert clock.between() == 2.0


def test_a_run_reads_as_many_images_as_its_parameters_say():
    voc = images_read(SIZES["VOC"])
    assert voc["cam train"] == voc["affinity"] == 8 * 1322 * 8  # whole batches of 10,582 images
    assert voc["segment train"] == 200_000
    assert voc["cam infer"] == voc["pseudo"] == voc["walk"] == 12_031
    assert voc["segment test"] == voc["evaluate"] == 2_913
    coco = images_read(SIZES["COCO"])
    assert coco["cam train"] == 8 * 10_347 * 8
    assert coco["segment train"] == 2_000_000
    assert coco["walk"] == coco["segment test"] == 123_287


def test_hours_are_those_of_what_is_measured():
    assert core_hours({"a": 1800, "b": 10, "c": 7}, {"a": 4.0, "b": 720.0}) == {"a": 2, "b": 2}


def test_jobs_are_summed_up_by_stage():
    found = by_stage({
        "results/shapes/seam/walk/logs/train-0.log": {"cpu": 1.0, "MB": 90.0},
        "results/shapes/seam/walk/logs/val-0.log": {"cpu": 2.5, "MB": 80.0},
        "results/shapes/data/logs/index.log": {"cpu": 0.5, "MB": 50.0},
    })  # fmt: skip
    assert found == {"walk": {"cpu": 3.5, "MB": 90.0}, "data": {"cpu": 0.5, "MB": 50.0}}


@pytest.mark.parametrize("images", [100, 500, 2000])
def test_trainings_take_steps_in_proportion_to_the_images(images):
    settings = dict(setting.split("=") for setting in run_settings(images))
    train, steps = int(settings["datasets.shapes.train"]), int(settings["segment.iterations"])
    assert train + int(settings["datasets.shapes.val"]) == images
    assert steps * int(settings["segment.batch"]) == train


def test_a_plan_s_jobs_are_read_from_its_last_line():
    assert planned_jobs(Done(1.0, 1.0, 1.0, "rule jobs\nwalk 4 why\n276 jobs would run\n")) == 276


def test_shards_are_those_of_the_preset_of_that_size():
    numbers = (100, 1000, 10_582, 82_783)
    assert [usual_shards(images) for images in numbers] == [2, 2, 16, 32]


def test_both_layouts_hold_the_same_images(tmp_path):
    found = []
    for layout, name in (("zip", "photographs.zip"), ("folder", "photographs")):
        write_data_set(tmp_path / layout, 10, layout)
        files = {split: [tmp_path / f"{layout}-{split}.json"] for split in ("train", "val")}
        counts = write_index("p", ImageRoot(tmp_path / layout / name), LISTS, files)
        assert counts == {"train": 8, "val": 2}
        found.append([read_manifests(paths) for paths in files.values()])
    assert found[0] == found[1]
    hashes = {image.sha256 for split in found[0] for image in split.images}
    assert len(hashes) == 10
    assert len(zipfile.ZipFile(tmp_path / "zip" / "photographs.zip").namelist()) == 32


def cells(text: str, start: str) -> list[str]:
    """Cells of the first row that begins so."""
    row = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_page_shows_every_part(measured):
    text = page(measured)
    assert cells(text, "`stages`") == ["`stages`", "a machine, 2 cores", "2.5"]
    assert cells(text, "walk") == ["walk", "100", "800", "500", "150", "1,500"]
    # A second for each thousand images is a millisecond for each.
    assert cells(text, "affinity")[1:] == ["1.1", "1.5", "3.0", "1.0", "1.0"]
    sizes = text[text.index("## Stages against image size") :]
    assert cells(sizes, "walk") == ["walk", "2.0", "8.0"]
    plan = text[text.index("## Around") :]
    assert cells(plan, "1,000")[1:] == len(PLAN_COLUMNS) * ["1,000"]
    estimate = text[text.index("## VOC") :]
    # An hour for each image, on sixteen cores; what is not measured is not in the sum.
    hours = estimate[estimate.index("VOC: images") :]
    assert cells(hours, "cam train")[1:] == ["84,608", "5,288", "662,208", "41,388"]
    assert cells(hours, "walk")[1:] == ["12,031", "not measured", "123,287", "not measured"]
    assert cells(hours, "all that is measured")[2] == "5,288"


def test_the_page_leaves_out_what_is_not_measured(measured):
    text = page({"plan": measured["plan"]})
    assert "## Around" in text
    assert "## VOC" not in text


@pytest.mark.parametrize(
    ("value", "shown"), [(0.004, "0.00"), (0.04, "0.04"), (3.14, "3.1"), (1234.5, "1,234")]
)
def test_numbers_have_no_digits_too_many(value, shown):
    assert number(value) == shown


def test_the_figure_draws_all_that_is_measured(measured):
    with plot_style():
        time, memory, size, plan = curves(measured).axes
    assert len(time.lines) == len(memory.lines) == len(STAGES)
    assert [*time.lines[0].get_xdata()] == [100, 500, 2000]
    assert [*time.lines[0].get_ydata()] == [1.1, 1.5, 3.0]
    assert len(size.lines) == len(jobs.JOBS)
    assert [*size.lines[0].get_xdata()] == [64**2, 128**2]
    assert [text.get_text() for text in plan.texts]
    for panel in (time, memory, size):
        # Names of lines that end at one place do not cover each other.
        heights = sorted(text.xyann[1] for text in panel.texts)
        assert all(b - a > 0.049 for a, b in zip(heights, heights[1:], strict=False))


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=15))
def test_names_keep_their_order_and_distance_and_stay_in_the_panel(heights):
    found = spread(heights, 0.05)
    assert found.keys() == heights.keys()
    order = sorted(found, key=found.__getitem__)
    assert all(heights[a] <= heights[b] for a, b in zip(order, order[1:], strict=False))
    values = [found[name] for name in order]
    assert all(b - a >= 0.0499 for a, b in zip(values, values[1:], strict=False))
    assert all(-1e-9 <= value <= 1 for value in values)


def test_measurements_add_up_in_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.scale.plan.measure_plan", lambda *given: {"jobs": given[1]})
    kept = tmp_path / "scale.json"
    given = ["--kept", str(kept), "--folder", str(tmp_path)]
    for images in ("100", "1000"):
        command.main(["plan", "--images", images, "--layout", "zip", *given])
    found = json.loads(kept.read_text())["plan"]
    assert found["zip"] == {"100": {"jobs": 100}, "1000": {"jobs": 1000}}
    assert found["on"]["machine"]


def test_the_page_in_docs_is_written_from_what_was_measured(repository):
    kept = repository / "docs" / "scale.json"
    assert (repository / "docs" / "scale.md").read_text(encoding="utf-8") == page(
        json.loads(kept.read_text(encoding="utf-8"))
    )


def test_what_was_measured_keeps_the_limits(repository):
    found = json.loads((repository / "docs" / "scale.json").read_text(encoding="utf-8"))
    assert "80000" in found["plan"]["zip"]
    for layout in LAYOUTS:
        for plan in found["plan"].get(layout, {}).values():
            assert plan["jobs"] <= 300
            assert plan["plan, clock"] <= 15
    for job, kept in found["memory"]["bytes"].items():
        assert Kept(**kept).per_image(2) <= 1024, job


@pytest.mark.slow
def test_a_miniature_of_what_surrounds_the_stages(tmp_path):
    found = measure_plan(tmp_path / "clone", 12, "folder")
    assert found.keys() == PLAN_COLUMNS.keys()
    assert all(value > 0 for value in found.values())
    assert found["jobs"] == 30
    assert not (tmp_path / "clone").exists()


@pytest.mark.slow
def test_a_miniature_of_all_stages(tmp_path):
    found = measure_stages(tmp_path / "clone", 30)
    assert found.keys() == set(STAGES)
    assert all(stage["cpu"] > 0 and stage["MB"] > 10 for stage in found.values())
    # Smaller than what Snakemake takes, of which jobs are forked.
    assert found["data"]["MB"] < 140
