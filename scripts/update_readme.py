"""Write the README's results: scores of a finished run, and pictures in docs/.

    python scripts/update_readme.py [--results results] [--readme README.md]

Everything between the markers in the README is replaced; the pictures are shrunk to at most
1,000 pixels in width. Where 'snakemake ablation' has run, its figure and the tables of its first
place are written too, and all of them, and those of 'snakemake ablation-final', to
docs/ablation/<data set>/.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
from PIL import Image

from hfpl.params import load_params
from hfpl.storage.atomic import replacing, write_text

PICTURES = ("contact-val.png", "threshold-curve.png")
WIDTH, COLOURS = 1000, 256


def main() -> None:
    """Update README.md and docs/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    args = parser.parse_args()
    params = load_params(args.params)
    run = args.results / params.dataset / params.variant
    for name in PICTURES:
        shrink(run / "report" / name, args.readme.parent / "docs" / name)
    rows = json.loads((run / "evaluate" / "table.json").read_text(encoding="utf-8"))["rows"]
    text = args.readme.read_text(encoding="utf-8")
    text = replaced(text, "scores", scores(rows))
    text = replaced(text, "times", times(args.results / params.dataset))
    for name in ("parts", "storage"):
        text = replaced(text, name, printed_by(name, args.params, args.results))
    pages = args.readme.parent / "docs" / "ablation" / params.dataset
    for name in ("ablation", "ablation-final"):
        comparison = args.results / params.dataset / name
        if not (comparison / "table.md").is_file():
            continue
        tables = (comparison / "table.md").read_text(encoding="utf-8")
        write_text(pages / f"{name}.md", f"# All tables of `{name}`\n\n{tables}")
        if name == "ablation":
            text = replaced(text, name, first_place(tables))
            shrink(comparison / "comparison.png", args.readme.parent / "docs" / "comparison.png")
    write_text(args.readme, text)


def replaced(text: str, name: str, content: str) -> str:
    """Text with the block between ``<!-- name -->`` and ``<!-- /name -->`` replaced."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README: no markers '<!-- {name} -->' and '<!-- /{name} -->'")
    return pattern.sub(lambda match: f"{match[1]}{content}{match[2]}", text)


def first_place(tables: str) -> str:
    """The comparison's facts and its tables at the first place where CAMs were scored."""
    parts = re.split(r"(?m)^(?=\*\*)", tables)
    return f"{''.join(parts[:2]).rstrip()}\n"


def scores(rows: list[dict]) -> str:
    """Scores on val as a Markdown table."""
    lines = ["| stage | post-processing | threshold | mIoU % | contour F % |",
             "|---|---|---|---:|---:|"]  # fmt: skip
    for row in (r for r in rows if r["split"] == "val"):
        threshold = "" if row["threshold"] is None else (
            f"{row['threshold']:.2f}, {row['threshold_chosen']}"
        )  # fmt: skip
        lines.append(
            f"| {row['stage']} | {row['post_processing']} | {threshold} "
            f"| {row['miou']:.1f} | {row['contour_f']:.1f} |"
        )
    first = rows[0]
    val = next(r for r in rows if r["split"] == "val")
    facts = (f"Data set `{first['dataset']}`, variant `{first['variant']}`, split val "
             f"({val['images']} images; trained on {first['images']}), one seed.")  # fmt: skip
    return "\n".join([facts, "", *lines, ""])


def times(common: Path) -> str:
    """Seconds and peak memory of each rule, from Snakemake's benchmark files."""
    records = []
    for path in sorted(common.rglob("logs/*.tsv")):
        table = pd.read_csv(path, sep="\t")
        stage = path.parent.parent.name
        records.append((stage, float(table["s"].iloc[0]), float(table["max_rss"].iloc[0])))
    frame = pd.DataFrame(records, columns=["stage", "seconds", "MB"])
    order = [
        "data",
        "pretrain",
        "cam",
        "pseudo",
        "affinity",
        "walk",
        "segment",
        "evaluate",
        "report",
    ]
    lines = ["| stage | jobs | seconds, summed over jobs | peak memory of a job, MB |",
             "|---|---:|---:|---:|"]  # fmt: skip
    for stage in order:
        part = frame[frame["stage"] == stage]
        if len(part):
            lines.append(f"| {stage} | {len(part)} | {part['seconds'].sum():.0f} "
                         f"| {part['MB'].max():.0f} |")  # fmt: skip
    machine = f"Measured on {os.cpu_count()} CPU cores ({platform.machine()}), no GPU."
    return "\n".join([machine, "", *lines, ""])


def printed_by(study: str, params: Path, results: Path) -> str:
    """Output of a study."""
    files = ["--params", str(params), "--results", str(results)]
    command = [sys.executable, "-m", f"studies.{study}", *files]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def shrink(source: Path, target: Path) -> None:
    """Write a small palette copy of a picture."""
    with Image.open(source) as image:
        small = image.convert("RGB")
        if small.width > WIDTH:
            height = round(small.height * WIDTH / small.width)
            small = small.resize((WIDTH, height), Image.Resampling.LANCZOS)
        small = small.quantize(COLOURS, dither=Image.Dither.NONE)
        with replacing(target) as temporary:
            small.save(temporary, "PNG", optimize=True)


if __name__ == "__main__":
    main()
