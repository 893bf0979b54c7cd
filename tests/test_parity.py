"""The parity table: reference arrays pass, every array that is moved fails, bad folders are named.

Default is ``tests/reference``; the published networks are built in full, which takes seconds.
"""

import re
import shutil
import zipfile

import numpy as np
import pytest

from scripts.parity.__main__ import main
from scripts.parity.arrays import Arrays, read_arrays
from scripts.parity.comparison import close, equal, near_best
from scripts.parity.table import STEPS, compare, format_table

INPUTS = {
    "feature_similarity.npz": r"n_cases|(x|y|mu|sigma)\d+",
    "seam_losses.npz": r"image|labels|cam\d|cam_rv\d|logits1",
    "cam_merge.npz": r"labels|height|width|cam_\d+",
    "dense_crf.npz": r"image|classes|cams|final_prob_in",
    "affinity_labels.npz": r"scores_crop",
    "affinity_loss.npz": r"label|affinity",
    "random_walk.npz": r"dense_affinity|cam_classes|cams|height|width|alpha|beta|logt",
    "evaluation.npz": r"n|(gt|pred|cam_classes|cams)_\d+",
    "evaluation_photographs.npz": r"n|(gt|pred)_\d+",
    "schedules.npz": r"segmentation_iteration|cam_step|cam_max_step",
    "seam_network.npz": r"x",
    "seam_parameter_groups.npz": r"",
    "seam_gradients.npz": r"image|labels",
    "affinity_network.npz": r"x",
    "deeplab_network.npz": r"x",
    "efficientnet_lite.npz": r"x_.*",
}
"""Arrays of a file that its step reads; all others are results."""

QUICK = [name for name in STEPS if not name.endswith("network.npz")]
QUICK = [
    name
    for name in QUICK
    if name not in ("seam_parameter_groups.npz", "seam_gradients.npz", "efficientnet_lite.npz")
]


@pytest.fixture(scope="session")
def reference(repository):
    return repository / "tests" / "reference"


@pytest.fixture
def folder(reference, tmp_path):
    """A copy of the quick files."""
    for name in QUICK:
        shutil.copyfile(reference / name, tmp_path / name)
    return tmp_path


def moved(array):
    """The array with its largest entry off by a thousandth, or one entry changed."""
    array = np.array(array)
    flat = array.reshape(-1)
    if array.dtype.kind == "U":
        flat[0] = "x" + flat[0][1:]
        return array
    place = np.abs(flat.astype(float)).argmax()
    flat[place] = flat[place] * 1.001 if array.dtype.kind == "f" else flat[place] ^ 1
    return array


def results(name, arrays):
    return [key for key in arrays if not re.fullmatch(INPUTS[name], key)]


@pytest.mark.parametrize("name", STEPS)
def test_every_result_is_met_and_a_moved_one_is_noticed(reference, name):
    """One run proves both: a result that is off by a thousandth must show that very error."""
    arrays = read_arrays(reference / name)
    keys = results(name, arrays)
    assert keys
    for key in keys:
        arrays[key] = moved(arrays[key])
    rows = compare(name, arrays)
    assert len(rows) == len(keys)
    for row in rows:
        assert not row.passed, row.compared
        if row.counts:
            assert row.error >= 1, row.compared
        else:
            assert row.error == pytest.approx(1e-3, abs=1e-4), row.compared


def test_the_default_folder_passes(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(QUICK) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["step", "compared", "largest", "error", "allowed"]
    assert {line.split()[0] for line in lines[1:-1]} == {name[:-4] for name in QUICK}
    assert all(line.endswith("pass") for line in lines[1:-1])
    assert lines[-1] == f"{len(lines) - 2} of {len(lines) - 2} comparisons pass"


def test_a_failing_folder_ends_with_failure(folder, capsys):
    arrays = read_arrays(folder / "affinity_loss.npz")
    arrays["grad"] = moved(arrays["grad"])
    np.savez(folder / "affinity_loss.npz", **arrays)
    assert main(["--reference", str(folder), "affinity_loss.npz", "schedules.npz"]) == 1
    out = capsys.readouterr().out
    failing = [line.split() for line in out.splitlines() if line.endswith("FAIL")]
    assert failing == [["affinity_loss", "gradient", "1.0e-03", "1e-04", "FAIL"]]
    assert out.endswith("3 of 4 comparisons pass\n")


def test_other_numbers_of_cases_and_images_are_taken(folder):
    arrays = read_arrays(folder / "feature_similarity.npz")
    arrays["n_cases"] = np.array(2)
    assert [row.passed for row in compare("feature_similarity.npz", arrays)] == [True] * 4


def without(path, key):
    arrays = read_arrays(path)
    del arrays[key]
    np.savez(path, **arrays)


def test_a_missing_array_fails_its_step_and_no_other(folder, capsys):
    without(folder / "random_walk.npz", "beta")
    assert main(["--reference", str(folder), "random_walk.npz", "schedules.npz"]) == 1
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if "FAIL" in line)
    assert re.match(r"random_walk +not compared: no array 'beta' in the file ", line)
    assert out.endswith("2 of 3 comparisons pass\n")


def test_arrays_that_do_not_fit_each_other_fail_their_step(folder):
    arrays = read_arrays(folder / "random_walk.npz")
    arrays["dense_affinity"] = arrays["dense_affinity"][:-1, :-1]
    (row,) = compare("random_walk.npz", arrays)
    assert not row.passed
    assert "transition must be (180, 180), got (179, 179)" in row.compared


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def damage(path):
    content = bytearray(path.read_bytes())
    content[300:310] = bytes(10)
    path.write_bytes(content)


def fill_with_text(path):
    path.write_text("no arrays here")


def pickle_objects(path):
    np.savez(path, label=np.array([None]))


def write_one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "no .npz file, or cut off"),
        (fill_with_text, "no .npz file, or cut off"),
        (write_one_array, "no .npz file, or cut off"),
        (damage, "cannot be read: "),
        (pickle_objects, "cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(folder, spoil, message, capsys):
    path = folder / "affinity_loss.npz"
    spoil(path)
    assert main(["--reference", str(folder), *QUICK]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"parity: {path}: {message}")
    assert captured.err.count("\n") == 1


def test_missing_files_and_folders_are_one_line(folder, capsys):
    (folder / "schedules.npz").unlink()
    assert main(["--reference", str(folder)]) == 1
    assert main(["--reference", str(folder / "none")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"parity: {folder / 'schedules.npz'}: no such file; ")
    assert second == f"parity: {folder / 'none'}: no such folder; name one with --reference"


def test_an_unknown_file_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["schedule.npz"])
    assert "unknown file 'schedule.npz'; choose from" in capsys.readouterr().err


def affinity_scores(low, high):
    """Scores 40 x 72 of constant cells: low and high (C,) everywhere, with one cell outside."""
    scores = np.tile(np.float32([*low, *high]), (40, 72, 1))
    scores[:8, :8] = 0
    return scores


@pytest.mark.parametrize(
    ("low", "high", "label", "differ"),
    [
        ([0.1, 0.5, 0.4], [0.1, 0.5, 0.4], 1, 0),
        ([0.1, 0.5, 0.4], [0.1, 0.5, 0.4], 2, 44),
        ([0.1, 0.45, 0.45], [0.1, 0.5, 0.4], 2, 0),  # low's classes tie
        ([0.1, 0.45, 0.45], [0.1, 0.5, 0.4], 0, 44),
        ([0.45, 0.1, 0.45], [0.1, 0.5, 0.4], 255, 0),  # low's background ties
        ([0.1, 0.5, 0.4], [0.1, 0.5, 0.4], 255, 44),
        ([0.1, 0.5, 0.4], [0.4, 0.4, 0.2], 1, 0),  # high's background ties
        ([0.1, 0.5, 0.4], [0.4, 0.4, 0.2], 0, 0),
        ([0.1, 0.5, 0.4], [0.4, 0.2, 0.4], 2, 44),
        ([0.1, 0.5, 0.4], [0.4, 0.4, 0.2], 77, 44),
    ],
)
def test_affinity_labels_may_differ_where_rounding_decides_alone(low, high, label, differ):
    cells = np.full((5, 9), label, np.uint8)
    cells[0, 0] = 255
    arrays = Arrays({"scores_crop": affinity_scores(low, high), "label": cells})
    arrays["pooled"] = arrays["scores_crop"][4::8, 4::8]
    rows = compare("affinity_labels.npz", arrays)
    assert rows[0].passed
    assert rows[1].error == differ
    cells[0, 0] = 0  # Outside the image nothing can tie.
    assert compare("affinity_labels.npz", arrays)[1].error == differ + 1


@pytest.mark.parametrize(("label", "differ"), [(3, 0), (5, 0), (0, 224), (4, 224), (200, 224)])
def test_label_maps_may_differ_where_two_classes_tie(label, differ):
    arrays = Arrays({name: np.array(value) for name, value in WALK.items()})
    arrays["cams"] = np.full((2, 14, 16), 0.6, np.float32)
    arrays["dense_affinity"] = np.eye(4, dtype=np.float32)
    arrays["walked"] = np.zeros((7, 2, 2), np.float32)
    arrays["walked"][[3, 5]] = np.float32([[0.6, 0.6], [0.45, 0.45]])
    arrays["walked"][0] = np.float32([[0.4**6] * 2, [0.75 * 0.4**6] * 2])
    arrays["label"] = np.full((14, 16), label, np.uint8)
    walked, labels = compare("random_walk.npz", arrays)
    assert walked.passed
    assert labels.error == differ


WALK = {"height": 14, "width": 16, "cam_classes": [4, 2], "alpha": 6, "beta": 8, "logt": 2}


def test_errors_are_relative_to_the_largest_entry():
    expected = np.array([[2.0, -4.0]])
    assert close("x", expected + 3.9e-4, expected).passed
    assert not close("x", expected + 4.1e-4, expected).passed
    assert close("x", expected + [[0, 0.04]], expected).error == pytest.approx(0.01)
    assert close("x", np.zeros(3), np.zeros(3)).passed
    assert close("x", np.full(3, 1e-30), np.zeros(3)).error == np.inf
    assert close("x", np.zeros((0, 2)), np.zeros((0, 2))).passed


def test_shapes_and_missing_numbers_must_agree():
    one, none = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    assert close("x", none, none).passed
    for found, expected in [(one, none), (none, one), (one[:1], one), (one * np.inf, one)]:
        assert not close("x", found, expected).passed
    assert not equal("x", [1, 2], np.array([1, 2, 3])).passed
    assert equal("x", [1, 2, 3], np.array([1, 5, 4]), np.array([True, True, False])).error == 1
    assert "shape (1,) in place of (2,)" in format_table({"a.npz": [close("x", one[:1], one)]})


def test_a_tie_is_less_than_the_tolerance_apart():
    scores = np.array([[[1.0, 0.5]], [[0.99991, 0.4]], [[0.9998, 0.49991]]])
    np.testing.assert_array_equal(near_best(scores)[:, 0].T, [[1, 1, 0], [1, 0, 1]])


def test_the_files_are_plain_archives(reference):
    names = sorted(path.name for path in reference.glob("*.npz"))
    assert names == sorted(STEPS)
    assert all(zipfile.is_zipfile(reference / name) for name in names)
