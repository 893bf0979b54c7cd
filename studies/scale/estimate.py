"""What a run on VOC and on COCO would take, from the cost of an image: an extrapolation."""

from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML

from hfpl.params.presets import preset_text

CORES = 16


@dataclass(frozen=True)
class Size:
    """Images of a data set: of its splits, and with a ground truth."""

    preset: str
    train: int
    val: int
    scored: int


SIZES = {
    "VOC": Size("voc2012", 10_582, 1_449, 1_464 + 1_449),
    "COCO": Size("coco2014", 82_783, 40_504, 82_783 + 40_504),
}
"""As published: VOC's ``trainaug`` and ``val``, of which ``train`` and ``val`` are scored."""


def images_read(size: Size) -> dict[str, int]:
    """Job → images that its whole work takes with the preset's parameters, repeats counted."""
    params = YAML(typ="safe").load(preset_text(size.preset))

    def epochs(section: str) -> int:
        batch = params[section]["batch"]
        return params[section]["epochs"] * (size.train // batch) * batch

    both = size.train + size.val
    return {
        "cam train": epochs("cam"),
        "cam infer": both,
        "pseudo": both,
        "affinity": epochs("affinity"),
        "walk": both,
        "segment train": params["segment"]["iterations"] * params["segment"]["batch"],
        "segment test": size.scored,
        "evaluate": size.scored,
    }


def core_hours(images: Mapping[str, int], seconds: Mapping[str, float]) -> dict[str, float]:
    """Job → hours on one core, of the jobs whose seconds per image are known."""
    return {job: n * seconds[job] / 3600 for job, n in images.items() if job in seconds}
