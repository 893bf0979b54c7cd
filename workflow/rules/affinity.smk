# Stage affinity: learn which neighbouring cells belong to the same class.


rule affinity:
    input:
        **inputs("affinity"),
    output:
        **outputs("affinity"),
    log:
        log_of("affinity"),
    benchmark:
        benchmark_of("affinity")
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(720),
    params:
        key=key("affinity"),
    shell:
        command("affinity")
