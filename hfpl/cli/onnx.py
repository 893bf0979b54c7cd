"""``hfpl segment onnx``: a trained network for programs without torch."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl segment onnx``."""
    parser.description = (
        "Write a model as ONNX: a photograph (RGB, of any size) in, the classes' scores out."
    )
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="model that a run wrote (segment/model.safetensors)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to write (.onnx)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.exports.onnx import write_onnx

    return write_onnx(args.model, args.out)
