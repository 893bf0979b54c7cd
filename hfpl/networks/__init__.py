"""Networks: backbones, and the heads of the affinity and the segmentation network."""
