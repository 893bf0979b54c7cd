"""Which parameters a job depends on: the ones that are active for it, and no others."""

from collections.abc import Callable
from typing import Any

from hfpl.params.downloads import sources_of
from hfpl.params.root import Params
from hfpl.sections.network import AS_NETWORK

Active = dict[str, Any]
"""Dotted key in ``params.yaml`` → value; lists and numbers, no sections."""


def active_params(params: Params, job: str, variant: str | None = None) -> Active:
    """Dotted keys and values that the result of a job depends on.

    A key that has no effect under the others is left out: lambda is no dependency where ISL is
    off. Raises KeyError for an unknown job or variant.
    """
    prefixes = JOBS[job](params, variant or params.variant)
    content = params.model_dump(mode="json")
    found: Active = {}
    for prefix in prefixes:
        node: Any = content
        for part in prefix.split("."):
            node = node[part] if isinstance(node, dict) else {}
        _collect(prefix, node, found)
    return dict(sorted(found.items()))


def _collect(key: str, node: Any, found: Active) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            _collect(f"{key}.{name}", value, found)
    else:
        found[key] = node


_BACKBONE = ["network.backbone", "network.options"]


def _trained(params: Params, stage: str) -> list[str]:
    shared = getattr(params, stage).weights == AS_NETWORK
    return [*_BACKBONE, f"{stage}.weights", *(["network.weights"] if shared else [])]


def _generate(params: Params, variant: str) -> list[str]:
    return [f"datasets.{params.dataset}"]


def _data_download(params: Params, variant: str) -> list[str]:
    # Whichever mirror a file comes from and wherever it lies, its checksum says what it is.
    entry = f"datasets.{params.dataset}"
    return [f"{entry}.sources.{name}.md5" for name in sources_of(params.datasets[params.dataset])]


def _data_convert(params: Params, variant: str) -> list[str]:
    dataset = params.datasets[params.dataset]
    return [f"datasets.{params.dataset}.format"] if sources_of(dataset) else []


def _data_index(params: Params, variant: str) -> list[str]:
    # Where the folder lies does not change what is in it; its content is a dependency of the rule.
    entry = f"datasets.{params.dataset}"
    more = _DATA_KEYS.get(params.datasets[params.dataset].format, [])
    return ["dataset", "shards", f"{entry}.format", *(f"{entry}.{key}" for key in more)]


def _data_masks(params: Params, variant: str) -> list[str]:
    entry = f"datasets.{params.dataset}"
    listed = params.datasets[params.dataset].format == "voc"
    lists = [f"{entry}.lists.{name}" for name in ("train", "val")] if listed else []
    return [f"{entry}.format", *lists]


_DATA_KEYS = {"voc": ["lists.training", "lists.val"], "folder": ["max_side", "val_share"]}
"""Keys of a data set's entry that its manifests depend on, by its format."""


def _pretrain(params: Params, variant: str) -> list[str]:
    return [*_BACKBONE, "pretrain"]


def _method(params: Params, variant: str) -> list[str]:
    method = params.variants[variant].method
    options = [f"cam.methods.{method}"] if method in params.cam.methods else []
    return [f"variants.{variant}.method", *options]


def _cam_train(params: Params, variant: str) -> list[str]:
    chosen = params.variants[variant]
    isl = {"none": [], "expected": ["cam.isl.weight", "cam.isl.start"]}.get(chosen.isl, ["cam.isl"])
    fsl = ["cam.fsl"] if chosen.fsl else []
    return [
        f"variants.{variant}",
        *_method(params, variant),
        *isl,
        *fsl,
        "cam.epochs",
        "cam.batch",
        "cam.optimiser",
        "cam.augmentation",
        *_trained(params, "cam"),
    ]


def _cam_infer(params: Params, variant: str) -> list[str]:
    return [*_method(params, variant), *_BACKBONE, "cam.inference"]


def _pseudo(params: Params, variant: str) -> list[str]:
    return ["pseudo"]


def _affinity(params: Params, variant: str) -> list[str]:
    return [f"variants.{variant}.seed", "affinity", *_trained(params, "affinity")]


def _walk(params: Params, variant: str) -> list[str]:
    return [*_BACKBONE, "affinity.radius", "affinity.channels", "walk"]


_SEGMENT_HEAD = ["segment.head.channels", "segment.head.dilation"]


def _segment_train(params: Params, variant: str) -> list[str]:
    return [
        f"variants.{variant}.seed",
        "segment.head",
        "segment.iterations",
        "segment.batch",
        "segment.optimiser",
        "segment.augmentation",
        *_trained(params, "segment"),
    ]


def _segment_test(params: Params, variant: str) -> list[str]:
    return [*_BACKBONE, *_SEGMENT_HEAD, "segment.test"]


def _evaluate_cam(params: Params, variant: str) -> list[str]:
    method = params.variants[variant].method
    return [f"evaluate.background_score.{method}"]


def _evaluate(params: Params, variant: str) -> list[str]:
    return []


def _report(params: Params, variant: str) -> list[str]:
    return ["report"]


JOBS: dict[str, Callable[[Params, str], list[str]]] = {
    "data_generate": _generate,
    "data_download": _data_download,
    "data_convert": _data_convert,
    "data_index": _data_index,
    "data_masks": _data_masks,
    "pretrain": _pretrain,
    "cam_train": _cam_train,
    "cam_infer": _cam_infer,
    "pseudo": _pseudo,
    "affinity": _affinity,
    "walk": _walk,
    "segment_train": _segment_train,
    "segment_test": _segment_test,
    "evaluate_cam": _evaluate_cam,
    "evaluate_masks": _evaluate,
    "evaluate": _evaluate,
    "report": _report,
}
"""Every job of the pipeline, in the order of the stages."""
