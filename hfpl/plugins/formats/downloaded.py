"""What formats that are downloaded and converted have in common."""

from collections.abc import Mapping
from pathlib import Path

from hfpl.plugins.formats.sources import Source
from hfpl.plugins.formats.voc import PartInVocLayout
from hfpl.sections.section import Section


class DownloadedFormat(PartInVocLayout):
    """Archives that are downloaded and made one zip of."""

    archived = True
    published_lists: Mapping[str, str]

    @property
    def lists(self) -> Mapping[str, str]:
        """The published ones."""
        return self.published_lists

    @property
    def sources(self) -> Mapping[str, Source]:
        """As :meth:`hfpl.plugins.formats.interface.Format.sources`."""
        table: Section = self.settings.sources
        return {name: getattr(table, name) for name in type(table).model_fields}

    def make(self, archive: Path, downloads: Path) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.make`."""
        sources = self.settings.sources
        archives = {name: downloads / sources[name].file for name in sources}
        counts = self.convert(archives, archive)
        return ", ".join(f"{count} images in {name}" for name, count in counts.items())

    def convert(self, archives: Mapping[str, Path], archive: Path) -> dict[str, int]:
        """Write one zip in VOC's layout of the archives; the number of images in each list."""
        raise NotImplementedError
