"""The table of data sets: which format each has and where its images lie."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hfpl.params.downloads import Coco2014Dataset, Voc2012Dataset
from hfpl.params.folder import FolderDataset
from hfpl.sections.section import Count, Fraction, Positive, Section, Seed


class ShapesDataset(Section):
    """Generated pictures of blobs with class glyphs, so that a run needs no download."""

    format: Literal["shapes"]
    train: Count = Field(description="number of training images")
    val: Count = Field(description="number of validation images")
    size: int = Field(ge=32, le=512, description="side of an image in pixels")
    classes: int = Field(ge=2, le=6, description="number of foreground classes")
    min_extent: Fraction = Field(description="smallest object, as a share of the image's side")
    max_extent: Positive = Field(description="largest object, as a share of the image's side")
    texture_amplitude: Fraction = Field(
        description="strength of the body's texture, which a class shares with its partner"
    )
    head_fraction: Fraction = Field(description="glyph radius, as a share of the body's radius")
    seed: Seed = Field(description="seed of the pictures")

    @model_validator(mode="after")
    def _ordered(self) -> "ShapesDataset":
        if self.min_extent > self.max_extent:
            raise ValueError("min_extent is larger than max_extent")
        return self


class VocLists(Section):
    """Names of the lists in ``ImageSets/Segmentation`` (without ``.txt``)."""

    training: str = Field(min_length=1, description="images to train on (VOC: trainaug)")
    train: str = Field(min_length=1, description="training images that are scored")
    val: str = Field(min_length=1, description="validation images, all scored")


class VocDataset(Section):
    """A folder in the layout of PASCAL VOC 2012."""

    format: Literal["voc"]
    root: str = Field(min_length=1, description="folder that holds JPEGImages, Annotations, …")
    lists: VocLists


Dataset = Annotated[
    ShapesDataset | VocDataset | Voc2012Dataset | Coco2014Dataset | FolderDataset,
    Field(discriminator="format"),
]
