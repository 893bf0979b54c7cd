"""Training of the CAM network: its samples pixel by pixel, and small trainings as a whole."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

import hfpl.stages.cam.train as cam_train
from hfpl.images.normalise import IMAGENET
from hfpl.jobs.runtime import set_up
from hfpl.numerics import Runtime
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.sections.training import ColourJitter
from hfpl.stages.cam.addon import total_loss
from hfpl.stages.cam.params import Augmentation, Variant
from hfpl.stages.cam.train import CamSamples, train_cam
from hfpl.storage.manifest import ImageRecord, Manifest, read_manifests, write_manifest
from hfpl.storage.reading import ImageRoot
from hfpl.storage.tensors import load_tensors
from hfpl.training import loop
from hfpl.training.samples import load_batches

STILL = ColourJitter(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
CROP = 32


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_images(folder, images: dict[str, tuple[np.ndarray, tuple[int, ...]]]):
    """Images as PNGs and their manifest; the manifest's path."""
    records = []
    for name, (pixels, tags) in images.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
        height, width = pixels.shape[:2]
        records.append(ImageRecord(name, f"{name}.png", height, width, tags, ""))
    manifest = folder / "train-0.json"
    write_manifest(manifest, Manifest("test", "train", ("a", "b", "c"), tuple(records)))
    return manifest


def make_samples(folder, pixels, resize, jitter=STILL, tags=(0, 2)) -> CamSamples:
    manifest = write_images(folder, {"one": (pixels, tags)})
    settings = Augmentation(crop=CROP, resize=resize, jitter=jitter)
    return CamSamples(read_manifests([manifest]), ImageRoot(folder), settings, IMAGENET)


def colours(sample: torch.Tensor) -> np.ndarray:
    """Colours in [0, 255] of a normalised image, (h, w, 3), rounded."""
    image = sample.numpy().transpose(1, 2, 0) * np.array(IMAGENET.std) + np.array(IMAGENET.mean)
    return np.rint(image * 255).astype(int)


def places(outer: np.ndarray, inner: np.ndarray) -> list[tuple[int, int]]:
    """Where an array lies in a larger one."""
    rows, columns = inner.shape[:2]
    return [
        (y, x)
        for y in range(outer.shape[0] - rows + 1)
        for x in range(outer.shape[1] - columns + 1)
        if np.array_equal(outer[y : y + rows, x : x + columns], inner)
    ]


def test_an_image_that_fits_lies_whole_at_a_random_place_on_zeros(tmp_path):
    samples = make_samples(tmp_path, noise(20, 50, 0), [1.0, 1.0])
    whole = Image.open(tmp_path / "one.png").resize((32, 13), Image.Resampling.BICUBIC)
    plain = np.asarray(whole).astype(int)
    seen = set()
    for seed in range(40):
        image, _ = samples.sample(0, np.random.default_rng(seed))
        assert image.dtype == torch.float32
        assert image.shape == (3, CROP, CROP)
        covered = (image != 0).any(0).numpy()
        top = int(covered.any(1).argmax())
        inside = colours(image)[top : top + 13]
        mirrored = not np.array_equal(inside, plain)
        np.testing.assert_array_equal(inside, plain[:, ::-1] if mirrored else plain)
        # Outside of it the normalised image is exactly zero.
        assert not covered[:top].any()
        assert not covered[top + 13 :].any()
        seen.add((top, mirrored))
    assert {mirrored for _, mirrored in seen} == {False, True}
    assert len({top for top, _ in seen}) > 10


def test_a_larger_image_is_cropped_at_a_random_place(tmp_path):
    samples = make_samples(tmp_path, noise(40, 60, 1), [1.5, 1.5])
    whole = Image.open(tmp_path / "one.png").resize((48, 32), Image.Resampling.BICUBIC)
    plain = np.asarray(whole).astype(int)
    seen = set()
    for seed in range(40):
        found = colours(samples.sample(0, np.random.default_rng(seed))[0])
        where = [(0, place) for place in places(plain, found)]
        where += [(1, place) for place in places(plain[:, ::-1], found)]
        assert len(where) == 1
        seen.add(where[0])
    assert {mirrored for mirrored, _ in seen} == {0, 1}
    assert len({x for _, (_, x) in seen}) > 8


def test_the_long_side_takes_every_whole_length_of_its_range(tmp_path):
    # A white image: the number of rows that are not padding is its height.
    samples = make_samples(tmp_path, np.full((60, 15, 3), 255, np.uint8), [0.5, 0.75])
    lengths = set()
    for seed in range(150):
        image, _ = samples.sample(0, np.random.default_rng(seed))
        covered = (image != 0).any(0)
        length, width = int(covered.any(1).sum()), int(covered.any(0).sum())
        assert width == round(length / 4)
        lengths.add(length)
    assert lengths == set(range(16, 25))


def test_the_label_holds_the_tags(tmp_path):
    samples = make_samples(tmp_path, noise(8, 8, 0), [1.0, 1.0])
    _, label = samples.sample(0, np.random.default_rng(0))
    assert label.dtype == torch.float32
    assert label.tolist() == [1, 0, 1]
    untagged = make_samples(tmp_path, noise(8, 8, 0), [1.0, 1.0], tags=())
    assert untagged.sample(0, np.random.default_rng(0))[1].tolist() == [0, 0, 0]


def test_a_sample_depends_on_its_generator_alone(tmp_path):
    jitter = ColourJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    samples = make_samples(tmp_path, noise(30, 30, 3), [1.0, 1.5], jitter)
    one, again, other = (samples.sample(0, np.random.default_rng(seed))[0] for seed in (4, 4, 5))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("changed", "statistic"),
    [
        ({"brightness": 0.3}, lambda c: c.mean()),
        ({"contrast": 0.3}, lambda c: c.std()),
        ({"saturation": 0.3}, lambda c: (c.max(2) - c.min(2)).mean()),
        ({"hue": 0.1}, lambda c: c.argmax(2).mean()),
    ],
)
def test_each_kind_of_jitter_changes_its_own_property(tmp_path, changed, statistic):
    jitter = ColourJitter(**{**STILL.model_dump(), **changed})
    # Muted colours, so that nothing clips.
    pixels = (noise(32, 32, 5) // 4 + 90).astype(np.uint8)
    samples = make_samples(tmp_path, pixels, [1.0, 1.0], jitter)
    values = [
        statistic(colours(samples.sample(0, np.random.default_rng(seed))[0])) for seed in range(12)
    ]
    still = statistic(pixels.astype(int))
    assert min(values) < still < max(values)


def test_workers_read_a_zip_that_the_main_process_has_opened(tmp_path):
    """Forked processes share an open file's position: each must open the zip itself."""
    images = {f"image{i}": (noise(120 + i, 130 - i, i), (0,)) for i in range(12)}
    manifest = write_images(tmp_path, images)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in images:
            archive.write(tmp_path / f"{name}.png", f"{name}.png")
    settings = Augmentation(crop=64, resize=[1.0, 1.0], jitter=STILL)
    root = ImageRoot(tmp_path / "images.zip")
    samples = CamSamples(read_manifests([manifest]), root, settings, IMAGENET)
    samples.sample(0, np.random.default_rng(0))

    def load(workers):
        runtime = Runtime(torch.device("cpu"), workers)
        return list(load_batches(samples, 4, 0, 60, 0, runtime))

    for one, other in zip(load(0), load(2), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    tags = [(0,), (0, 1), (2,), (1, 2), (), (0, 2)]
    write_images(
        folder,
        {
            f"image{i}": (noise(int(rng.integers(20, 60)), int(rng.integers(20, 60)), i), tag)
            for i, tag in enumerate(tags)
        },
    )
    return folder


def train(params, folder, out, seed=0, workers=0, start=0.0, of_cam=None, **changes):
    """Train with a variant's changes; rows of the history, and the tensors."""
    variant = Variant(**{"method": "seam", "isl": "none", "fsl": False, "seed": seed, **changes})
    isl = params.cam.isl.model_copy(update={"start": start})
    cam = params.cam.model_copy(update={"epochs": 3, "isl": isl, **(of_cam or {})})
    own = {"cam": cam, "variants": {"own": variant}, "variant": "own"}
    model, history = out / "model.safetensors", out / "history.csv"
    train_cam(
        JOBS["cam_train"].settings(params.model_copy(update=own)),
        set_up("cpu", 1, workers),
        images=folder,
        manifests=[folder / "train-0.json"],
        weights=None,
        model=model,
        history=history,
        digest="digest",
    )
    return history.read_text().splitlines(), model.read_bytes()


@pytest.fixture(scope="module")
def plain_run(params, folder, tmp_path_factory):
    return train(params, folder, tmp_path_factory.mktemp("plain"))


METHOD_TERMS = ["cls_1", "cls_2", "rvmin_1", "rvmin_2", "er", "ecr"]


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({"isl": "binomial"}, ["isl_cls_1"]),
        ({"isl": "multinomial"}, ["isl_cls_1", "isl_cls_2"]),
        ({"fsl": True}, ["fsl"]),
        ({"isl": "binomial", "fsl": True}, ["isl_cls_1", "fsl"]),
    ],
)
def test_a_variant_adds_its_terms(params, folder, tmp_path, plain_run, changes, added):
    history, model = train(params, folder, tmp_path, **changes)
    assert history[0].split(",") == ["step", "total", *METHOD_TERMS, *added]
    assert plain_run[0][0].split(",") == ["step", "total", *METHOD_TERMS]
    assert model != plain_run[1]
    # The first step's terms of the method are the same: the draws do not disturb its dropout.
    shared = 2 + len(METHOD_TERMS)
    assert history[1].split(",")[2:shared] == plain_run[0][1].split(",")[2:shared]


def test_the_total_is_the_weighted_sum(plain_run):
    for line in plain_run[0][1:]:
        _, total, *terms = map(float, line.split(","))
        cls_1, cls_2, rvmin_1, rvmin_2, er, ecr = terms
        expected = (cls_1 + cls_2) / 2 + (rvmin_1 + rvmin_2) / 2 + er + ecr
        assert total == pytest.approx(expected, rel=1e-4)


def test_isl_that_starts_late_changes_nothing_before(params, folder, tmp_path, plain_run):
    history, model = train(params, folder, tmp_path, isl="binomial", start=0.5)
    # Of three steps, the third begins after two thirds.
    plain = [line.split(",") for line in plain_run[0]]
    late = [line.split(",") for line in history]
    assert [line[:-1] for line in late[1:3]] == plain[1:3]
    total, cls_1, isl = (float(late[3][k]) for k in (1, 2, -1))
    weight = params.cam.isl.weight
    expected = float(plain[3][1]) + weight * (isl - cls_1) / 2
    assert total == pytest.approx(expected, rel=1e-4)
    assert model != plain_run[1]


def test_a_method_has_a_learning_rate_of_its_own(params, folder, tmp_path, plain_run):
    """A quarter of four times the rate is the same to the last bit."""
    quarter = params.cam.optimiser.model_copy(update={"lr": params.cam.optimiser.lr / 4})
    changes = {"optimiser": quarter, "rates": {"seam": 4.0, "cam": 9.0}}
    assert train(params, folder, tmp_path, of_cam=changes) == plain_run
    assert train(params, folder, tmp_path, of_cam={"rates": {"seam": 2.0}})[1] != plain_run[1]


class Killed(Exception):
    """Stands for a process that ends without a word."""


@pytest.mark.parametrize("method", ["cam", "puzzle", "ppc"])
def test_a_killed_training_of_any_method_ends_with_the_same_weights(
    params, folder, tmp_path, monkeypatch, method
):
    """What depends on the progress, or is drawn, is the same after a checkpoint."""
    changes = {"method": method, "isl": "binomial", "fsl": True}
    whole = train(params, folder, tmp_path / "whole", **changes)
    calls = iter(range(100))

    def killed_at_the_third(terms):
        if next(calls) == 2:
            raise Killed
        return total_loss(terms)

    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(cam_train, "total_loss", killed_at_the_third)
    with pytest.raises(Killed):
        train(params, folder, tmp_path / "cut", **changes)
    assert train(params, folder, tmp_path / "cut", **changes) == whole
    assert next(calls) == 4  # Three calls, and the killed step again.


def test_the_model_says_what_it_was_trained_on(plain_run, tmp_path):
    (tmp_path / "model").write_bytes(plain_run[1])
    assert load_tensors(tmp_path / "model")[1]["device"].startswith("CPU ")


def test_epochs_drop_the_last_incomplete_batch(plain_run):
    # Six images in batches of four, three epochs.
    assert [line.split(",")[0] for line in plain_run[0][1:]] == ["1", "2", "3"]


def test_the_seed_decides_and_the_workers_do_not(params, folder, tmp_path, plain_run):
    assert train(params, folder, tmp_path, workers=2) == plain_run
    assert train(params, folder, tmp_path, seed=1)[1] != plain_run[1]


def test_the_model_has_a_channel_per_class_and_background(plain_run, tmp_path):
    (tmp_path / "model").write_bytes(plain_run[1])
    tensors, _ = load_tensors(tmp_path / "model")
    assert tensors["fc8.weight"].shape[0] == 4


def test_too_few_images_are_one_clear_error(params, tmp_path):
    manifest = write_images(tmp_path, {"one": (noise(8, 8, 0), (0,))})
    with pytest.raises(ValueError, match="1 training images are fewer than a batch of 4"):
        train(params, manifest.parent, tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_one_clear_line(params, tmp_path, workers):
    write_images(tmp_path, {f"image{i}": (noise(8, 8, i), (0,)) for i in range(4)})
    (tmp_path / "image2.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"image2\.png: not a readable image") as error:
        train(params, tmp_path, tmp_path, workers=workers)
    assert "\n" not in str(error.value)
