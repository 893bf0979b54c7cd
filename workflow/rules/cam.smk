# Stage cam: train the CAM network, infer the CAMs of every image.


rule cam_train:
    input:
        **inputs("cam_train"),
    output:
        **outputs("cam_train"),
    log:
        log_of("cam_train"),
    benchmark:
        benchmark_of("cam_train")
    threads: THREADS
    resources:
        **GPUS,
        mem_mb=retried(8000),
        runtime=retried(720),
    params:
        key=key("cam_train"),
    shell:
        command("cam_train")


rule cam_infer:
    input:
        **inputs("cam_infer"),
    output:
        **outputs("cam_infer"),
    log:
        log_of("cam_infer"),
    benchmark:
        benchmark_of("cam_infer")
    threads: 1
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(240),
    params:
        key=key("cam_infer"),
    shell:
        command("cam_infer")
