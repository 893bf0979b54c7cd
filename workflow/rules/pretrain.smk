# Stage pretrain: a stand-in for ImageNet. Runs only where network.weights is 'pretrain'.

TRAINED = ("cam", "affinity", "segment")
STARTS = {file for stage in TRAINED for file in start(stage)}
LOST = sorted(f for f in STARTS if f != PRETRAINED and not Path(f).is_file())

# A plan can be made without the files; see onstart in the Snakefile.
if LOST:

    rule weights_missing:
        output:
            LOST,
        localrule: True
        run:
            raise WorkflowError(*(missing_file(Path(file)) for file in LOST))


rule pretrain:
    input:
        CHECKED,
    output:
        weights=PRETRAINED,
        history=f"{COMMON}/pretrain/history.csv",
    log:
        f"{COMMON}/pretrain/logs/pretrain.log",
    benchmark:
        f"{COMMON}/pretrain/logs/pretrain.tsv"
    threads: THREADS
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(60),
    params:
        key=key("pretrain"),
    shell:
        'hfpl pretrain --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        " --threads $HFPL_THREADS --workers $HFPL_WORKERS"
        " --weights {output.weights:q} --history {output.history:q}"
