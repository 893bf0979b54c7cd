# Stage data: what images there are, which shard each belongs to, and what they show.


# The archive itself is no output: Snakemake would remove a copy that was put there by hand, or one
# of many gigabytes, before it runs the rule again.
rule data_download:
    input:
        **inputs("data_download"),
    output:
        **outputs("data_download"),
    log:
        log_of("data_download"),
    benchmark:
        benchmark_of("data_download")
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
        command("data_download")


rule data_archive:
    input:
        **inputs("data_archive"),
    output:
        **outputs("data_archive"),
    log:
        log_of("data_archive"),
    benchmark:
        benchmark_of("data_archive")
    threads: 1
    resources:
        mem_mb=retried(6000),
        runtime=retried(240),
    params:
        key=key("data_archive"),
    shell:
        command("data_archive")


# Its files stay where indexing fails, and what was made of them stays valid.
rule data_index:
    input:
        **inputs("data_index"),
    output:
        **outputs("data_index", train_manifests=update, val_manifests=update),
    log:
        log_of("data_index"),
    benchmark:
        benchmark_of("data_index")
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=retried(60),
    params:
        key=key("data_index", "images"),
    shell:
        command("data_index")


# Apart from the images: a new mask is scored, and re-runs no training.
rule data_masks:
    input:
        **inputs("data_masks"),
    output:
        **outputs("data_masks", train_masks=update, val_masks=update),
    log:
        log_of("data_masks"),
    benchmark:
        benchmark_of("data_masks")
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=retried(60),
    params:
        key=key("data_masks", "masks"),
    shell:
        command("data_masks")
