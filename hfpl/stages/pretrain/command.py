"""``hfpl pretrain``: train a backbone to classify generated pictures."""

import argparse

from hfpl.options import add_file, add_params, add_runtime, job_digest, read_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl pretrain``."""
    add_params(parser, "pretrain")
    add_runtime(parser)
    add_file(parser, "weights", "backbone weights to write (.safetensors)")
    add_file(parser, "history", "losses to write (.csv)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.pretrain.train import pretrain_backbone
    from hfpl.training.stage import TrainingFiles

    params = read_params(args)
    runtime = set_up(args.device, args.threads, args.workers)
    classifier = args.weights.with_suffix(".classifier")
    files = TrainingFiles(classifier, args.history, job_digest(args, params))
    pretrain_backbone(params.pretrain, params.network, args.weights, files, runtime)
    return f"{params.pretrain.epochs} epochs over {params.pretrain.images} pictures"
