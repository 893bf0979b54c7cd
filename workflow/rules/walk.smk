# Stage walk: label maps by a random walk of the CAMs over the learned affinities.

WALKED = f"{VARIANT}/walk/{{split}}-{{shard}}.zip"


rule walk:
    input:
        images=IMAGE_FILES,
        manifest=MANIFEST,
        cams=CAMS,
        model=rules.affinity.output.model,
    output:
        WALKED,
    log:
        f"{VARIANT}/walk/logs/{{split}}-{{shard}}.log",
    benchmark:
        f"{VARIANT}/walk/logs/{{split}}-{{shard}}.tsv"
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("walk"),
    shell:
        "card {wildcards.shard}; "
        'hfpl walk --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + " --threads {threads}"
        + IMAGES
        + " --manifest {input.manifest:q}"
        " --cams {input.cams:q} --model {input.model:q} --labels {output:q}"
