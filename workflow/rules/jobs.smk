# A rule for every job of the pipeline. What it says, its declaration says (hfpl/stages/*/job.py).

OF_VARIANT = {"variant": "{variant}"}
PAGES = {
    "evaluate_table": {"csv": page("table", "Scores", result="all scores", **OF_VARIANT)},
    "report": {
        "contact_train": page("contact", "Contact sheets", split="train", **OF_VARIANT),
        "contact_val": page("contact", "Contact sheets", split="val", **OF_VARIANT),
        "threshold_curve": page(
            "threshold-curve", "Scores", result="threshold curve of the CAMs", **OF_VARIANT
        ),
        "classes": page("classes", "Scores", result="scores per class", **OF_VARIANT),
        "training": page("training", "Training", result="training curves", **OF_VARIANT),
    },
}

for rule, job in JOBS.items():

    rule:
        name:
            rule
        input:
            **inputs(job),
        output:
            **outputs(job, PAGES.get(rule, {})),
        log:
            f"{place(job)}.log",
        benchmark:
            f"{place(job)}.tsv"
        # Of several runs, one that is nearly done is finished first.
        priority: list(JOBS).index(rule)
        localrule: job.light
        threads: THREADS if job.kind == "training" else 1
        resources:
            **gpus_of(job),
            mem_mb=retried(job.memory),
            runtime=retried(job.minutes),
        params:
            key=key(job),
        shell:
            # Evaluated anew when the job runs: 'rule' is its rule's name then too.
            command(JOBS[rule])
