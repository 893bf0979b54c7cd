"""Bad files of every kind that a person may hand over, made from good ones."""

import contextlib
import csv
import io
import json
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hfpl.cli import main as run_command
from hfpl.images.palette import encode_mask
from hfpl.params.presets import preset_text
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import save_tensors

NUMBERS = ("-1", "0", "1.0e+300", "1000000000", ".nan", ".inf", "-.inf", "1.5", "true", "null",
           "2020-01-01", "9" * 5000, "0x10", "''", "[]", "{}", "[[[[1]]]]")  # fmt: skip
TEXTS = ("'a\\0b'", "\"a\\u0000b\"", "'; touch PWNED; '", "'{PARAMS}'", "'{os.environ[HOME]}'",
         "'$(touch PWNED)'", "'../../etc/passwd'", "*x", "&x 1", "!!python/object:os.system x",
         "!!bool maybe", "'" + "x" * 5000 + "'", "'\\e[2J'", "é", "'\u202egnp'")  # fmt: skip
TAGS = ("['dog', 'cat']", "[]", "nan", "None", "-", "dog\u200b", "\ufeffdog", '"do\ng"', "dog；cat",
        # Wide letters, and one of another alphabet.
        "background", "__background__", "void", "=1+1", "@SUM(A1)", "d" * 300, "DOG", "ｄｏｇ",
        "d\u043eg",
        "\x1b[2J", "<script>", "dog;;cat", ";", "", '"', "dog\x00")  # fmt: skip


def _mangled(rng: random.Random, content: bytes) -> bytes:
    """Content with something cut off, flipped, doubled or put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data = data[:at]
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 40))
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 400)]
            case _:
                del data[at : at + rng.randint(1, 40)]
    return bytes(data)


def parameters(rng: random.Random, folder: Path) -> list[str]:
    """A parameter file with one value, or any characters, changed."""
    lines = preset_text(rng.choice(("micro", "voc2012", "folder", "demo"))).splitlines()
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(lines))
        key, colon, _ = lines[at].partition(":")
        match rng.choice((0, 0, 0, 1, 1, 2, 3, 4)):
            case 0:
                lines[at] = f"{key}{colon} {rng.choice(NUMBERS)}"
            case 1:
                lines[at] = f"{key}{colon} {rng.choice(TEXTS)}"
            case 2:
                lines[at] = lines[at].replace(key.strip() or ":", rng.choice(("xx", "5", "~", "")))
            case 3:
                del lines[at]
            case _:
                lines.insert(
                    at, rng.choice(("[" * 3000, "\t- 1", "a: &a [*a]", "? {}", "---", "%"))
                )
    file = folder / "params.yaml"
    text = "\n".join(lines).encode()
    file.write_bytes(_mangled(rng, text) if rng.random() < 0.2 else text)
    return ["params", "--check", str(file)]


def shard(rng: random.Random, folder: Path) -> list[str]:
    """A shard of label maps, damaged, or a zip that was made by hand."""
    file = folder / "a.zip"
    with write_shard(file, ["cat"]) as writer:
        for name in ("one", "two"):
            writer.add_mask(name, np.ones((5, 6), np.uint8))
    match rng.randrange(4):
        case 0:
            file.write_bytes(_mangled(rng, file.read_bytes()))
        case 1:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("index.json", b" " * 2**22)
        case 2:
            index = rng.choice((
                "[" * 50_000, '{"counts_from": null, "images": {"../../out": null}}', "3",
                '{"counts_from": 0, "images": {"a": [1e9]}}', '{"counts_from": null, "images": 1}',
                '{"counts_from": null, "images": {"a\\u0000b": null}}', b"\xff\xfe\x00\xd8",
            ))  # fmt: skip
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("index.json", index)
                archive.writestr("../../out.png", encode_mask(np.ones((5, 6), np.uint8)))
        case _:
            content = bytearray(file.read_bytes())
            central = content.rindex(b"PK\x01\x02")
            at = central + rng.randrange(4, 46)
            content[at] = rng.randrange(256)
            file.write_bytes(content)
    return ["export", str(file), "--out", str(folder / "out")]


def model(rng: random.Random, folder: Path) -> list[str]:
    """A model file, damaged, or with sizes and names that somebody chose."""
    file, photo = folder / "model.safetensors", folder / "a.png"
    Image.new("RGB", (8, 8)).save(photo)
    description = {
        "classes": ["cat"], "backbone": "small", "long_side": 8,
        "options": {"stride": 8, "widths": [4] * 5, "blocks": [1] * 4, "train_batchnorm": True},
        "head": {"channels": 4, "dilation": 1, "dropout": 0.5, "bn_momentum": 0.1, "skip": 0},
    }  # fmt: skip
    key = rng.choice(list(description))
    description[key] = rng.choice((None, 10**12, [], {}, "../os", ["x"] * 999, -1, {"widths": 1}))
    save_tensors(file, {"a": torch.full((2,), float("nan"))}, {"segment": description})
    if rng.random() < 0.4:
        file.write_bytes(_mangled(rng, file.read_bytes()))
    if rng.random() < 0.1:
        file.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    return ["segment", "apply", "--model", str(file), str(photo), "--out", str(folder / "out")]


def _photographs(rng: random.Random, folder: Path, classes: str = "cat\ndog\n") -> Path:
    root = folder / "photos"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    (root / "classes.txt").write_text(classes)
    rows = [("file", "tags", "split")]
    for number in range(6):
        pixels = np.frombuffer(rng.randbytes(8 * 9 * 3), np.uint8).reshape(8, 9, 3)
        Image.fromarray(pixels).save(root / f"images/{number}.jpg")
        label = np.full((8, 9), number % 2 + 1, np.uint8)
        (root / f"masks/{number}.png").write_bytes(encode_mask(label))
        tag = ("cat", "dog")[number % 2]
        rows.append((f"{number}.jpg", tag, "val" if number > 3 else "train"))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def _index(folder: Path, root: Path, layout: str = "folder") -> list[str]:
    entry = {"format": layout, "root": str(root)}
    if layout == "folder":
        entry |= {"max_side": 32, "val_share": 0.5}
    else:
        lists = {"training": "train", "train": "train", "val": "val"}
        entry |= {"only": None, "limit": None, "lists": lists}
    settings = ("dataset=x", f"datasets.x={json.dumps(entry)}", "shards=1", "cam.batch=1",
                "affinity.batch=1", "segment.batch=1")  # fmt: skip
    (folder / "params.yaml").write_text(preset_text("micro", settings))
    return ["data", "index", "--params", str(folder / "params.yaml"), "--images", str(root),
            "--train-manifests", str(folder / "train.json"),
            "--val-manifests", str(folder / "val.json")]  # fmt: skip


def images(rng: random.Random, folder: Path) -> list[str]:
    """A photograph that is damaged, of another kind, or none."""
    root = _photographs(rng, folder)
    file = root / "images/0.jpg"
    buffer = io.BytesIO()
    kind = rng.choice(("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "TGA", "JPEG2000"))
    with Image.open(file) as image:
        image.save(buffer, kind)
    file.write_bytes(_mangled(rng, buffer.getvalue()))
    return _index(folder, root)


def masks(rng: random.Random, folder: Path) -> list[str]:
    """A mask that is damaged, has other labels, another size or another kind."""
    root = _photographs(rng, folder)
    index = _index(folder, root)
    with contextlib.redirect_stderr(io.StringIO()):
        assert run_command(index) == 0
    file = root / "masks/0.png"
    match rng.randrange(3):
        case 0:
            file.write_bytes(_mangled(rng, file.read_bytes()))
        case 1:
            values = rng.choice(((0, 255), (0, 3), (7, 9), (2, 2)))
            label = np.resize(np.array(values, np.uint8), (8, rng.choice((9, 9, 5))))
            file.write_bytes(encode_mask(label))
        case _:
            with Image.open(root / "images/0.jpg") as image:
                image.convert(rng.choice(("L", "RGB", "1", "LA"))).save(file)
    extra = [
        "--train-masks",
        str(folder / "t.masks.json"),
        "--val-masks",
        str(folder / "v.masks.json"),
    ]
    return ["data", "masks", *index[2:], *extra]


def tags(rng: random.Random, folder: Path) -> list[str]:
    """A list of tags that a program, a spreadsheet or a hurried person wrote."""
    root = _photographs(rng, folder)
    if rng.random() < 0.7:
        (root / "classes.txt").unlink()
    file = root / "labels.csv"
    lines = file.read_text().splitlines()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(1, len(lines))
        name, split = lines[at].split(",")[0], lines[at].rpartition(",")[2]
        lines[at] = f"{name},{rng.choice(TAGS)},{split}"
    text = "\n".join(lines).encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-8")))
    file.write_bytes(_mangled(rng, text) if rng.random() < 0.3 else text)
    return _index(folder, root)


def annotations(rng: random.Random, folder: Path) -> list[str]:
    """A folder in VOC's layout whose lists or annotations are odd."""
    photos, root = _photographs(rng, folder), folder / "voc"
    for name in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    (root / "classes.txt").write_text("cat\ndog\n")
    for number in range(6):
        (photos / f"images/{number}.jpg").rename(root / f"JPEGImages/{number}.jpg")
        xml = f"<annotation><object><name>{('cat', 'dog')[number % 2]}</name></object></annotation>"
        (root / f"Annotations/{number}.xml").write_text(xml)
    (root / "ImageSets/Segmentation/train.txt").write_text("0\n1\n2\n3\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("4\n5\n")
    file = root / rng.choice(
        ("Annotations/0.xml", "ImageSets/Segmentation/train.txt", "classes.txt")
    )
    odd = rng.choice((
        "<annotation/>", "<a:b xmlns:a='x'><a:Object><a:name>dog</a:name></a:Object></a:b>", "",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation>&a;</annotation>", "<annotation>" * 3000,
        "/JPEGImages/0.jpg /SegmentationClass/0.png\n", "0 1\n0 -1\n", "\u2028", "cat\ncat\n",
        "background\ncat\n", "x\n" * 300,
    ))  # fmt: skip
    if rng.random() < 0.5:
        file.write_text(odd, encoding=rng.choice(("utf-8", "utf-16")))
    else:
        file.write_bytes(_mangled(rng, file.read_bytes()))
    return _index(folder, root, "voc")
