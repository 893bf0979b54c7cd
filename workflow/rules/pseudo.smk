# Stage pseudo: refine the CAMs by a dense CRF at a low and at a high background power.

LOW = f"{VARIANT}/pseudo/{{split}}-{{shard}}.low.zip"
HIGH = f"{VARIANT}/pseudo/{{split}}-{{shard}}.high.zip"


rule pseudo:
    input:
        images=IMAGE_FILES,
        manifest=MANIFEST,
        cams=CAMS,
    output:
        low=LOW,
        high=HIGH,
    log:
        f"{VARIANT}/pseudo/logs/{{split}}-{{shard}}.log",
    benchmark:
        f"{VARIANT}/pseudo/logs/{{split}}-{{shard}}.tsv"
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(240),
    params:
        key=key("pseudo"),
    shell:
        'hfpl pseudo --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + IMAGES
        + " --manifest {input.manifest:q} --cams {input.cams:q}"
        " --low {output.low:q} --high {output.high:q}"
