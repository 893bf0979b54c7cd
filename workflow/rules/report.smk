# Stage report: pictures of a run's results; 'snakemake --report' binds them into one HTML file.

# The trainings' losses; the backbone is trained only where its weights are made here.
HISTORIES = {
    "pretrain_history": (rules.pretrain.output.history if PRETRAINED in STARTS else []),
    "cam_history": rules.cam_train.output.history,
    "affinity_history": rules.affinity.output.history,
    "segment_history": rules.segment_train.output.history,
}


rule report:
    input:
        **TRUTH,
        **HISTORIES,
        cams=both_splits(CAMS),
        labels=both_splits(WALKED),
        predictions=both_splits(REFINED),
        cam_scores=rules.evaluate_cams.output,
        table=rules.evaluate.output.json,
    output:
        contact_train=report(
            f"{VARIANT}/report/contact-train.png",
            caption="../report/contact.rst",
            category="Contact sheets",
            labels={"split": "train", "variant": "{variant}"},
        ),
        contact_val=report(
            f"{VARIANT}/report/contact-val.png",
            caption="../report/contact.rst",
            category="Contact sheets",
            labels={"split": "val", "variant": "{variant}"},
        ),
        threshold_curve=report(
            f"{VARIANT}/report/threshold-curve.png",
            caption="../report/threshold-curve.rst",
            category="Scores",
            labels={"result": "threshold curve of the CAMs", "variant": "{variant}"},
        ),
        classes=report(
            f"{VARIANT}/report/classes.png",
            caption="../report/classes.rst",
            category="Scores",
            labels={"result": "scores per class", "variant": "{variant}"},
        ),
        training=report(
            f"{VARIANT}/report/training.png",
            caption="../report/training.rst",
            category="Training",
            labels={"result": "training curves", "variant": "{variant}"},
        ),
    log:
        f"{VARIANT}/report/logs/report.log",
    benchmark:
        f"{VARIANT}/report/logs/report.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=retried(1000),
        runtime=30,
    params:
        key=key("report"),
    shell:
        'hfpl report --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q}"
        + TRUTH_OPTIONS
        + " --cams {input.cams:q} --labels {input.labels:q} --predictions {input.predictions:q}"
        " --cam-scores {input.cam_scores:q} --table {input.table:q}"
        " --pretrain-history {input.pretrain_history:q} --cam-history {input.cam_history:q}"
        " --affinity-history {input.affinity_history:q}"
        " --segment-history {input.segment_history:q}"
        " --contact-train {output.contact_train:q} --contact-val {output.contact_val:q}"
        " --threshold-curve {output.threshold_curve:q} --classes {output.classes:q}"
        " --training {output.training:q}"


REPORT_PICTURES = expand(
    f"{RUN}/report/{{picture}}.png",
    picture=["contact-train", "contact-val", "threshold-curve", "classes", "training"],
)
