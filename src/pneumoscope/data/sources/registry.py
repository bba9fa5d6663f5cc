"""The table of layouts, from the most particular to the most general."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.sources.chexpert import CheXpert
from pneumoscope.data.sources.cohen import CohenCovid
from pneumoscope.data.sources.coronahack import CoronaHack
from pneumoscope.data.sources.covid_radiography import CovidRadiography
from pneumoscope.data.sources.folders import ClassFolders, PatientFolders, PatternFolders, PublicSet
from pneumoscope.data.sources.medmnist import MedMnist
from pneumoscope.data.sources.mimic import MimicCxr
from pneumoscope.data.sources.nih import NihChestXray
from pneumoscope.data.sources.one_hot import OneHot
from pneumoscope.data.sources.padchest import PadChest
from pneumoscope.data.sources.rsna import RsnaChallenge
from pneumoscope.data.sources.table import Table
from pneumoscope.data.sources.vindr import VinDrCxr
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Source

__all__ = ["SOURCES", "find_source"]

SOURCES: tuple[Source, ...] = (
    NihChestXray(),
    RsnaChallenge(),
    CheXpert(),
    MimicCxr(),
    VinDrCxr(),
    PadChest(),
    CoronaHack(),
    CohenCovid(),
    CovidRadiography(),
    PublicSet(),
    PatternFolders(),
    Table(),
    OneHot(),
    MedMnist(),
    PatientFolders(),
    ClassFolders(),
)
"""From the most particular to the most general: the first that matches is taken."""


def find_source(path: Path, name: str | None = None) -> Source:
    """The layout of a folder or file.

    Args:
        path: The data.
        name: A layout's name, to take that one; otherwise the first that matches.

    Raises:
        DatasetError: There is nothing at the path, no layout matches, or none has this name.
    """
    understood = "; ".join(
        f"({number}) {source.name}: {source.description}" for number, source in enumerate(SOURCES, 1)
    )
    if not path.exists():
        raise DatasetError("there is no such file or folder", where=path, remedy="Check the path")
    if name is not None:
        named = [source for source in SOURCES if source.name == name]
        if not named:
            raise DatasetError(f"there is no layout {name!r}", where=path, remedy=f"Layouts: {understood}")
        return named[0]
    for source in SOURCES:
        if source.matches(path):
            return source
    raise DatasetError(
        "this is no data set that is understood", where=path, remedy=f"Arrange it as one of: {understood}"
    )
