# Stage pseudo: refine the CAMs at a low and at a high background power.


rule pseudo:
    input:
        **inputs("pseudo"),
    output:
        **outputs("pseudo"),
    log:
        log_of("pseudo"),
    benchmark:
        benchmark_of("pseudo")
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(240),
    params:
        key=key("pseudo"),
    shell:
        command("pseudo")
