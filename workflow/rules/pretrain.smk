# Stage pretrain: a stand-in for ImageNet. Runs only where network.weights is 'pretrain'.

from hfpl.networks.weights.published import missing_file
from hfpl.stages.pretrain.job import lost_weights

# A plan can be made without the files; see onstart in the Snakefile.
LOST = lost_weights(PARAMS)
if LOST:

    rule weights_missing:
        output:
            LOST,
        localrule: True
        run:
            raise WorkflowError(*(missing_file(Path(file)) for file in LOST))


rule pretrain:
    input:
        **inputs("pretrain"),
    output:
        **outputs("pretrain"),
    log:
        log_of("pretrain"),
    benchmark:
        benchmark_of("pretrain")
    threads: THREADS
    resources:
        **GPU,
        mem_mb=retried(4000),
        runtime=retried(60),
    params:
        key=key("pretrain"),
    shell:
        command("pretrain")
