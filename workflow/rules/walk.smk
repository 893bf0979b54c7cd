# Stage walk: label maps by a random walk of the CAMs over the learned affinities.


rule walk:
    input:
        **inputs("walk"),
    output:
        **outputs("walk"),
    log:
        log_of("walk"),
    benchmark:
        benchmark_of("walk")
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("walk"),
    shell:
        command("walk")
