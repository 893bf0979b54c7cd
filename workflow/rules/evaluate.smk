# Stage evaluate: score the results of every stage on train and val, and join the scores.

from hfpl.stages.evaluate.job import SCORED


rule evaluate_cams:
    input:
        **inputs("evaluate_cams"),
    output:
        **outputs("evaluate_cams"),
    log:
        log_of("evaluate_cams"),
    benchmark:
        benchmark_of("evaluate_cams")
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(120),
    params:
        key=key("evaluate_cams"),
    shell:
        command("evaluate_cams")


rule evaluate_masks:
    input:
        **inputs("evaluate_masks"),
    output:
        **outputs("evaluate_masks"),
    log:
        log_of("evaluate_masks"),
    benchmark:
        benchmark_of("evaluate_masks")
    wildcard_constraints:
        scored="|".join(SCORED),
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(120),
    params:
        key=key("evaluate_masks"),
    shell:
        command("evaluate_masks")


rule evaluate_table:
    input:
        **inputs("evaluate_table"),
    output:
        **outputs(
            "evaluate_table",
            csv=report_page("table", "Scores", result="all scores", variant="{variant}"),
        ),
    log:
        log_of("evaluate_table"),
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        key=key("evaluate_table"),
    shell:
        command("evaluate_table")
