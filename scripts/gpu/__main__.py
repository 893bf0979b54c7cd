"""What a GPU computes beside the CPU, and how fast, into one JSON file.

    python -m scripts.gpu [--out gpu.json] [--photographs FOLDER] [--wheels FOLDER] [--minutes 9]

For a machine that is bare but for Python, torch, numpy and OpenCV, without a network: --wheels is a
folder of what else is missing there (pydantic, ruamel.yaml and what they need). --photographs is a
folder of the format 'folder' (scripts/gpu/shrink.py makes a small one); without it, trainings are
left out. What does not fit into the minutes is left out, and the file says so. --miniature runs all
of it on any device with sizes that mean nothing, as a test.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_NEEDED = {"pydantic": "pydantic", "ruamel.yaml": "ruamel.yaml", "safetensors": "safetensors"}


def main(arguments: list[str] | None = None) -> int:
    """Measure what fits, write the file; 1 where a part does not agree with the CPU."""
    parser = argparse.ArgumentParser(prog="python -m scripts.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--miniature", action="store_true")
    args = parser.parse_args(arguments)
    _install(args.wheels)
    from hfpl.jobs.runtime import device_name, set_up

    runtime = set_up(args.device)
    began = time.monotonic()
    found: dict[str, Any] = {
        "device": device_name(runtime.device),
        "python": platform.python_version(),
        "torch": _torch_version(),
        "left out": [],
    }
    for name, part in _parts(args, runtime).items():
        if time.monotonic() - began > 60 * args.minutes:
            found["left out"].append(name)
        else:
            start = time.monotonic()
            found[name] = part()
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        # After each part: whoever ends the script keeps what was measured.
        args.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    wrong = [row["part"] for row in found.get("agreement", []) if not row["agrees"]]
    said = f"differ from the CPU: {', '.join(wrong)}" if wrong else "nothing differs from the CPU"
    left = f"; left out: {', '.join(found['left out'])}" if found["left out"] else ""
    print(f"{args.out}: {said}{left}")
    return bool(wrong)


def _install(wheels: Path | None) -> None:
    missing = []
    for module, package in _NEEDED.items():
        try:
            there = find_spec(module) is not None
        except ModuleNotFoundError:  # of a package in a package
            there = False
        if not there:
            missing.append(package)
    if not missing:
        return
    if wheels is None:
        raise SystemExit(f"missing here: {', '.join(missing)}; give a folder of them as --wheels")
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*command, *missing], check=True)


def _torch_version() -> str:
    import torch

    return torch.__version__


def _parts(args: argparse.Namespace, runtime: Any) -> dict[str, Callable[[], Any]]:
    from ruamel.yaml import YAML

    from hfpl.params.load import validate_params
    from hfpl.params.presets import preset_text
    from scripts.gpu.agreement import BACKBONES, agreement
    from scripts.gpu.steps import step_rows
    from scripts.gpu.trainings import train_all

    def params(preset: str, *settings: str) -> Any:
        return validate_params(YAML(typ="safe", pure=True).load(preset_text(preset, settings)))

    small = args.miniature
    size, batch, steps = (64, 2, 1) if small else (448, 8, 10)
    compared = ("efficientnet_lite",) if small else tuple(BACKBONES)
    photographs = params("photographs")
    paper = params("demo") if small else params("voc2012")
    parts = {
        "agreement": lambda: list(
            agreement(runtime.device, photographs, 128 if small else 224, compared)
        ),
        "paper's training step": lambda: step_rows(paper, 20, batch, size, steps, runtime.device),
        "EfficientNet-Lite's training step": lambda: step_rows(
            photographs, 20, batch, size, steps, runtime.device
        ),
    }
    if args.photographs:
        variants = ("cam", "cam-isl-fsl", "seam", "seam-isl-fsl")
        for variant in variants[-1:] if small else variants:
            settings = [f"variant={variant}", "shards=1", "network.options.stride=8"]
            if small:
                settings += ["segment.iterations=2", "cam.epochs=1", "affinity.epochs=1",
                             "cam.batch=2", "affinity.batch=2", "segment.batch=2",
                             "cam.augmentation.crop=64", "affinity.augmentation.crop=64",
                             "segment.augmentation.crop=64"]  # fmt: skip
            chosen = params("folder", *settings)
            parts[f"trainings, {variant}"] = lambda chosen=chosen: _trained(
                train_all, chosen, args.photographs, runtime
            )
    return parts


def _trained(train_all: Callable[..., Any], params: Any, root: Path, runtime: Any) -> Any:
    with TemporaryDirectory() as work:
        return train_all(params, root, Path(work), runtime)


if __name__ == "__main__":
    sys.exit(main())
