"""Read and check ``params.yaml``; every mistake is one line that names the key."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.error import YAMLError

from hfpl.networks.weights.published import imagenet_weights
from hfpl.params.explain import explain, one_line
from hfpl.params.root import Params
from hfpl.params.runs import SEED, may_change, run_name, run_parts, sweep_settings
from hfpl.sections.network import IMAGENET, network_key, network_of
from hfpl.sections.plugins import check_name, check_options, check_refiner, plugin_names
from hfpl.sections.suggest import suggest
from hfpl.stages.cam.job import INFER, TRAIN
from hfpl.stages.pretrain.job import TRAINED
from hfpl.storage.plain_yaml import load_yaml

_MOST_PIXELS = 60_000_000
"""Pixels of a training's step: the papers' have two to three million, and take a card of 40 GB."""


class ParamsError(ValueError):
    """A mistake in the parameters; the message is one line a person can act on."""


def load_params(path: str | Path) -> Params:
    """Read a parameter file.

    Raises:
        ParamsError: the file is missing or not YAML, or a key is unknown, missing, of the wrong
            type or out of range. The message names the file, the key and what to do.
    """
    return validate_params(read_yaml(path), source=str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (``1e-4`` is a number, ``off`` a word, a key twice an error)."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: no such file; write one with 'hfpl params PRESET --out {path}'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read: {error}") from None
    try:
        content = load_yaml(text)
    except YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {one_line(str(error))}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected sections with keys, found {type(content).__name__}")
    return content


def validate_params(content: dict[str, Any], source: str = "params") -> Params:
    """Check the content of a parameter file.

    Raises:
        ParamsError: as :func:`load_params`; ``source`` opens the message.
    """
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{source}: {explain(error, content)}") from None
    for message in _cross_checks(params):
        raise ParamsError(f"{source}: {message}")
    return params


def set_value(content: Any, key: str, text: str) -> None:
    """Set a dotted key of a parameter file's content to a value in YAML.

    Where text stands now, the text itself is taken: ``my photos #1`` has no comment, and ``5`` is a
    name as well. Quotes around it, lists and mappings are YAML's all the same.

    Raises:
        YAMLError: the text is no value.
    """
    *path, last = key.split(".")
    for part in path:
        node = content.get(part)
        if not isinstance(node, Mapping):
            # New entries may be added to the tables; validation names anything else.
            node = content[part] = {}
        content = node
    told = text.strip()
    if isinstance(content.get(last), str) and told and told[0] not in "\"'[{":
        content[last] = told
    else:
        content[last] = load_yaml(text)


def resolve(params: Params, run: str) -> Params:
    """Parameters of a run by its name (:mod:`hfpl.params.runs`): its variant, its changed values.

    Raises:
        ParamsError: no such variant, or a value that a run may not change or that does not hold.
    """
    variant, changes = run_parts(run)
    if variant not in params.variants:
        raise ParamsError(f"{run}: not in variants; known: {', '.join(params.variants)}")
    if not changes:
        return params.of_variant(variant)
    content = {**params.model_dump(mode="json"), "variant": variant}
    content["ablation"]["sweeps"] = {}  # They are of the whole, and checked with it.
    for key, text in changes.items():
        if not may_change(key):
            raise ParamsError(f"{run}: {key}: a run changes '{SEED}' or keys of 'cam' alone")
        try:
            set_value(content, f"variants.{variant}.{SEED}" if key == SEED else key, text)
        except YAMLError:
            raise ParamsError(f"{run}: '{text}' is not a YAML value") from None
    return validate_params(content, source=run)


def _cross_checks(params: Params) -> list[str]:
    """Mistakes that no single key shows."""
    methods, evaluate = "hfpl.plugins.methods", params.evaluate
    found = [
        *_not_in("datasets", "dataset", params.dataset, params.datasets),
        *_variant_check(params),
        *_network_checks(params),
        *check_refiner("pseudo", params.pseudo),
        *check_refiner("segment.test", params.segment.test),
        *_metric_checks(evaluate.metrics),
        *_shard_checks(params),
        *_step_checks(params),
    ]
    for method in evaluate.background_score:
        found += check_name(f"evaluate.background_score.{method}", methods, method)
    for method in params.cam.rates:
        found += check_name(f"cam.rates.{method}", methods, method)
    for method in params.cam.methods:
        found += check_name(f"cam.methods.{method}", methods, method)
    for name, variant in params.variants.items():
        if variant.supervised:
            continue
        method = variant.method
        found += check_options(
            f"variants.{name}.method",
            methods,
            method,
            f"cam.methods.{method}",
            params.cam.methods.get(method, {}),
        )
        if method not in evaluate.background_score:
            found.append(f"evaluate.background_score.{method}: missing; variant '{name}' needs it")
    return found or _ablation_checks(params)


def _not_in(table: str, key: str, name: str, known: Collection[str]) -> list[str]:
    """Messages for a name that a table of the file does not have."""
    return [] if name in known else [f"{key}: '{name}' is not in {table}{suggest(name, known)}"]


def _variant_check(params: Params) -> list[str]:
    """A chosen variant that there is not; one of a method's that the grid does not have says so."""
    method = params.variant.partition("-")[0]
    known = params.variant in params.variants or method in params.grid.methods
    if not known and method in plugin_names("hfpl.plugins.methods"):
        return [f"variant: '{params.variant}' is not in variants; add '{method}' to grid.methods"]
    return _not_in("variants", "variant", params.variant, params.variants)


def _network_checks(params: Params) -> list[str]:
    """Unknown backbones and options, of the shared network and of stages' own."""
    networks = {network_key(params, stage): network_of(params, stage) for stage in TRAINED}
    found = []
    for key, network in {"network": params.network, **networks}.items():
        found += check_options(
            f"{key}.backbone",
            "hfpl.plugins.backbones",
            network.backbone,
            f"{key}.options",
            network.options,
        )
        if network.weights == IMAGENET and not found and imagenet_weights(network) is None:
            found.append(
                f"{key}.weights: '{IMAGENET}': none are known for '{network.backbone}' with these "
                "options; name a file, 'pretrain' or 'none'"
            )
        if key != "network" and network.weights == "pretrain":
            found.append(
                f"{key}.weights: 'pretrain' makes those of the section network alone; "
                "name a file, or 'none'"
            )
    return found


def _shard_checks(params: Params) -> list[str]:
    few = params.evaluate.train_shards
    if few is None or few <= params.shards:
        return []
    return [f"evaluate.train_shards: {few} of {params.shards} shards cannot be; see 'shards'"]


def _step_checks(params: Params) -> list[str]:
    """Trainings whose steps no memory holds."""
    found = []
    for stage in TRAINED:
        section = getattr(params, stage)
        pixels = section.batch * section.augmentation.crop**2
        if pixels > _MOST_PIXELS:
            found.append(
                f"{stage}: a step has {pixels / 1e6:.0f} million pixels, more than "
                f"{_MOST_PIXELS / 1e6:.0f} million: lower 'batch' or 'augmentation.crop'"
            )
    return found


def _metric_checks(metrics: list[str]) -> list[str]:
    """Metrics that are no plug-ins, or named twice."""
    found = []
    for k, name in enumerate(metrics):
        found += check_name(f"evaluate.metrics.{k}", "hfpl.plugins.metrics", name)
    found += [
        f"evaluate.metrics: '{name}' stands there twice"
        for name in dict.fromkeys(metrics)
        if metrics.count(name) > 1
    ]
    if "miou" not in metrics:
        found.append("evaluate.metrics: add miou: the threshold curve of the CAMs is of it")
    return found


def _ablation_checks(params: Params) -> list[str]:
    """Names in the section ablation that are no variants, and sweeps that cannot be run."""
    named = {f"variants.{i}": name for i, name in enumerate(params.ablation.variants)}
    named |= {f"final.{i}": name for i, name in enumerate(params.ablation.final)}
    named |= {f"sweeps.{name}": name for name in params.ablation.sweeps}
    for key, name in named.items():
        if name not in params.variants:
            return [f"ablation.{key}: unknown variant '{name}'{suggest(name, params.variants)}"]
    for variant, changes in sweep_settings(params):
        (key,) = changes
        chosen = params.of_variant(variant)
        used = {key for job in (TRAIN, INFER) for key in job.values(chosen)}
        if key not in used or not may_change(key):
            return [f"ablation.sweeps.{variant}: '{key}' is no key of 'cam' with an effect on it"]
        resolve(params, run_name(params, variant, changes))
    return []
