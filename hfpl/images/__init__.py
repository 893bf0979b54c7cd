"""Images and label maps: manifests, reading, palette, augmentation."""
