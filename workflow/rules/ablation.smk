# Stage ablation: variants over several seeds, each compared with its method's own baseline. No part
# of 'all': 'snakemake ablation' compares CAMs, 'snakemake ablation-final' what becomes of them.


rule ablation_row:
    input:
        scores=scores_of,
        model=model_of,
    output:
        ROW,
    log:
        f"{VARIANT}/evaluate/logs/{{comparison}}-{{key}}.log",
    wildcard_constraints:
        comparison="|".join(RUNS),
        key="[0-9a-f]{16}",
    priority: len(JOBS)
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        params=CONFIG.params,
        rows=f"{ROWS}/{{comparison}}.csv",
        folder=f"{COMMON}/{{variant}}",
    shell:
        "hfpl ablation row --params {params.params:q} --variant {wildcards.variant} --log {log:q}"
        " --key {wildcards.key} --scores {input.scores:q} --model {input.model:q}"
        " --run {params.folder:q} --rows {params.rows:q} --row {output:q}"


rule ablation_table:
    input:
        rows_made_here,
    output:
        json=COMPARED.format(comparison="{comparison}", kind="table.json"),
        csv=report(
            COMPARED.format(comparison="{comparison}", kind="table.csv"),
            caption="../report/ablation.rst",
            category="Comparison",
            labels={"result": "means and differences", "comparison": "{comparison}"},
        ),
        markdown=COMPARED.format(comparison="{comparison}", kind="table.md"),
        figure=report(
            COMPARED.format(comparison="{comparison}", kind="comparison.png"),
            caption="../report/ablation.rst",
            category="Comparison",
            labels={"result": "figure", "comparison": "{comparison}"},
        ),
    log:
        COMPARED.format(comparison="{comparison}", kind="logs/table.log"),
    wildcard_constraints:
        comparison="|".join(RUNS),
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        files=ROW_FILES,
        key=lambda wildcards: {
            "remark": PARAMS.ablation.remark,
            "runs": " ".join(ablation_keys(wildcards.comparison).values()),
        },
    shell:
        "hfpl ablation table --log {log:q} --rows {params.files:q} --keys {params.key[runs]}"
        " --json {output.json:q} --remark={params.key[remark]:q} --csv {output.csv:q}"
        " --markdown {output.markdown:q} --figure {output.figure:q}"


rule ablation:
    input:
        expand(COMPARED, comparison="ablation", kind=COMPARED_KINDS),


rule:
    name:
        "ablation-final"
    input:
        expand(COMPARED, comparison="ablation-final", kind=COMPARED_KINDS),
