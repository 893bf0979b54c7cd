"""Training on masks that a person has put right, in place of label maps."""

import numpy as np
import pytest
import torch

from hfpl.images.palette import encode_mask
from hfpl.jobs.runtime import set_up
from hfpl.jobs.settings import Settings
from hfpl.pipeline import JOBS
from hfpl.stages.segment.train import pixel_loss, train_segment
from hfpl.storage.manifest import MaskRecord, read_manifests, write_masks
from hfpl.storage.shards import write_shard
from tests.segment.test_train import folder, params  # noqa: F401


def test_a_corrected_mask_takes_the_place_of_a_label_map_and_weighs_as_it_should(
    params,  # noqa: F811
    folder,  # noqa: F811
    tmp_path,
):
    """As if the label maps had been the corrected masks; and by its weight, nearer to these."""
    manifest = read_manifests([folder / "train-0.json"])
    flat = {i.id: np.full((i.height, i.width), 1, np.uint8) for i in manifest.images}
    for name, mask in flat.items():
        (tmp_path / f"{name}.mask.png").write_bytes(encode_mask(mask))
    records = [MaskRecord(name, f"{name}.mask.png", "") for name in flat]
    for record in records:
        (folder / record.file).write_bytes((tmp_path / record.file).read_bytes())
    write_masks(tmp_path / "all.json", records)
    write_masks(tmp_path / "one.json", records[:1])
    write_masks(tmp_path / "none.json", [])
    with write_shard(tmp_path / "flat.zip") as shard:
        for name, mask in flat.items():
            shard.add_mask(name, mask)

    def trained(out, corrections, weight=1.0, labels="labels.zip"):
        place = params.segment.corrections.model_copy(update={"weight": weight})
        changed = params.model_copy(
            update={"segment": params.segment.model_copy(
                update={"iterations": 4, "corrections": place})}
        )  # fmt: skip
        settings = JOBS["segment_train"].settings(changed)._values
        settings = Settings({**settings, "segment.corrections.weight": weight}, "segment_train")
        (tmp_path / out).mkdir()
        shards = tmp_path / labels if labels != "labels.zip" else folder / labels
        train_segment(
            settings,
            set_up("cpu", 1),
            images=folder,
            manifests=[folder / "train-0.json"],
            labels=[shards],
            corrections=[tmp_path / corrections] if corrections else [],
            weights=None,
            network=tmp_path / out / "network.safetensors",
            history=tmp_path / out / "history.csv",
            digest="digest",
        )
        lines = (tmp_path / out / "history.csv").read_text().splitlines()[1:]
        return [float(line.split(",")[1]) for line in lines]

    plain = trained("plain", None)
    assert trained("none", "none.json") == plain
    replaced = trained("replaced", "all.json")
    assert replaced == pytest.approx(trained("flat", None, labels="flat.zip"), rel=1e-4)
    assert replaced != pytest.approx(plain, rel=1e-3)
    # What all have in common makes no difference; what one alone has does.
    assert trained("heavy", "all.json", weight=7.0) == pytest.approx(replaced, rel=1e-4)
    assert trained("one", "one.json") != pytest.approx(
        trained("one heavy", "one.json", weight=7.0), rel=1e-4
    )


def test_the_loss_is_a_weighted_mean_over_pixels():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(3, 4, 5, 6)).astype(np.float32))
    masks = rng.integers(0, 4, (3, 5, 6)).astype(np.uint8)
    masks[1, :2] = 255
    weights = [1.0, 3.0, 0.5]
    total = count = 0.0
    for n in range(3):
        for y in range(5):
            for x in range(6):
                if masks[n, y, x] != 255:
                    column = logits[n, :, y, x].numpy().astype(np.float64)
                    log_sum = np.log(np.exp(column).sum())
                    total += weights[n] * (log_sum - column[masks[n, y, x]])
                    count += weights[n]
    found = pixel_loss(logits, torch.from_numpy(masks), torch.tensor(weights))
    assert found.item() == pytest.approx(total / count, rel=1e-5)
    same = pixel_loss(logits, torch.from_numpy(masks), torch.ones(3))
    assert same.item() == pytest.approx(pixel_loss(logits, torch.from_numpy(masks)).item())
