"""Write the generated data set as a zip file in VOC's layout."""

import zipfile
from pathlib import Path

import cv2

from hfpl.images.palette import encode_mask
from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.shapes import Settings
from hfpl.plugins.formats.shapes.drawing import CLASS_NAMES, Scene, draw_scene
from hfpl.storage.archive import add_file
from hfpl.storage.atomic import replacing

_FIRST_VAL = 10**6
"""Number of the first val picture: more training pictures do not change those of val."""

# Full chroma resolution: subsampled colours would soften the very contours that are scored.
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def write_shapes(path: str | Path, settings: Settings) -> None:
    """Generate pictures, masks, annotations and lists; equal settings give equal bytes."""
    numbers = {
        "train": range(settings.train),
        "val": range(_FIRST_VAL, _FIRST_VAL + settings.val),
    }
    ids = {split: [f"{split}_{i - part[0]:06d}" for i in part] for split, part in numbers.items()}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        add_file(archive, voc.CLASS_FILE, "\n".join(CLASS_NAMES[: settings.classes]) + "\n")
        for split, names in ids.items():
            add_file(archive, f"{voc.LISTS}/{split}.txt", "\n".join(names) + "\n")
        with track("data", sum(map(len, ids.values())), "pictures") as advance:
            for split, part in numbers.items():
                for number, name in zip(part, ids[split], strict=True):
                    _write_picture(archive, name, number, settings)
                    advance()


def draw_picture(settings: Settings, number: int) -> Scene:
    """Picture ``train_<number>`` of a data set; val's follow from 1,000,000 on."""
    return draw_scene(
        settings.seed,
        number,
        size=settings.size,
        num_classes=settings.classes,
        min_extent=settings.min_extent,
        max_extent=settings.max_extent,
        texture_amplitude=settings.texture_amplitude,
        head_fraction=settings.head_fraction,
    )


def _write_picture(archive: zipfile.ZipFile, name: str, number: int, settings: Settings) -> None:
    scene = draw_picture(settings, number)
    _, jpeg = cv2.imencode(".jpg", scene.image[..., ::-1], _JPEG)
    objects = [(CLASS_NAMES[k], *box) for k, *box in voc.class_boxes(scene.mask)]
    xml = voc.annotation_xml(name, scene.mask.shape, objects)
    add_file(archive, f"{voc.IMAGES}/{name}.jpg", jpeg.tobytes())
    add_file(archive, f"{voc.MASKS}/{name}.png", encode_mask(scene.mask))
    add_file(archive, f"{voc.ANNOTATIONS}/{name}.xml", xml)
