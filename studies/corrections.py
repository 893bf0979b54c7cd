"""What masks that a person has put right do, by their number and by how photographs were chosen.

    python -m studies.corrections [--params params.yaml] [--results results]
                                  [--variants seam-fsl seam-fsl@seed=1 ...]
                                  [--counts 10 20 50] [--threads 2] [--rows docs/corrections.csv]

Of finished runs with their lists of suspicious photographs (``review/photographs.csv``), trains the
segmentation network anew with official masks in place of the labels of some training photographs:
those first on the list, or those that a hash of their name and the run's chooses. Scores val. Each
result is a row of the file, and one that is there is not made again.
"""

import argparse
import csv
import hashlib
import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev

from hfpl.storage.atomic import write_json, write_text
from hfpl.storage.manifest import ImageRecord, read_manifests, read_masks
from hfpl.storage.spreadsheet import as_text
from studies._finished import Again, add_run

CHOSEN = ("by suspicion", "at random")
METRICS = {"miou": "mIoU", "contour_f": "contour F"}
FIELDS = ("variant", "corrected", "chosen", "post_processing", *METRICS)
Row = dict[str, str]
"""Of these fields."""


def main() -> None:
    """Make what is not there, and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    parser.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    parser.add_argument("--counts", nargs="+", type=int, default=[10, 20, 50])
    parser.add_argument("--threads", type=int, default=2, help="of a training (default: 2)")
    parser.add_argument("--rows", type=Path, default=Path("docs/corrections.csv"))
    args = parser.parse_args()
    for variant in args.variants or [""]:
        with tempfile.TemporaryDirectory() as folder:
            run = Again(args.params, args.results, Path(folder), variant, args.threads)
            for count in (0, *args.counts):
                for chosen in CHOSEN if count else ("",):
                    key = {"variant": run.variant, "corrected": str(count), "chosen": chosen}
                    if not any(key.items() <= row.items() for row in read_rows(args.rows)):
                        made = learn(run, key)
                        write_rows(args.rows, [*read_rows(args.rows), *made])
    print("\n".join(table(read_rows(args.rows))))


def learn(run: Again, key: Row) -> list[Row]:
    """Scores on val of a network that learned from corrected photographs: a row per
    post-processing. Without any, it is the run's own."""
    network = corrected_network(run, key) if key["chosen"] else run.network
    return [
        {**key, "post_processing": post, "miou": f"{miou:.4f}", "contour_f": f"{contour_f:.4f}"}
        for post, (miou, contour_f) in run.test(network).items()
    ]


def corrected_network(run: Again, key: Row) -> Path:
    """Train on official masks of the photographs that are chosen, on the run's labels of others."""
    images = read_manifests(run.every(run.manifest, "train")).images
    if key["chosen"] == CHOSEN[0]:
        with (run.run / "review" / "photographs.csv").open(encoding="utf-8", newline="") as file:
            order = suspicious(images, list(csv.DictReader(file)))
    else:
        order = shuffled(images, run.variant)
    corrected = set(order[: int(key["corrected"])])
    corrections = [run.folder / f"train-{k}.corrections.json" for k in run.shards]
    for k, path in enumerate(corrections):
        masks = read_masks([run.manifest("train", k, ".masks")])
        write_json(path, {"masks": [asdict(masks[name]) for name in masks if name in corrected]})
    network = run.folder / "network.safetensors"
    labels = [run.run / "walk" / f"train-{k}.zip" for k in run.shards]
    run.train_segment(network, labels, "--corrections", *corrections)
    return network


def suspicious(images: Iterable[ImageRecord], listed: Iterable[Row]) -> list[str]:
    """Ids of training photographs in the order of the list."""
    ids = {as_text(image.file): image.id for image in images}
    return [ids[row["file"]] for row in listed if row["split"] == "train"]


def shuffled(images: Iterable[ImageRecord], seed: str) -> list[str]:
    """Ids of photographs in an order that a seed decides."""
    return sorted(
        (image.id for image in images),
        key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest(),
    )


def read_rows(path: Path) -> list[Row]:
    """Rows of the file; none, where there is none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown: mean and deviation over runs, and the difference to no correction."""
    runs = list(dict.fromkeys(row["variant"] for row in rows))
    found = [
        f"Mean ± standard deviation of {len(runs)} runs: {', '.join(runs)}.",
        "",
        "| corrected | chosen | post-processing | mIoU % | difference | contour F % | difference |",
        "|---:|---|---|---:|---:|---:|---:|",
    ]
    kinds = {(row["corrected"], row["chosen"], row["post_processing"]): None for row in rows}
    for corrected, chosen, post in sorted(kinds, key=lambda kind: (kind[2], int(kind[0]))):
        cells = [corrected, chosen, post]
        for metric in METRICS:
            own = _scores(rows, (corrected, chosen, post), metric)
            plain = _scores(rows, ("0", "", post), metric)
            gained = [own[run] - plain[run] for run in own if run in plain]
            cells += [_spread(list(own.values())), _spread(gained, "+") if int(corrected) else ""]
        found.append(f"| {' | '.join(cells)} |")
    return found


def _scores(rows: Iterable[Row], kind: tuple[str, str, str], metric: str) -> dict[str, float]:
    """Run → its score."""
    return {
        row["variant"]: float(row[metric])
        for row in rows
        if (row["corrected"], row["chosen"], row["post_processing"]) == kind
    }


def _spread(values: Sequence[float], sign: str = "") -> str:
    if not values:
        return ""
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):{sign}.1f}{deviation}"


if __name__ == "__main__":
    main()
