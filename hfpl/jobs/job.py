"""The declaration of a job: all that is said about it anywhere else derives from it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfpl.jobs.code import code_of
from hfpl.jobs.settings import Settings, Values

if TYPE_CHECKING:
    from hfpl.params import Params
else:
    Params = Any  # They hold the sections of all stages: declarations know them by name alone.

SPLITS = ("train", "val")
"""``train``: what is trained on (VOC: trainaug). ``val``: what is held out."""

Condition = Callable[[Params], bool]
Names = Mapping[str, str]
Paths = Callable[[Params, str, Names], list[str]]
"""From the parameters, the data set's folder of results and the job's own names to paths."""


def always(params: Params) -> bool:
    """The condition of what every run has."""
    return True


@dataclass(frozen=True)
class File:
    """An input or an output of a job; its name is a keyword of the job's function and an option.

    Attributes:
        name: in the function; with dashes, the command's option.
        path: below the data set's folder of results, with ``{variant}``, ``{split}``, ``{shard}``
            where there is one for each; or a function, where the parameters decide.
        help: what the command says of it.
        over: splits of which the job takes the files of all shards.
        scored: whether of train it takes no more shards than ``evaluate.train_shards``.
        many: whether the job takes several files.
        optional: whether it may be left out.
        order: the job runs after it is made, and never because it changed.
        foreseen: whether a plan may know what it will hold
            (:meth:`hfpl.plugins.formats.interface.Format.foreseen`): the job runs again by that
            then, and not because the file was written anew.
        option: whether the function gets it. What it does not get, it depends on all the same.
        missing: what to say where it is not there.
    """

    name: str
    path: str | Paths
    help: str
    over: tuple[str, ...] = ()
    scored: bool = False
    many: bool = False
    optional: bool = False
    order: bool = False
    foreseen: bool = False
    option: bool = True
    missing: Callable[[Path], str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "many", self.many or bool(self.over))

    def patterns(self, params: Params, common: str, names: Names | None = None) -> list[str]:
        """Paths, wildcards that are not filled by ``over`` left open.

        Args:
            common: folder of the data set's results.
            names: values of the job's own wildcards (:attr:`Job.names`).
        """
        if callable(self.path):
            return self.path(params, common, names or {})
        whole = f"{common}/{self.path}"
        if not self.over:
            return [whole]
        return [
            filled(whole, {"split": split, "shard": shard})
            for split in self.over
            for shard in range(self._shards(params, split))
        ]

    def _shards(self, params: Params, split: str) -> int:
        few = params.evaluate.train_shards if self.scored and split == "train" else None
        return few or params.shards

    def as_input(self, name: str, help: str, **more: Any) -> "File":
        """The same file as another job takes it."""
        return File(name, self.path, help, **more)


@dataclass(frozen=True)
class Made:
    """One run of a job: its files with all wildcards filled."""

    job: "Job"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A job of the pipeline.

    Attributes:
        name: stage, and behind a ``_`` the step where a stage has several.
        help: what it does, in a line.
        function: ``module:function`` that does it, called with the settings, on a ``network`` or
            ``training`` also with the :class:`hfpl.numerics.Runtime`, and with its files by name.
        reads: prefixes of the parameters that its results depend on; see :meth:`values`.
        places: prefixes of parameters that it may read and no result depends on: where files lie.
        inputs, outputs: its files.
        images: whether it reads the data set's images (keyword ``images``).
        downloads: whether it takes the folder of downloads (keyword ``downloads``).
        names: wildcards that the function gets by name, with the values they take in a run.
        kind: ``training`` and ``network`` jobs run torch.
        several: whether it can run in several processes, each with its part of a batch.
        plugins: modules that it loads by name: methods, backbones, a data set's format.
        when: whether a run with these parameters has it.
        memory, minutes: of its first attempt, in MB and minutes; more with each further one.
        light: whether it runs beside Snakemake itself where other jobs go to a cluster.
        folder: ``images``, ``masks`` or ``corrections``: which files of a data set's folder it
            looks through, where the data set is one. Its outputs are updated: they stay where it
            fails.
    """

    name: str
    help: str
    function: str
    reads: Callable[[Params], Iterable[str]]
    places: Callable[[Params], Iterable[str]] = lambda params: ()
    inputs: tuple[File, ...] = ()
    outputs: tuple[File, ...] = ()
    images: bool = False
    downloads: bool = False
    names: Mapping[str, Callable[[Params], Sequence[str]]] = field(default_factory=dict)
    kind: Literal["plain", "network", "training"] = "plain"
    several: bool = False
    plugins: Callable[[Params], list[str]] = lambda params: []
    when: Condition = always
    memory: int = 1000
    minutes: int = 60
    light: bool = False
    folder: Literal["", "images", "masks", "corrections"] = ""

    @property
    def stage(self) -> str:
        """Stage that it belongs to."""
        return self.name.partition("_")[0]

    @property
    def step(self) -> str:
        """Step of its stage, empty where that has one job."""
        return self.name.partition("_")[2]

    @property
    def of_variant(self) -> bool:
        """Whether each variant has its own results of it."""
        return any(isinstance(f.path, str) and "{variant}" in f.path for f in self.outputs)

    def __getitem__(self, name: str) -> File:
        """An output by its name."""
        return next(file for file in self.outputs if file.name == name)

    def values(self, params: Params) -> dict[str, Any]:
        """Declared parameters, dotted key → value; chosen entries as ``chosen.variant.seed``."""
        return _values_of(params.content, self.reads(params))

    def located(self, params: Params) -> dict[str, Any]:
        """As :meth:`values`, of the parameters that no result depends on."""
        return _values_of(params.content, self.places(params))

    def key(self, params: Params) -> dict[str, Any]:
        """All that the results depend on besides the inputs: values, and the code as ``code``.

        One dict, since Snakemake compares the values of a rule's params without their names.
        """
        return {
            **self.values(params),
            "code": code_of(self.name, self.function, self.plugins(params)),
        }

    def settings(self, values: Params | Values) -> Settings:
        """What its function reads, of whole parameters or of the values that a rule hands over."""
        if not isinstance(values, Mapping):
            values = {**self.values(values), **self.located(values)}
        return Settings(values, self.name)

    def made(self, params: Params, common: str) -> Iterator[Made]:
        """Every run of it with these parameters, for the variant that they choose."""
        if not self.when(params):
            return
        spans = {
            "variant": [params.variant],
            "split": list(SPLITS),
            "shard": [str(shard) for shard in range(params.shards)],
            **{
                name: list(values(params))
                for name, values in self.names.items()
                if name != "variant"
            },
        }
        outputs = [path for file in self.outputs for path in file.patterns(params, common)]
        used = [name for name in spans if any(f"{{{name}}}" in path for path in outputs)]
        for chosen in product(*(spans[name] for name in used)):
            names = dict(zip(used, chosen, strict=True))
            inputs = (p for file in self.inputs for p in file.patterns(params, common, names))
            yield Made(
                self,
                tuple(filled(path, names) for path in inputs),
                tuple(filled(path, names) for path in outputs),
            )


def _values_of(content: dict[str, Any], prefixes: Iterable[str]) -> dict[str, Any]:
    """Dotted keys below prefixes with their values, sorted."""
    found: dict[str, Any] = {}
    for prefix in prefixes:
        node: Any = content
        for part in prefix.split("."):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        _collect(prefix, node, found)
    return dict(sorted(found.items()))


def filled(path: str, wildcards: Mapping[str, object]) -> str:
    """A path with wildcards replaced; others stay, and braces in names of folders too."""
    for name, value in wildcards.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path


def _collect(key: str, node: Any, found: dict[str, Any]) -> None:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            _collect(f"{key}.{name}", value, found)
    else:
        found[key] = node
