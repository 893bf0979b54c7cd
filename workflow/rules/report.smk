# Stage report: pictures of a run's results; 'snakemake --report' binds them into one HTML file.


rule report:
    input:
        **inputs("report"),
    output:
        **outputs(
            "report",
            contact_train=report_page(
                "contact", "Contact sheets", split="train", variant="{variant}"
            ),
            contact_val=report_page("contact", "Contact sheets", split="val", variant="{variant}"),
            threshold_curve=report_page(
                "threshold-curve",
                "Scores",
                result="threshold curve of the CAMs",
                variant="{variant}",
            ),
            classes=report_page(
                "classes", "Scores", result="scores per class", variant="{variant}"
            ),
            training=report_page(
                "training", "Training", result="training curves", variant="{variant}"
            ),
        ),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    localrule: True
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=30,
    params:
        key=key("report"),
    shell:
        command("report")
