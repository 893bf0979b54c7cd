"""Job of stage pseudo."""

from hfpl.jobs.job import File, Job, Params
from hfpl.stages.cam.job import CALIBRATION, INFER, from_tags
from hfpl.stages.data.job import MANIFEST


def refiner_plugin(params: Params) -> list[str]:
    """Module of the refiner."""
    return [f"hfpl.plugins.refiners.{params.pseudo.refiner}"]


PSEUDO = Job(
    "pseudo",
    "refine the CAMs of a shard at a low and at a high background power",
    "hfpl.stages.pseudo.refine:refine_shard",
    reads=lambda params: [
        "pseudo.alpha_low",
        "pseudo.alpha_high",
        "pseudo.scale",
        "pseudo.refiner",
        f"pseudo.{params.pseudo.refiner}",
    ],
    inputs=(MANIFEST, INFER["cams"].as_input("cams", "its CAMs"), CALIBRATION),
    outputs=(
        File(
            "low",
            "{variant}/pseudo/{split}-{shard}.low.zip",
            "scores at the low background power to write (.zip)",
        ),
        File(
            "high",
            "{variant}/pseudo/{split}-{shard}.high.zip",
            "scores at the high background power to write (.zip)",
        ),
    ),
    images=True,
    plugins=refiner_plugin,
    when=from_tags,
    memory=2000,
    minutes=240,
)
JOBS = (PSEUDO,)
