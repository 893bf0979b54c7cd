"""Pins of all packages, from pyproject.toml, that hold on every Python that it allows.

    pip install uv
    python -m scripts.pins [--upgrade]

Writes requirements.txt, a requirements-<extra>.txt for what each other extra brings besides, and
the list in environment.yml. Pins that still hold stay, unless ``--upgrade`` is given.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from hfpl.storage.atomic import replacing, write_text

EXTRAS = {
    "dvc": "what 'hfpl dvc' calls, with S3",
    "weights": "weights of the larger EfficientNet-Lites",
    "onnx": "what 'hfpl segment onnx' writes with",
    "slurm": "what Snakemake sends jobs to SLURM with",
    "kubernetes": "what Snakemake sends jobs to Kubernetes with",
    "docs": "what 'make docs' builds the pages with",
    "test": "what the tests, 'make lint', the benchmarks and the studies need",
}
"""Extra with pins of its own → what it is, in words."""
FOLLOWS = {"test": ["dvc", "weights"]}
"""Extra → those that it is installed with."""
HEAD = (
    "# Every package of the environment, pinned by scripts/pins.py; environment.yml repeats them.\n"
)
OF_CUDA = re.compile(r"(cuda-|nvidia-|triton)")
"""Torch brings them, or not: as it was built."""
ELSEWHERE = re.compile(r"sys_platform == '(win32|darwin)'|platform_system == 'Windows'")


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    args = parser.parse_args()
    if not shutil.which("uv"):
        parser.error("uv, which finds them, is not on the path: pip install uv")
    files = {extra: Path(f"requirements-{extra}.txt") for extra in EXTRAS}
    files[""] = Path("requirements.txt")
    known = [line for file in files.values() if file.exists() for line in file.open()]
    # All at once, so that extras can be installed beside each other; then who needs what.
    together = resolved(["pipeline", *EXTRAS], [] if args.upgrade else known)
    pins = {"": resolved(["pipeline"], together)}
    for extra in EXTRAS:
        before = ["", *FOLLOWS.get(extra, [])]
        held = {name_of(pin) for name in before for pin in pins[name]}
        found = resolved(["pipeline", *before[1:], extra], together)
        pins[extra] = [pin for pin in found if name_of(pin) not in held]
    for extra, found in pins.items():
        beside = " and ".join(str(files[name]) for name in ("", *FOLLOWS.get(extra, [])))
        head = f"# Beside {beside}: {EXTRAS[extra]}.\n" if extra else HEAD
        write_text(files[extra], head + "".join(f"{pin}\n" for pin in found))
    write_environment(Path("environment.yml"), pins[""])


def resolved(extras: list[str], known: Iterable[str]) -> list[str]:
    """Pins of some extras; known ones stay where they hold."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pins.txt"
        out.write_text("\n".join(known))
        command = ["uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal",
                   "--python-version", "3.11", "--fork-strategy", "fewest", "--no-annotate",
                   "--no-header", "--system-certs", "--output-file", str(out)]  # fmt: skip
        command += [word for extra in extras for word in ("--extra", extra)]
        subprocess.run(command, check=True)
        lines = out.read_text().splitlines()
    return [line for line in lines if not OF_CUDA.match(line) and not ELSEWHERE.search(line)]


def name_of(pin: str) -> str:
    """Name of the package that a pin is for."""
    return pin.partition("==")[0]


def write_environment(file: Path, pins: list[str]) -> None:
    """Put the pins into conda's environment."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(file.read_text(encoding="utf-8"))
    (pip,) = (entry for entry in content["dependencies"] if isinstance(entry, dict))
    pip["pip"] = [*pins, "-e ."]
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        yaml.dump(content, out)


if __name__ == "__main__":
    main()
