"""Stage segment: the segmentation network, trained on the walk's labels and tested."""
