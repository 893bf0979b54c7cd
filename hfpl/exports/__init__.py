"""Results as other tools read them: masks, COCO, YOLO, Label Studio, CVAT."""
