# What a rule says, taken from the declaration of its job (hfpl/stages/*/job.py).

import json

from hfpl.jobs.job import filled
from hfpl.jobs.key import key_digest, recorded_key
from hfpl.pipeline import JOBS, targets
from hfpl.stages.data.job import INDEX
from hfpl.storage.fingerprint import ABSENT
from hfpl.versioning.memory import as_planned


def inputs(job):
    """Input files of a job by name; what depends on the variant or on the job's own wildcards, as a
    function."""
    found = {"images": [ancient(f) for f in archive_files()]} if job.images else {}
    for file in job.inputs:
        if callable(file.path) and not file.order and (job.of_variant or job.names):
            found[file.name] = lambda wildcards, file=file: file.patterns(
                run_params(wildcards.get("variant")), COMMON, wildcards
            )
            continue
        paths = file.patterns(PARAMS, COMMON)
        known = file.foreseen and foreseen_manifests() is not None
        paths = [ancient(path) for path in paths] if file.order or known else paths
        found[file.name] = paths if file.many or callable(file.path) else paths[0]
    return found


def outputs(job, flags):
    """Output files of a job by name, each with its flag, if any."""
    found = {}
    for file in job.outputs:
        flag = flags.get(file.name, update if job.folder else lambda path: path)
        paths = file.patterns(PARAMS, COMMON)
        found[file.name] = flag(paths) if file.many else flag(paths[0])
    return found


def archive_files():
    """The zip with the data set's images, where there is one. The manifests hold a hash of each
    image and are what the rules depend on; the zip only has to be there."""
    return JOBS["data_archive"]["archive"].patterns(PARAMS, COMMON) if FORMAT.archived else []


def place(job):
    """Path of a job's log and benchmark, which the wildcards of its results tell from others."""
    whole = f"{VARIANT if job.of_variant else COMMON}/{job.stage}/logs/{job.step or job.stage}"
    path = job.outputs[0].patterns(PARAMS, COMMON)[0]
    open_ones = [w for w in ("split", "shard", *job.names) if f"{{{w}}}" in path and w != "variant"]
    return "-".join([whole, *(f"{{{w}}}" for w in open_ones)])


def key(job):
    """What a job depends on besides its inputs, as ONE dict: Snakemake compares values alone.

    Of a data set's folder, its files count; of manifests, what they are about to hold.
    """

    def of(wildcards):
        params = run_params(wildcards.get("variant"))
        found = HandedOver(job.key(params))
        found.located = job.located(params)
        if job.folder and not FORMAT.archived:
            found["content"] = content_of(job.folder)
        manifests = foreseen_manifests()
        if manifests is None:
            return found
        if job == INDEX:
            found["manifests"] = manifests
        if files := [file for file in job.inputs if file.foreseen]:
            paths = (path for file in files for path in file.patterns(params, COMMON))
            names = (Path(filled(path, wildcards)).stem for path in paths)
            own = {name: manifests.get(name) for name in names}
            found["photographs"] = key_digest({"index": INDEX.key(PARAMS), "manifests": own})
        return found

    return of


@cache
def content_of(part):
    """Fingerprint of a part of the data set's folder. Where the folder is not at hand, that of the
    files which the results here were made from: what is done stays done."""
    found = FORMAT.fingerprint(part)
    if found == ABSENT:
        (job,) = (job for job in JOBS.values() if job.folder == part)
        found = last_key(job).get("content", found)
    return found


@cache
def foreseen_manifests():
    """Digest of what each manifest is about to hold, by its shard. Where the folder is not at hand,
    or has a mistake in it, of what the manifests here hold; None where no plan can know."""
    found = FORMAT.foreseen(PARAMS.shards)
    return last_key(INDEX).get("manifests", {}) if found == {} else found


def last_key(job):
    """The key that the results here of one of the data set's jobs were made under."""
    read = as_planned(Path(CONFIG.results))
    record = read(Path(job.outputs[0].patterns(PARAMS, COMMON)[0])) or {}
    return recorded_key(record.get("params") or [])


class HandedOver(dict):
    """The key of a job. Where a command names it, it is JSON, and says where files lie as well."""

    located = {}

    def __str__(self):
        values = {name: self[name] for name in self if name not in ("manifests", "photographs")}
        return json.dumps({**values, **self.located})


def command(job):
    """The command of a job, with all its files."""
    words = ["python -m hfpl.cli.launcher {resources.gpu}" if job.several else "hfpl", job.stage]
    words += [job.step] if job.step else []
    words += ["--settings {params.key:q}", "--log {log:q}"]
    words += [f"--{n} {{wildcards.{n}}}" for n in job.names]
    if job.kind == "training":
        words.append("--threads $HFPL_THREADS --workers $HFPL_WORKERS")
    elif job.kind == "network":
        own = "--threads {threads} --workers $HFPL_SHARD_WORKERS"
        words = ["card {wildcards.shard};", *words, own]
    if job.images:
        # An archive may have been fetched from a storage to anywhere, a folder lies where it lies.
        words.append("--images {input.images:q}" if FORMAT.archived else '--images "$HFPL_IMAGES"')
    if job.downloads:
        words.append('--downloads "$HFPL_DOWNLOADS"')
    for kind, files in (("input", job.inputs), ("output", job.outputs)):
        words += [f"--{f.name.replace('_', '-')} {{{kind}.{f.name}:q}}" for f in files if f.option]
    return " ".join(words)


def page(caption, category, **labels):
    """The flag of an output that is a page of Snakemake's report."""
    return lambda path: report(
        path, caption=f"../report/{caption}.rst", category=category, labels=labels
    )
