"""Where the CAMs of the embedded data set respond: on heads, on bodies, or elsewhere.

    python -m studies.parts [--params params.yaml] [--results results] [--variants seam ...]
    python -m studies.parts --labels [...]

For every class of every training image of finished runs: the CAM's mean over the class's heads,
over the rest of its objects, over other classes and over the background. With --labels: what the
pixels of each of these are labelled as, after the random walk and by the segmentation network.
"""

import argparse
from pathlib import Path

import numpy as np

from hfpl.params import load_params
from hfpl.plugins.formats.shapes import Settings
from hfpl.plugins.formats.shapes.drawing import CLASS_NAMES
from hfpl.plugins.formats.shapes.generate import draw_picture
from hfpl.storage.shards import Shard

PARTS = ("heads", "bodies", "other classes", "background")
LABEL_MAPS = {
    "walk": "walk/train-*.zip",
    "segment": "segment/train-*.plain.zip",
    "segment + CRF": "segment/train-*.crf.zip",
}


def main() -> None:
    """Print a table in Markdown, one row per variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    parser.add_argument("--labels", action="store_true", help="of label maps, not of CAMs")
    args = parser.parse_args()
    params = load_params(args.params)
    settings = params.datasets[params.dataset]
    if not isinstance(settings, Settings):
        parser.error(f"dataset '{params.dataset}': only generated pictures know their parts")
    runs = [args.results / params.dataset / v for v in args.variants or [params.variant]]
    if args.labels:
        print_labels(settings, runs)
    else:
        print_cams(settings, runs)


def print_cams(settings: Settings, runs: list[Path]) -> None:
    """A row per run and class."""
    print(f"Mean CAM on train ({settings.train} images), by part.\n")
    print(f"| variant | class | {' | '.join(PARTS)} |")
    print(f"|---|---|{'---:|' * len(PARTS)}")
    for run in runs:
        of_class = responses(settings, sorted((run / "cam").glob("train-*.zip")))
        of_class["all"] = np.concatenate(list(of_class.values()))
        for name, found in of_class.items():
            means = " | ".join(f"{mean:.2f}" for mean in np.nanmean(found, axis=0))
            print(f"| {run.name} | {name} | {means} |")


def print_labels(settings: Settings, runs: list[Path]) -> None:
    """A row per run and kind of label map: shares of pixels, in percent."""
    print(f"Labels of the pixels of train ({settings.train} images), %, by part.\n")
    print("| variant | stage | heads: own class | bodies: own class | bodies: another class "
          "| bodies: background | background: some class |")  # fmt: skip
    print(f"|---|---|{'---:|' * 5}")
    for run in runs:
        for stage, pattern in LABEL_MAPS.items():
            shares = label_shares(settings, sorted(run.glob(pattern)))
            print(f"| {run.name} | {stage} | {' | '.join(f'{100 * s:.1f}' for s in shares)} |")


def label_shares(settings: Settings, maps: list[Path]) -> list[float]:
    """Shares of pixels: of heads with their own label; of bodies with their own, another's and the
    background's; of the background with any class's."""
    counts = np.zeros((3, 3))
    for shard in map(Shard, maps):
        for image_id in shard.ids:
            scene = draw_picture(settings, int(image_id.removeprefix("train_")))
            found, shown = shard.mask(image_id), scene.mask
            parts = (scene.heads > 0, (shown > 0) & (scene.heads == 0), shown == 0)
            kinds = (
                found == shown,
                (found != shown) & (found > 0),
                (found != shown) & (found == 0),
            )
            counts += [[(part & kind).sum() for kind in kinds] for part in parts]
    if not counts.any():
        raise SystemExit("no label maps of training images there: run snakemake first")
    heads, bodies, background = counts / counts.sum(1, keepdims=True)
    return [heads[0], *bodies, background[1]]


def responses(settings: Settings, cams: list[Path]) -> dict[str, np.ndarray]:
    """By class: the CAM's mean over the four parts of each image that shows it, (images, 4)."""
    found: dict[str, list] = {name: [] for name in CLASS_NAMES[: settings.classes]}
    for shard in map(Shard, cams):
        for image_id in shard.ids:
            scene = draw_picture(settings, int(image_id.removeprefix("train_")))
            classes, scores = shard.scores(image_id, scene.mask.shape, counts_from=0)
            for k, cam in zip(classes, scores, strict=True):
                head, own = scene.heads == k + 1, scene.mask == k + 1
                parts = (head, own & ~head, ~own & (scene.mask > 0), scene.mask == 0)
                means = [cam[part].mean() if part.any() else np.nan for part in parts]
                found[CLASS_NAMES[k]].append(means)
    if not all(found.values()):
        raise SystemExit("no CAMs of all classes' training images there: run snakemake first")
    return {name: np.array(means) for name, means in found.items()}


if __name__ == "__main__":
    main()
