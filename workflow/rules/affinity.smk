# Stage affinity: learn which neighbouring cells belong to the same class.


rule affinity:
    input:
        images=IMAGE_FILES,
        manifests=shards(MANIFEST, "train"),
        low=shards(LOW, "train"),
        high=shards(HIGH, "train"),
        weights=start("affinity"),
    output:
        model=f"{VARIANT}/affinity/model.safetensors",
        history=f"{VARIANT}/affinity/history.csv",
    log:
        f"{VARIANT}/affinity/logs/train.log",
    benchmark:
        f"{VARIANT}/affinity/logs/train.tsv"
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(720),
    params:
        key=key("affinity"),
    shell:
        "python -m hfpl.launcher {resources.gpu} affinity"
        ' --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q} --threads $HFPL_THREADS --workers $HFPL_WORKERS"
        + IMAGES
        + " --manifests {input.manifests:q} --low {input.low:q}"
        " --high {input.high:q} --weights {input.weights:q}"
        " --model {output.model:q} --history {output.history:q}"
