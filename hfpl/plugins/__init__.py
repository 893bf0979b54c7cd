"""What may be added as a file: CAM methods, backbones and more."""
