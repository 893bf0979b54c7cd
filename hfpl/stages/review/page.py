"""A page of photographs with their labels: files that a browser opens from the disk."""

import io
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hfpl.images.decode import shrunk_size
from hfpl.images.palette import IGNORE, voc_palette
from hfpl.jobs.job import SPLITS, File, filled
from hfpl.jobs.progress import track
from hfpl.params import Params
from hfpl.plugins.formats import build_format
from hfpl.stages.data.job import MANIFESTS
from hfpl.stages.review.job import SCORES, of_ones_own
from hfpl.stages.review.listing import Scored, contradictions, read_scores
from hfpl.stages.segment.job import TEST
from hfpl.storage.manifest import ImageRecord, Manifest, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards

_MARK = "made by hfpl review page"
_QUALITY = 80


@dataclass(frozen=True)
class Card:
    """A photograph of the page."""

    number: int
    manifest: Manifest
    image: ImageRecord
    scored: Scored


def write_page(params: Params, results: Path, out: Path, size: int) -> int:
    """Write the page of a finished run; the number of its photographs.

    The folder is made under another name and takes its own at the end.

    Args:
        results: folder of the results.
        out: folder to write; an earlier page there is replaced.
        size: longer side of a photograph on the page, in pixels.

    Raises:
        ValueError: the data set is no folder of photographs, a result is missing, or ``out`` is
            something else than an earlier page.
    """
    if not of_ones_own(params):
        raise ValueError(f"dataset '{params.dataset}' is no folder of your own photographs")
    page = out / "index.html"
    earlier = page.is_file() and _MARK in page.read_text(encoding="utf-8", errors="replace")
    if out.exists() and not earlier and not (out.is_dir() and not any(out.iterdir())):
        raise ValueError(f"{out}: is there, and is no page made before; choose another with --out")
    cards, labels = _read(params, results)
    root = ImageRoot(Path(build_format(params.chosen_dataset).settings.root))
    temporary = out.with_name(f"{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    for folder in ("photographs", "labels"):
        (temporary / folder).mkdir(parents=True)

    def write(card: Card) -> None:
        photograph, mask = _pictures(root, card, labels, size)
        (temporary / "photographs" / f"{card.number}.jpg").write_bytes(photograph)
        (temporary / "labels" / f"{card.number}.png").write_bytes(mask)

    with (
        ThreadPoolExecutor() as threads,
        track("review page", len(cards), "photographs") as advance,
    ):
        for _ in threads.map(write, cards):
            advance()
    classes = cards[0].manifest.classes
    content = {
        "dataset": params.dataset,
        "variant": params.variant,
        "classes": [
            {"name": name, "colour": "#" + bytes(colour).hex()}
            for name, colour in zip(classes, voc_palette()[1:], strict=False)
        ],
        "photographs": [_entry(card) for card in cards],
    }
    (temporary / "data.js").write_text(f"const DATA = {_script(content)};\n", encoding="utf-8")
    for name in ("index.html", "page.js", "page.css"):
        text = (files(__package__) / "web" / name).read_text(encoding="utf-8")
        (temporary / name).write_text(text, encoding="utf-8")
    if out.exists():
        shutil.rmtree(out)
    temporary.rename(out)
    return len(cards)


def _read(params: Params, results: Path) -> tuple[list[Card], Shards]:
    """Cards, the most suspicious first, and the label maps."""
    common = f"{results / params.dataset}"

    def paths(file: File) -> list[Path]:
        patterns = file.patterns(params, common)
        return [Path(filled(pattern, {"variant": params.variant})) for pattern in patterns]

    scores, refined = (
        paths(file.as_input(file.name, "", over=SPLITS))
        for file in (SCORES["scores"], TEST["refined"])
    )
    manifests = [paths(file) for file in MANIFESTS]
    for path in (*sum(manifests, []), *scores, *refined):
        if not path.exists():
            raise ValueError(
                f"{path}: not there; the run is not finished: 'snakemake --cores all' first"
            )
    scored = read_scores(scores)
    wholes = [read_manifests(files) for files in manifests]
    found = [(whole, image, scored[image.id]) for whole in wholes for image in whole.images]
    found.sort(key=lambda one: _order(one[1], one[2]))
    cards = [Card(number, *one) for number, one in enumerate(found)]
    return cards, Shards(refined)


def _order(image: ImageRecord, scored: Scored) -> tuple[float, float]:
    against = contradictions(scored.seen, image.tags)
    return -against[0].size if against else 0.0, -scored.unsure


def _entry(card: Card) -> dict[str, Any]:
    return {
        "file": card.image.file,
        "split": card.manifest.split,
        "tags": [k + 1 for k in card.image.tags],
        "found": {str(k): share for k, share in card.scored.shares.items()},
        "unsure": card.scored.unsure,
        "against": [
            {"label": c.label, "probability": c.probability, "tagged": c.tagged}
            for c in contradictions(card.scored.seen, card.image.tags)
        ],
    }


def _pictures(root: ImageRoot, card: Card, labels: Shards, size: int) -> tuple[bytes, bytes]:
    """A photograph as a small JPEG, and its labels as a PNG that is clear where there is none."""
    image = root.image(card.image)
    small = image.resize(shrunk_size(image.size, size), Image.Resampling.LANCZOS)
    photograph, mask = io.BytesIO(), io.BytesIO()
    small.save(photograph, "JPEG", quality=_QUALITY)
    coloured = Image.fromarray(labels.mask(card.image.id)).resize(
        small.size, Image.Resampling.NEAREST
    )
    picture = Image.fromarray(np.asarray(coloured), mode="P")
    picture.putpalette(voc_palette().tobytes())
    clear = bytes(0 if label in (0, IGNORE) else 255 for label in range(256))
    picture.save(mask, "PNG", transparency=clear)
    return photograph.getvalue(), mask.getvalue()


def _script(content: Mapping[str, Any]) -> str:
    """JSON inside a script: no text in it ends the script."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
