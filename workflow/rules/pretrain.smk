# Stage pretrain: a stand-in for ImageNet. Runs only where network.weights is 'pretrain'.

PRETRAINED = f"{COMMON}/pretrain/backbone.safetensors"

# What every training starts from: made here, a file, or nothing.
WEIGHTS = {"pretrain": [PRETRAINED], "none": []}.get(
    PARAMS.network.weights, [PARAMS.network.weights]
)


rule pretrain:
    output:
        weights=PRETRAINED,
        history=f"{COMMON}/pretrain/history.csv",
    log:
        f"{COMMON}/pretrain/logs/pretrain.log",
    benchmark:
        f"{COMMON}/pretrain/logs/pretrain.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=retried(4000),
        runtime=retried(60),
    params:
        key=key("pretrain"),
    shell:
        'hfpl pretrain --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        " --threads $HFPL_THREADS --workers $HFPL_WORKERS"
        " --weights {output.weights:q} --history {output.history:q}"
