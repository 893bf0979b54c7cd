# Stage segment: train the segmentation network on the walk's label maps, and test it.

PLAIN = f"{VARIANT}/segment/{{split}}-{{shard}}.plain.zip"
REFINED = f"{VARIANT}/segment/{{split}}-{{shard}}.crf.zip"


rule segment_train:
    input:
        images=IMAGE_FILES,
        manifests=shards(MANIFEST, "train"),
        labels=shards(WALKED, "train"),
        weights=start("segment"),
    output:
        model=f"{VARIANT}/segment/model.safetensors",
        history=f"{VARIANT}/segment/history.csv",
    log:
        f"{VARIANT}/segment/logs/train.log",
    benchmark:
        f"{VARIANT}/segment/logs/train.tsv"
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(1440),
    params:
        key=key("segment_train"),
    shell:
        "python -m hfpl.launcher {resources.gpu} segment train"
        ' --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q} --threads $HFPL_THREADS --workers $HFPL_WORKERS"
        + IMAGES
        + " --manifests {input.manifests:q} --labels {input.labels:q}"
        " --weights {input.weights:q} --model {output.model:q} --history {output.history:q}"


# Of a folder of one's own, masks are wanted for every photograph; else for those that are scored.
TESTED = [] if DATASET.format == "folder" else MASKS


rule segment_test:
    input:
        images=IMAGE_FILES,
        manifest=MANIFEST,
        masks=TESTED,
        model=rules.segment_train.output.model,
    output:
        plain=PLAIN,
        refined=REFINED,
    log:
        f"{VARIANT}/segment/logs/test-{{split}}-{{shard}}.log",
    benchmark:
        f"{VARIANT}/segment/logs/test-{{split}}-{{shard}}.tsv"
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("segment_test"),
    shell:
        "card {wildcards.shard}; "
        'hfpl segment test --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + " --threads {threads} --workers $HFPL_CRF_WORKERS"
        + IMAGES
        + " --manifest {input.manifest:q}"
        " --masks {input.masks:q} --model {input.model:q}"
        " --plain {output.plain:q} --refined {output.refined:q}"
