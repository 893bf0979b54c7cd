# Stage data: what images there are, which shard each belongs to, and what they show.

from hfpl.data.index import folder_fingerprint

GENERATED = DATASET.format == "shapes"
ARCHIVE = f"{COMMON}/data/shapes.zip"
MANIFEST = f"{COMMON}/data/{{split}}-{{shard}}.json"
MASKS = f"{COMMON}/data/{{split}}-{{shard}}.masks.json"

# Where images lie. The manifests hold a hash of each image and are what the other rules depend on;
# the archive only has to be there.
IMAGES = ARCHIVE if GENERATED else DATASET.root
IMAGE_FILES = [ancient(ARCHIVE)] if GENERATED else []


def index_key(wildcards):
    """As key("data"); a folder's names, sizes and times stand for its content."""
    content = None if GENERATED else folder_fingerprint(DATASET.root)
    return {**key("data")(wildcards), "content": content}


rule data_generate:
    output:
        ARCHIVE,
    log:
        f"{COMMON}/data/logs/generate.log",
    benchmark:
        f"{COMMON}/data/logs/generate.tsv"
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=30,
    params:
        key=key("data_generate"),
    shell:
        "hfpl data generate --params {PARAMS_FILE:q} --expect {params.key[digest]} --log {log:q}"
        " --archive {output:q}"


rule data_index:
    input:
        ARCHIVE if GENERATED else [],
    output:
        train=shards(MANIFEST, "train"),
        train_masks=shards(MASKS, "train"),
        val=shards(MANIFEST, "val"),
        val_masks=shards(MASKS, "val"),
    log:
        f"{COMMON}/data/logs/index.log",
    benchmark:
        f"{COMMON}/data/logs/index.tsv"
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=60,
    params:
        key=index_key,
    shell:
        "hfpl data index --params {PARAMS_FILE:q} --expect {params.key[digest]} --log {log:q}"
        " --images {IMAGES:q}"
        " --train-manifests {output.train:q} --train-masks {output.train_masks:q}"
        " --val-manifests {output.val:q} --val-masks {output.val_masks:q}"
