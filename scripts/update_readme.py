"""Write the results of a finished run of the demo into the pages in docs/, and those of photographs
into the README.

    python -m scripts.update_readme [--results results] [--readme README.md]

Everything between the markers of a page is replaced; the pictures are shrunk to at most 1,000
pixels in width. Where 'snakemake ablation' has run, its figure and the tables of its first
place are written too, and all of them, and those of 'snakemake ablation-final', to
docs/ablation/<data set>/.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from hfpl.params import load_params
from hfpl.params.presets import preset_params
from hfpl.storage.atomic import replacing, write_text

PICTURE = "contact-val.png"
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
    docs = args.readme.parent / "docs"
    shrink(run / "report" / PICTURE, docs / PICTURE)
    rows = json.loads((run / "evaluate" / "table.json").read_text(encoding="utf-8"))["rows"]
    studies = ("parts", "storage", "times")
    files = ["--params", args.params, "--results", args.results]
    printed = {name: printed_by(name, *files) for name in studies}
    replace(docs / "demo.md", scores=scores(rows), **printed)
    comparisons = docs / "ablation"
    final = comparisons / "animals" / "ablation-final.csv"
    if final.is_file():
        names = {"photographs": "animals", "drawings": "shapes"}
        rows_of = [f"{name}={comparisons / of / 'ablation.csv'}" for name, of in names.items()]
        shown = ("--variant", preset_params("folder").variant)
        stages, losses = printed_by("stages", final, *shown), printed_by("losses", *rows_of)
        replace(args.readme, photographs=stages, losses=losses)
    pages = docs / "ablation" / params.dataset
    for name in ("ablation", "ablation-final"):
        comparison = args.results / params.dataset / name
        if not (comparison / "table.md").is_file():
            continue
        tables = (comparison / "table.md").read_text(encoding="utf-8")
        write_text(pages / f"{name}.md", f"# All tables of `{name}`\n\n{tables}")
        if name == "ablation":
            replace(pages / "README.md", ablation=first_place(tables))
            shrink(comparison / "comparison.png", docs / "comparison.png")


def replace(page: Path, **blocks: str) -> None:
    """Write other blocks into a page, each between its markers."""
    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        text = replaced(text, name, content)
    write_text(page, text)


def replaced(text: str, name: str, content: str) -> str:
    """Text with the block between ``<!-- name -->`` and ``<!-- /name -->`` replaced."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no markers '<!-- {name} -->' and '<!-- /{name} -->'")
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


def printed_by(study: str, *arguments: str | Path) -> str:
    """Output of a study."""
    command = [sys.executable, "-m", f"studies.{study}", *map(str, arguments)]
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
