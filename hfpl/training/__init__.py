"""What the training stages share: parameter groups, order of the samples, loop, checkpoints."""
