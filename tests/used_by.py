"""Which jobs use each parameter, by hand, from the method: what the tests that flip them expect.

Nothing here comes from the declarations. A value that changes what a stage computes belongs to the
jobs of that stage that compute with it; what it changes of their results belongs to later stages by
their inputs, not here.
"""

NETWORKS = {"cam_train", "cam_infer", "affinity", "walk", "segment_train", "segment_test",
            "segment_model"}  # fmt: skip
"""Jobs that build a network on the backbone."""
TRAININGS = {"cam_train", "affinity", "segment_train"}
CAM = {"cam_train", "cam_infer"}
USED_BY = {
    # Results carry the data set's name; a table and a picture show it.
    "dataset": {"data_index", "evaluate_table", "report"},
    "shards": {"data_index"},
    "datasets.shapes.format": {"data_archive", "data_index", "data_masks"},
    "datasets.shapes": {"data_archive"},
    # Its name says the method, whose threshold is fixed beforehand.
    "variant": {*CAM, "evaluate_cams"},
    "grid.losses.isl-fsl": {"cam_train"},
    "grid.seed": TRAININGS,
    "grid": set(),
    "variants": set(),
    "network.weights": TRAININGS,
    "network": {"pretrain", *NETWORKS},
    "pretrain": {"pretrain"},
    "cam.methods.seam": CAM,
    "cam.methods": set(),
    "cam.network": CAM,
    # Of methods that the demo does not train.
    "cam.rates": set(),
    "cam.inference": {"cam_infer"},
    # The demo's CAMs stay as they are.
    "cam.calibration": set(),
    "cam": {"cam_train"},
    # A row of scores says what refined them.
    "pseudo.refiner": {"pseudo", "evaluate_masks"},
    "pseudo": {"pseudo"},
    # The walk builds AffinityNet, and what follows the segmentation network builds that.
    "affinity.network": {"affinity", "walk"},
    "segment.network": {"segment_train", "segment_test", "segment_model"},
    "affinity.radius": {"affinity", "walk"},
    "affinity.channels": {"affinity", "walk"},
    "affinity": {"affinity"},
    "walk": {"walk"},
    # A trained network has the width and the dilation of its head, and draws nothing any more.
    "segment.head.channels": {"segment_train", "segment_test", "segment_model"},
    "segment.head.dilation": {"segment_train", "segment_test", "segment_model"},
    "segment.head.skip": {"segment_train", "segment_test", "segment_model"},
    "segment.head": {"segment_train", "segment_model"},
    # The demo's pictures are drawn, and nobody corrects them.
    "segment.corrections": set(),
    "segment.test.refiner": {"segment_test", "segment_model", "evaluate_masks"},
    "segment.test": {"segment_test", "segment_model"},
    "segment": {"segment_train"},
    "evaluate.metrics": {"evaluate_cams", "evaluate_masks", "evaluate_table"},
    # The demo scores all.
    "evaluate.train_shards": set(),
    "evaluate.background_score.seam": {"evaluate_cams"},
    "evaluate.background_score": set(),
    "report": {"report"},
    "ablation": set(),
}
"""Jobs that use a key, of ``seam-isl-fsl`` on ``shapes``; the longest prefix counts."""


def expected(key: str) -> set[str]:
    """Jobs that use a key."""
    prefix = max((p for p in USED_BY if f"{key}.".startswith(f"{p}.")), key=len)
    return USED_BY[prefix]
