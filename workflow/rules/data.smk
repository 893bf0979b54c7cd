# Stage data: what images there are, which shard each belongs to, and what they show.

SOURCE = f"{COMMON}/data/{{source}}.source.json"
MANIFEST = f"{COMMON}/data/{{split}}-{{shard}}.json"
MASKS = f"{COMMON}/data/{{split}}-{{shard}}.masks.json"


rule data_generate:
    output:
        f"{COMMON}/data/shapes.zip",
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
        'hfpl data generate --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        " --archive {output:q}"


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
        f"{COMMON}/data/{{format}}.zip",
    log:
        f"{COMMON}/data/logs/convert-{{format}}.log",
    benchmark:
        f"{COMMON}/data/logs/convert-{{format}}.tsv"
    wildcard_constraints:
        format="voc2012|coco2014",
    threads: 1
    resources:
        mem_mb=retried(6000),
        runtime=240,
    params:
        key=key("data_convert"),
    shell:
        'hfpl data convert --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        ' --downloads "$HFPL_DOWNLOADS" --archive {output:q}'


rule data_index:
    input:
        ARCHIVE if ZIPPED else [],
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
        'hfpl data index --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        ' --images "$HFPL_IMAGES"'
        " --train-manifests {output.train:q} --train-masks {output.train_masks:q}"
        " --val-manifests {output.val:q} --val-masks {output.val_masks:q}"
