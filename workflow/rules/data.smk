# Stage data: what images there are, which shard each belongs to, and what they show.

SOURCE = f"{COMMON}/data/{{source}}.source.json"
MANIFEST = f"{COMMON}/data/{{split}}-{{shard}}.json"
MASKS = f"{COMMON}/data/{{split}}-{{shard}}.masks.json"

# What a person made is found in order before any training, however many cores are idle; a change of
# what a training does not read re-runs it no more.
CHECKED = [] if ZIPPED else [ancient(f) for f in [*both_splits(MANIFEST), *both_splits(MASKS)]]


rule data_generate:
    output:
        archive=f"{COMMON}/data/shapes.zip",
        digest=f"{COMMON}/data/shapes.zip.json",
    log:
        f"{COMMON}/data/logs/generate.log",
    benchmark:
        f"{COMMON}/data/logs/generate.tsv"
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=retried(30),
    params:
        key=key("data_generate"),
    shell:
        'hfpl data generate --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        " --archive {output.archive:q} --digest {output.digest:q}"


# The archive itself is no output: Snakemake would remove a copy that was put there by hand, or one
# of many gigabytes, before it runs the rule again.
rule data_download:
    output:
        SOURCE,
    log:
        f"{COMMON}/data/logs/download-{{source}}.log",
    benchmark:
        f"{COMMON}/data/logs/download-{{source}}.tsv"
    wildcard_constraints:
        source="[a-z0-9_]+",
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=1440,
    params:
        key=key("data_download"),
    shell:
        'hfpl data download --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        ' --downloads "$HFPL_DOWNLOADS" --source {wildcards.source} --record {output:q}'


rule data_convert:
    input:
        expand(SOURCE, source=SOURCES),
    output:
        archive=f"{COMMON}/data/{{format}}.zip",
        digest=f"{COMMON}/data/{{format}}.zip.json",
    log:
        f"{COMMON}/data/logs/convert-{{format}}.log",
    benchmark:
        f"{COMMON}/data/logs/convert-{{format}}.tsv"
    wildcard_constraints:
        format="voc2012|coco2014",
    threads: 1
    resources:
        mem_mb=retried(6000),
        runtime=retried(240),
    params:
        key=key("data_convert"),
    shell:
        'hfpl data convert --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        ' --downloads "$HFPL_DOWNLOADS" --archive {output.archive:q} --digest {output.digest:q}'


# Its files stay where indexing fails, and what was made of them stays valid.
rule data_index:
    input:
        DIGEST,
        images=IMAGE_FILES,
    output:
        train=update(shards(MANIFEST, "train")),
        val=update(shards(MANIFEST, "val")),
    log:
        f"{COMMON}/data/logs/index.log",
    benchmark:
        f"{COMMON}/data/logs/index.tsv"
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=retried(60),
    params:
        key=content_key("data_index", "images"),
    shell:
        'hfpl data index --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + IMAGES
        + " --train-manifests {output.train:q} --val-manifests {output.val:q}"


# Apart from the images: a new mask is scored, and re-runs no training.
rule data_masks:
    input:
        DIGEST,
        images=IMAGE_FILES,
        train=shards(MANIFEST, "train"),
        val=shards(MANIFEST, "val"),
    output:
        train=update(shards(MASKS, "train")),
        val=update(shards(MASKS, "val")),
    log:
        f"{COMMON}/data/logs/masks.log",
    benchmark:
        f"{COMMON}/data/logs/masks.tsv"
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=retried(60),
    params:
        key=content_key("data_masks", "masks"),
    shell:
        'hfpl data masks --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + IMAGES
        + " --train-manifests {input.train:q} --train-masks {output.train:q}"
        " --val-manifests {input.val:q} --val-masks {output.val:q}"
