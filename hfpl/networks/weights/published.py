"""Where published weights come from; they are not part of this project."""

from pathlib import Path

_SEAM = "https://github.com/YudeWang/SEAM"
PUBLISHED = {
    ".params": (
        "ImageNet weights of ResNet-38, shared by their authors at "
        "https://drive.google.com/drive/folders/1y3WjoQLgqbR4q7u9KWPjj4enlLvbn_-P"
    ),
    "resnet50": (
        "ImageNet weights of ResNet-50, published by torchvision at "
        "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    ),
    ".pth": f"a published checkpoint (SEAM's authors link theirs at {_SEAM}) or one of your own",
    ".pt": f"a published checkpoint (SEAM's authors link theirs at {_SEAM}) or one of your own",
    ".safetensors": "a file of your own, written by a training of this project",
}
"""Start or ending of a file's name → what it is and where its authors publish it."""


def missing_file(path: Path) -> str:
    """One line about a weights file that is not there: what, from where, and where to put it."""
    name = path.name.lower()
    what = next(
        text for key, text in PUBLISHED.items() if name.startswith(key) or name.endswith(key)
    )
    return f"{path}: no such file; it is {what}: put it there, or start without ('weights: none')"
