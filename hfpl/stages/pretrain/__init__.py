"""Stage pretrain: a stand-in for ImageNet where no weights are at hand."""
