"""Fixtures that several tests share."""

import io
import json
import os
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Folder with real photographs in VOC's layout, where there is one.

    ``HFPL_PHOTOGRAPHS`` names it; else it is looked for beside the checkout.
    """
    return _real_data(
        "HFPL_PHOTOGRAPHS",
        "voc6",
        "JPEGImages",
        "no photographs: HFPL_PHOTOGRAPHS names no folder in VOC's layout",
    )


@pytest.fixture(scope="session")
def coco_mini() -> Path:
    """Folder with real COCO images and annotations, where there is one.

    ``HFPL_COCO_MINI`` names it; else it is looked for beside the checkout.
    """
    return _real_data(
        "HFPL_COCO_MINI",
        "coco_mini",
        "annotations",
        "no COCO images: HFPL_COCO_MINI names no folder with images and annotations",
    )


def _real_data(variable: str, name: str, inside: str, reason: str) -> Path:
    """The folder that an environment variable names; skips where ``inside`` is not in it."""
    folder = Path(os.environ.get(variable, REPOSITORY.parent / "shared" / "data" / name))
    if not (folder / inside).is_dir():
        pytest.skip(reason)
    return folder


@dataclass
class Served:
    """A file of the test server, and how it misbehaves.

    ``cuts``: after how many bytes the connection ends, one entry per answer until none is left.
    ``length``: what it says of its length, -1: nothing. ``pause``: seconds after each twentieth.
    """

    content: bytes = b""
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    states: list[int | tuple[int, str]] = field(default_factory=list)
    redirect: str | None = None
    kind: str | None = "application/octet-stream"
    length: int | None = None
    pause: float = 0


class Server:
    """An HTTP server on this machine; ``files`` by name, ``requests`` as (name, range) each."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def _handler(self) -> type:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self)

        return Handler

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        name, asked = to.path.lstrip("/"), to.headers.get("Range")
        self.requests.append((name, asked))
        file = self.files.get(name)
        state = 404 if file is None else file.states.pop(0) if file.states else 200
        if state != 200:
            to.send_error(*(state if isinstance(state, tuple) else (state,)))
            return
        if file.redirect:
            to.send_response(302)
            to.send_header("Location", file.redirect)
            to.end_headers()
            return
        start = int(asked.split("=")[1].rstrip("-")) if asked and file.ranges else 0
        if start and start >= len(file.content):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(file.content)}")
            to.end_headers()
            return
        rest = file.content[start:]
        to.send_response(206 if start else 200)
        if start:
            last = len(file.content) - 1
            to.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if file.kind:
            to.send_header("Content-Type", file.kind)
        if file.length != -1:
            to.send_header("Content-Length", str(file.length or len(rest)))
        to.end_headers()
        rest = rest[: file.cuts.pop(0)] if file.cuts else rest
        with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked has gone
            for start in range(0, len(rest), len(rest) // 20 or 1) if file.pause else ():
                to.wfile.write(rest[start : start + (len(rest) // 20 or 1)])
                time.sleep(file.pause)
            if not file.pause:
                to.wfile.write(rest)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """A running :class:`Server`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


@pytest.fixture(scope="session")
def served() -> type[Served]:
    """The class of the server's files."""
    return Served


@pytest.fixture(scope="session")
def voc_archives() -> Callable[..., dict[str, Path]]:
    """Write miniature archives of PASCAL VOC 2012: real layout and names, drawn images."""
    return write_voc_archives


@pytest.fixture(scope="session")
def coco_archives() -> Callable[..., dict[str, Path]]:
    """Write miniature archives of COCO: real layout, names and categories, drawn images."""
    return write_coco_archives


VOC_IDS = {
    "train": ["2007_000032", "2007_000039", "2007_000063", "2007_000068", "2007_000121"],
    "val": ["2007_000033", "2007_000042", "2007_000061"],
    "augmented": ["2008_000002", "2008_000003", "2008_000007"],
    "unused": ["2008_000001"],
}
_VOC_OBJECTS = {"aeroplane": 1, "person": 15, "tvmonitor": 20}


def write_voc_archives(folder: Path) -> dict[str, Path]:
    """Archives by source; each image shows one or two of three classes as rectangles."""
    folder.mkdir(parents=True, exist_ok=True)
    devkit, augmented = folder / "VOCtrainval_11-May-2012.tar", folder / "SegmentationClassAug.zip"
    files: dict[str, bytes] = {}
    masks: dict[str, bytes] = {}
    for number, name in enumerate(name for ids in VOC_IDS.values() for name in ids):
        chosen = [list(_VOC_OBJECTS)[k] for k in {number % 3, number // 2 % 3}]
        image, mask = _drawn(number, [_VOC_OBJECTS[c] for c in chosen])
        objects = "".join(f"<object><name>{c}</name></object>" for c in chosen)
        files[f"JPEGImages/{name}.jpg"] = _encoded(image, "JPEG")
        files[f"Annotations/{name}.xml"] = f"<annotation>{objects}</annotation>".encode()
        if name in VOC_IDS["train"] + VOC_IDS["val"]:
            files[f"SegmentationClass/{name}.png"] = _encoded(mask, "PNG")
        if name not in VOC_IDS["unused"]:
            masks[f"SegmentationClassAug/{name}.png"] = _encoded(mask, "PNG")
            masks[f"__MACOSX/SegmentationClassAug/._{name}.png"] = b"Mac OS X"
    for split in ("train", "val"):
        text = "".join(f"{name}\n" for name in VOC_IDS[split])
        files[f"ImageSets/Segmentation/{split}.txt"] = text.encode()
    with tarfile.open(devkit, "w") as archive:
        archive.addfile(_tar_folder("VOCdevkit"))
        for name, content in files.items():
            info = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    _write_zip(augmented, masks)
    return {"trainval": devkit, "augmented": augmented}


COCO_CATEGORIES = """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,
fire hydrant,,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,
giraffe,,backpack,umbrella,,,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,
baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,,wine glass,cup,fork,knife,
spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,
potted plant,bed,,dining table,,,toilet,,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,
toaster,sink,refrigerator,,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"""
"""Names of the categories 1 to 90; ten ids stand for nothing."""

COCO_IDS = {
    "train": [9, 25, 30, 34, 36, 42, 49, 61],
    "val": [73, 74, 133, 136],
    "unused": [139],
}


def write_coco_archives(folder: Path) -> dict[str, Path]:
    """Archives by source.

    Image 30 is grey, 34 has no object, 36 a crowd region, 42 lies in val2017 although it is a
    train image of 2014, and 73 the other way round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "train_images": folder / "train2017.zip",
        "val_images": folder / "val2017.zip",
        "instances_2017": folder / "annotations_trainval2017.zip",
        "instances_2014": folder / "annotations_trainval2014.zip",
    }
    names = [name.strip() for name in COCO_CATEGORIES.split(",")]
    categories = [{"id": k, "name": name} for k, name in enumerate(names, start=1) if name]
    photographs: dict[str, dict[str, bytes]] = {"train": {}, "val": {}}
    years: dict[str, dict[str, dict]] = {
        year: {s: {"images": [], "annotations": [], "categories": categories} for s in photographs}
        for year in ("2014", "2017")
    }
    listed = [(split, number) for split, ids in COCO_IDS.items() for number in ids]
    for place, (split, number) in enumerate(listed):
        mirrored = number in (42, 73)
        stored = {"train": "val", "val": "train"}[split] if mirrored else split
        stored = "val" if split == "unused" else stored
        image, _ = _drawn(place, [1, 2])
        photograph = image.convert("L") if number == 30 else image
        photographs[stored][f"{stored}2017/{number:012d}.jpg"] = _encoded(photograph, "JPEG")
        record = {
            "id": number, "file_name": f"{number:012d}.jpg", "height": HEIGHT, "width": WIDTH
        }  # fmt: skip
        annotations = [] if number == 34 else _coco_objects(place, number)
        for year, part in (("2017", stored), ("2014", split)):
            if part in photographs:
                years[year][part]["images"].append(record)
                years[year][part]["annotations"] += annotations
    for split, files in photographs.items():
        _write_zip(paths[f"{split}_images"], files)
    for year, parts in years.items():
        texts = {
            f"annotations/instances_{split}{year}.json": json.dumps(content).encode()
            for split, content in parts.items()
        }
        _write_zip(paths[f"instances_{year}"], texts)
    return paths


def _coco_objects(place: int, number: int) -> list[dict]:
    """A rectangle over which a triangle lies; in image 36 a crowd of columns 10 to 19 over both."""
    box, tip = [4.9, 5.2, 30.1, 5.9, 30.7, 39.5, 4.0, 39.0], [20, 10, 50, 10, 20, 40]
    regions = [(1, box, 0), ((18, 90, 13)[place % 3], tip, 0)]
    found = [
        {"image_id": number, "category_id": c, "iscrowd": crowd, "segmentation": [polygon]}
        for c, polygon, crowd in regions
    ]
    if number == 36:
        runs = {"size": [HEIGHT, WIDTH], "counts": [480, 480, HEIGHT * WIDTH - 960]}
        found.append({"image_id": 36, "category_id": 44, "iscrowd": 1, "segmentation": runs})
    return found


HEIGHT, WIDTH = 48, 64


def _drawn(seed: int, labels: list[int]) -> tuple[Image.Image, Image.Image]:
    """Noise with a rectangle per label, and its palette mask with a border of 255."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, label in enumerate(labels):
        left = 4 + 30 * place
        mask[8:40, left : left + 26] = 255
        mask[10:38, left + 2 : left + 24] = label
        pixels[10:38, left + 2 : left + 24] = (label * 12, 200, 255 - label * 12)
    truth = Image.fromarray(mask)
    truth.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    return Image.fromarray(pixels), truth


def _encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def _tar_folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
