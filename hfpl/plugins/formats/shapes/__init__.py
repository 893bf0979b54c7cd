"""Generated pictures of blobs with class glyphs, so that a run needs no download."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hfpl.plugins.formats.voc import InVocLayout
from hfpl.sections.section import Count, Fraction, Positive, Section, Seed


class Settings(Section):
    """Generated pictures of blobs with class glyphs, so that a run needs no download."""

    format: Literal["shapes"] = Field(description="a file or folder in hfpl/plugins/formats")
    train: Count = Field(description="number of training images")
    val: Count = Field(description="number of validation images")
    size: int = Field(ge=32, le=512, description="side of an image in pixels")
    classes: int = Field(ge=2, le=6, description="number of foreground classes")
    min_extent: Fraction = Field(description="smallest object, as a share of the image's side")
    max_extent: Positive = Field(description="largest object, as a share of the image's side")
    texture_amplitude: Fraction = Field(
        title="strength of the body's texture",
        description="strength of the body's texture, which a class shares with its partner",
    )
    head_fraction: Fraction = Field(description="glyph radius, as a share of the body's radius")
    seed: Seed = Field(description="seed of the pictures")

    @model_validator(mode="after")
    def _ordered(self) -> "Settings":
        if self.min_extent > self.max_extent:
            raise ValueError("min_extent is larger than max_extent")
        return self


def build(settings: Settings) -> "ShapesFormat":
    """Build the format of the generated pictures."""
    return ShapesFormat(settings)


class ShapesFormat(InVocLayout):
    """Pictures that are drawn into a zip in VOC's layout."""

    archived = True
    archive_reads = tuple(name for name in Settings.model_fields if name != "format")

    @property
    def lists(self) -> Mapping[str, str]:
        """Every picture of a split is trained on, or scored."""
        return {"training": "train", "train": "train", "val": "val"}

    def make(self, archive: Path, downloads: Path) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.make`."""
        from hfpl.plugins.formats.shapes.generate import write_shapes

        write_shapes(archive, self.settings)
        return f"{self.settings.train} + {self.settings.val} pictures drawn"
