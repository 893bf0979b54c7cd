"""Where the CAMs of the embedded data set respond: on heads, on bodies, or elsewhere.

    python benchmarks/parts.py [--params params.yaml] [--results results] [--variants seam ...]

For every class of every training image of finished runs: the CAM's mean over the class's heads,
over the rest of its objects, over other classes and over the background.
"""

import argparse
from pathlib import Path

import numpy as np

from hfpl.data.generate import draw_picture
from hfpl.data.shapes import CLASS_NAMES
from hfpl.params import load_params
from hfpl.params.dataset import ShapesDataset
from hfpl.storage.shards import Shard

PARTS = ("heads", "bodies", "other classes", "background")


def main() -> None:
    """Print a table in Markdown, one row per variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    args = parser.parse_args()
    params = load_params(args.params)
    settings = params.datasets[params.dataset]
    if not isinstance(settings, ShapesDataset):
        parser.error(f"dataset '{params.dataset}': only generated pictures know their parts")
    print(f"Mean CAM on train ({settings.train} images), by part.\n")
    print(f"| variant | class | {' | '.join(PARTS)} |")
    print(f"|---|---|{'---:|' * len(PARTS)}")
    for variant in args.variants or [params.variant]:
        folder = args.results / params.dataset / variant / "cam"
        of_class = responses(settings, sorted(folder.glob("train-*.zip")))
        of_class["all"] = np.concatenate(list(of_class.values()))
        for name, found in of_class.items():
            means = " | ".join(f"{mean:.2f}" for mean in np.nanmean(found, axis=0))
            print(f"| {variant} | {name} | {means} |")


def responses(settings: ShapesDataset, cams: list[Path]) -> dict[str, np.ndarray]:
    """By class: the CAM's mean over the four parts of each image that shows it, (images, 4)."""
    found: dict[str, list] = {name: [] for name in CLASS_NAMES[: settings.classes]}
    for shard in map(Shard, cams):
        for image_id in shard.ids:
            scene = draw_picture(settings, int(image_id.removeprefix("train_")))
            classes, scores = shard.scores(image_id, scene.mask.shape)
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
