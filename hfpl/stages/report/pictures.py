"""Draw the pictures of a run from its results' files."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hfpl.jobs.settings import Settings
from hfpl.stages.evaluate.table import BEST, NO_SCORES, NONE
from hfpl.stages.report.choice import choose_images
from hfpl.stages.report.plots import (
    History,
    blank_figure,
    class_bars,
    plot_style,
    save_figure,
    threshold_curve,
    training_curves,
)
from hfpl.stages.report.sheets import Example, contact_sheet
from hfpl.storage.atomic import read_json, replacing
from hfpl.storage.manifest import ImageRecord, MaskRecord, read_manifests, read_masks
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards

BARS = {
    "CAM, fixed threshold": ("cam", False),
    "pseudo-label (walk)": ("walk", False),
    "segmentation + {}": ("segment", True),
}
"""Name of each bar → stage of its row in the table, and whether that is refined; the name is filled
with the refiner."""


@dataclass(frozen=True)
class StageResults:
    """What the stages made of the images: shards of all splits, or of the one that is drawn."""

    cams: Sequence[Path]
    labels: Sequence[Path]
    predictions: Sequence[Path]


def draw_report(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    train_masks: Sequence[Path],
    val_masks: Sequence[Path],
    cams: Sequence[Path],
    labels: Sequence[Path],
    predictions: Sequence[Path],
    cam_scores: Path,
    table: Path,
    pretrain_history: Path | None,
    cam_history: Path | None,
    affinity_history: Path | None,
    segment_history: Path | None,
    contact_train: Path,
    contact_val: Path,
    threshold_curve: Path,
    classes: Path,
    training: Path,
    variant: str,
) -> str:
    """Draw all pictures of a run; what was done, in words.

    Args:
        variant: name of the run.

    Raises:
        ValueError: no history is given, or as the functions that draw.
    """
    given = {
        "pretrain": pretrain_history,
        "cam": cam_history,
        "affinity": affinity_history,
        "segment": segment_history,
    }
    histories = {stage: path for stage, path in given.items() if path}
    if not histories:
        raise ValueError("no history given; add at least --cam-history")
    run, root = f"{settings.dataset}, {variant}", ImageRoot(images)
    results, count = StageResults(cams, labels, predictions), settings.report.images
    draw_contact_sheet(train_manifests, train_masks, root, results, run, count, contact_train)
    draw_contact_sheet(val_manifests, val_masks, root, results, run, count, contact_val)
    draw_threshold_curve(cam_scores, run, threshold_curve)
    draw_class_bars(val_manifests, table, run, classes)
    draw_training_curves(histories, run, training)
    return "5 pictures drawn"


def draw_contact_sheet(
    manifests: Sequence[Path],
    masks: Sequence[Path],
    root: ImageRoot,
    results: StageResults,
    run: str,
    count: int,
    output: Path,
) -> None:
    """Write a contact sheet of one split.

    Args:
        manifests, masks: of all shards of the split.
        run: data set and variant, named on the sheet.
        count: images to show.

    Raises:
        ValueError: a file cannot be read, or a result does not fit its image.
    """
    chosen = _choose(manifests, masks, count)
    sheet = contact_sheet(
        _examples(chosen, root, results),
        chosen.classes,
        f"Contact sheet: {run}, {chosen.split}",
        f"{len(chosen.images)} of {chosen.of} images, chosen by their names, not by any score",
    )
    with replacing(output) as temporary:
        sheet.save(temporary, "PNG", optimize=True)


class _Chosen(NamedTuple):
    """Images to show, their masks by id, and what of their split is told."""

    images: list[ImageRecord]
    truths: dict[str, MaskRecord]
    classes: tuple[str, ...]
    split: str
    of: int


def _choose(manifests: Sequence[Path], masks: Sequence[Path], count: int) -> _Chosen:
    manifest, truths = read_manifests(manifests), read_masks(masks)
    images = choose_images(manifest.images, truths, count)
    shown = {image.id: truths[image.id] for image in images if image.id in truths}
    return _Chosen(images, shown, manifest.classes, manifest.split, len(manifest.images))


def _examples(chosen: _Chosen, root: ImageRoot, results: StageResults) -> Iterator[Example]:
    cams, labels = Shards(results.cams), Shards(results.labels)
    predictions = Shards(results.predictions)
    for record in chosen.images:
        size = (record.height, record.width)
        tags, scores = cams.scores(record.id, size, counts_from=0)
        if max(tags, default=0) >= len(chosen.classes):
            raise ValueError(f"'{record.id}': its CAMs are of a data set with more classes")
        truth = root.mask(chosen.truths[record.id], size) if record.id in chosen.truths else None
        yield Example(
            record.id,
            np.asarray(root.image(record)),
            tags,
            scores,
            _label_map(labels, record),
            # Only scored images are tested.
            _label_map(predictions, record) if record.id in predictions else None,
            truth,
        )


def _label_map(source: Shards, record: ImageRecord) -> np.ndarray:
    mask = source.mask(record.id)
    if mask.shape != (record.height, record.width):
        raise ValueError(
            f"'{record.id}': a label map is {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"its image {record.width}x{record.height}; do the results belong to these images?"
        )
    return mask


def draw_threshold_curve(cam_scores: Path, run: str, output: Path) -> None:
    """Write the threshold curve from the scores of the CAMs.

    Args:
        cam_scores: with the curve (.json).
        run: data set and variant, named in the title.

    Raises:
        ValueError: the file cannot be read or holds something else.
    """
    content = read_json(cam_scores)
    try:
        curve = content["curve"]
        with plot_style():
            title = f"CAM threshold: {run}"
            if curve["miou"]:
                figure = threshold_curve(curve["thresholds"], curve["miou"], content["rows"], title)
            else:
                figure = blank_figure(title, NO_SCORES)
            save_figure(figure, output)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{cam_scores}: no scores of CAMs with their curve: {error}") from None


def draw_class_bars(manifests: Sequence[Path], table: Path, run: str, output: Path) -> None:
    """Write the scores per class of the validation split; a note where it has no scores.

    Args:
        manifests: of that split; they give the classes' order.
        table: of all scores (.json).
        run: data set and variant, named in the title.

    Raises:
        ValueError: a file cannot be read, or the table lacks a row.
    """
    manifest = read_manifests(manifests)
    try:
        all_rows = read_json(table)["rows"]
        title = f"Scores per class: {run}, {manifest.split}"
        scored = any(row["split"] == manifest.split for row in all_rows)
        wanted = BARS if scored else {}
        found = {name: _find_row(all_rows, manifest.split, *row) for name, row in wanted.items()}
        rows = {name.format(row["post_processing"]): row for name, row in found.items()}
        with plot_style():
            if scored:
                figure = class_bars(manifest.classes, rows, title)
            else:
                text = f"No scores: no image of {manifest.split} has a ground truth."
                figure = blank_figure(title, text)
            save_figure(figure, output)
    except (LookupError, TypeError) as error:
        raise ValueError(f"{table}: not a table of this run's scores: {error}") from None


def _find_row(rows: Sequence[Mapping], split: str, stage: str, refined: bool) -> Mapping:
    for row in rows:
        found = (row["split"], row["stage"], row["post_processing"] != NONE)
        if found == (split, stage, refined) and row["threshold_chosen"] != BEST:
            return row
    post = "with" if refined else "without"
    raise LookupError(f"no row of stage {stage} {post} post-processing, split {split}")


def draw_training_curves(histories: Mapping[str, Path], run: str, output: Path) -> None:
    """Write the training curves.

    Args:
        histories: name of a stage → CSV with ``step``, ``total`` and terms of the loss.
        run: data set and variant, named in the title.

    Raises:
        ValueError: a file cannot be read or is no history.
    """
    read = {stage: read_history(path) for stage, path in histories.items()}
    with plot_style():
        save_figure(training_curves(read, f"Training: {run}"), output)


def read_history(path: Path) -> History:
    """Columns of a training's history.

    Raises:
        ValueError: the file is missing, or no table of numbers with ``step`` and ``total``.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [float(row[name]) for row in rows] for name in rows[0]}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (IndexError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: no history of a training: {error}") from None
    missing = {"step", "total"} - columns.keys()
    if missing:
        raise ValueError(f"{path}: no history of a training: no column '{min(missing)}'")
    return columns
