# Stage cam: train the CAM network, infer the CAMs of every image.

CAMS = f"{VARIANT}/cam/{{split}}-{{shard}}.zip"


rule cam_train:
    input:
        images=IMAGE_FILES,
        manifests=shards(MANIFEST, "train"),
        weights=start("cam"),
        checked=CHECKED,
    output:
        model=f"{VARIANT}/cam/model.safetensors",
        history=f"{VARIANT}/cam/history.csv",
    log:
        f"{VARIANT}/cam/logs/train.log",
    benchmark:
        f"{VARIANT}/cam/logs/train.tsv"
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(720),
    params:
        key=key("cam_train"),
    shell:
        "python -m hfpl.launcher {resources.gpu} cam train"
        ' --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q} --threads $HFPL_THREADS --workers $HFPL_WORKERS"
        + IMAGES
        + " --manifests {input.manifests:q} --weights {input.weights:q}"
        " --model {output.model:q} --history {output.history:q}"


rule cam_infer:
    input:
        images=IMAGE_FILES,
        manifest=MANIFEST,
        model=rules.cam_train.output.model,
    output:
        CAMS,
    log:
        f"{VARIANT}/cam/logs/infer-{{split}}-{{shard}}.log",
    benchmark:
        f"{VARIANT}/cam/logs/infer-{{split}}-{{shard}}.tsv"
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("cam_infer"),
    shell:
        "card {wildcards.shard}; "
        'hfpl cam infer --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q} --threads {threads}"
        + IMAGES
        + " --manifest {input.manifest:q} --model {input.model:q}"
        " --cams {output:q}"
