# Stage data: what images there are, which shard each belongs to, and what they show.

MANIFEST = f"{COMMON}/data/{{split}}-{{shard}}.json"
MASKS = f"{COMMON}/data/{{split}}-{{shard}}.masks.json"


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
        'hfpl data generate --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
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
        'hfpl data index --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        ' --images "$HFPL_IMAGES"'
        " --train-manifests {output.train:q} --train-masks {output.train_masks:q}"
        " --val-manifests {output.val:q} --val-masks {output.val_masks:q}"
