# Stage segment: train the segmentation network on the walk's label maps, and test it.


rule segment_train:
    input:
        **inputs("segment_train"),
    output:
        **outputs("segment_train"),
    log:
        log_of("segment_train"),
    benchmark:
        benchmark_of("segment_train")
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(1440),
    params:
        key=key("segment_train"),
    shell:
        command("segment_train")


rule segment_test:
    input:
        **inputs("segment_test"),
    output:
        **outputs("segment_test"),
    log:
        log_of("segment_test"),
    benchmark:
        benchmark_of("segment_test")
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("segment_test"),
    shell:
        command("segment_test")


rule segment_model:
    input:
        **inputs("segment_model"),
    output:
        **outputs("segment_model"),
    log:
        log_of("segment_model"),
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        key=key("segment_model"),
    shell:
        command("segment_model")
