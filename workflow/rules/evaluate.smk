# Stage evaluate: score the results of every stage on train and val, and join the scores.

# Results that are label maps, or scores whose largest wins: file pattern, stage and
# post-processing as the table names them, further options.
SCORED = {
    "pseudo-low": (LOW, "pseudo", "CRF at alpha_low", "--scores"),
    "pseudo-high": (HIGH, "pseudo", "CRF at alpha_high", "--scores"),
    "walk": (WALKED, "walk", "none", ""),
    "segment-plain": (PLAIN, "segment", "none", ""),
    "segment-crf": (REFINED, "segment", "CRF", ""),
}
SCORES = f"{VARIANT}/evaluate/{{scored}}.json"

TRUTH = {
    "images": IMAGE_FILES,
    "train": shards(MANIFEST, "train"),
    "train_masks": shards(MASKS, "train"),
    "val": shards(MANIFEST, "val"),
    "val_masks": shards(MASKS, "val"),
}
TRUTH_OPTIONS = (
    " --train-manifests {input.train:q} --train-masks {input.train_masks:q}"
    " --val-manifests {input.val:q} --val-masks {input.val_masks:q}"
)
TRUTH_OPTIONS += IMAGES


rule evaluate_cams:
    input:
        **TRUTH,
        results=both_splits(CAMS),
    output:
        f"{VARIANT}/evaluate/cam.json",
    log:
        f"{VARIANT}/evaluate/logs/cam.log",
    benchmark:
        f"{VARIANT}/evaluate/logs/cam.tsv"
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(120),
    params:
        key=key("evaluate_cam"),
    shell:
        'hfpl evaluate cams --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q}"
        + TRUTH_OPTIONS
        + " --results {input.results:q} --out {output:q}"


rule evaluate_masks:
    input:
        **TRUTH,
        results=lambda wildcards: both_splits(SCORED[wildcards.scored][0]),
    output:
        SCORES,
    log:
        f"{VARIANT}/evaluate/logs/{{scored}}.log",
    benchmark:
        f"{VARIANT}/evaluate/logs/{{scored}}.tsv"
    wildcard_constraints:
        scored="|".join(SCORED),
    threads: 1
    resources:
        mem_mb=retried(2000),
        runtime=retried(120),
    params:
        key=key("evaluate_masks"),
        named=lambda wildcards: SCORED[wildcards.scored][1:],
    shell:
        'hfpl evaluate masks --params "$HFPL_PARAMS" --expect {params.key[digest]} --log {log:q}'
        + TRUTH_OPTIONS
        + " --results {input.results:q} --out {output:q}"
        " --stage {params.named[0]:q} --post-processing {params.named[1]:q} {params.named[2]}"


rule evaluate:
    input:
        rules.evaluate_cams.output,
        expand(SCORES, scored=SCORED, allow_missing=True),
    output:
        csv=report(
            f"{VARIANT}/evaluate/table.csv",
            caption="../report/table.rst",
            category="Scores",
            labels={"result": "all scores", "variant": "{variant}"},
        ),
        json=f"{VARIANT}/evaluate/table.json",
        metrics=f"{VARIANT}/evaluate/metrics.json",
    log:
        f"{VARIANT}/evaluate/logs/table.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        key=key("evaluate"),
    shell:
        'hfpl evaluate table --params "$HFPL_PARAMS" --variant {wildcards.variant}'
        " --expect {params.key[digest]} --log {log:q}"
        " --parts {input:q} --json {output.json:q} --csv {output.csv:q} --metrics {output.metrics:q}"
