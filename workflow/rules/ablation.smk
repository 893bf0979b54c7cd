# Stage ablation: variants over several seeds, each compared with its method's own baseline. No part
# of 'all': 'snakemake ablation' compares CAMs, 'snakemake ablation-final' what becomes of them.

from hfpl.jobs.code import code_digest


rule ablation_row:
    input:
        scores=scores_of,
        model=JOBS["cam_train"]["model"].patterns(PARAMS, COMMON),
    output:
        ROW,
    log:
        f"{VARIANT}/evaluate/logs/{{comparison}}-{{digest}}.log",
    wildcard_constraints:
        comparison="|".join(RUNS),
        digest=f"(?!{'|'.join(FINISHED)})[0-9a-f]{{16}}" if FINISHED else "[0-9a-f]{16}",
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        file=SETTINGS["params"],
    shell:
        "hfpl ablation row --params {params.file:q} --variant {wildcards.variant}"
        " --log {log:q}"
        " --digest {wildcards.digest} --scores {input.scores:q} --model {input.model:q}"
        f" --logs {COMMON}/{{wildcards.variant}}/*/logs/*.tsv --row {{output:q}}"


rule ablation_table:
    input:
        lambda wildcards: ablation_rows(wildcards.comparison),
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
        key={
            "code": code_digest("hfpl.cli.ablation"),
            "remark": PARAMS.ablation.remark,
        },
    shell:
        "hfpl ablation table --log {log:q} --rows {input:q} --json {output.json:q}"
        " --remark {params.key[remark]:q} --csv {output.csv:q} --markdown {output.markdown:q} --figure {output.figure:q}"


rule ablation:
    input:
        expand(COMPARED, comparison="ablation", kind=COMPARED_KINDS),


rule:
    name:
        "ablation-final"
    input:
        expand(COMPARED, comparison="ablation-final", kind=COMPARED_KINDS),
