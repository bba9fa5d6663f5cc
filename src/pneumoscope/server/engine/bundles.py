"""The bundles of a server: shipped and imported ones, and which one is in use."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import BundleError, NotABundle, UsageError
from pneumoscope.model.bundle import read_bundle, shipped_bundles
from pneumoscope.model.decide import operating_point
from pneumoscope.server.store.bundles import PINNED_BUNDLE
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.store.worklist import Worklist

__all__ = ["Bundles", "Known"]

_LOG = logging.getLogger(__name__)
_NAME = 64  # characters of a bundle's name
_UPDATE = "update"  # who stands in the audit log


@dataclass(frozen=True, slots=True)
class Known:
    """One bundle.

    Attributes:
        name: By which it is asked for.
        path: Its file.
        shipped: Whether it came with the package.
        sha256: Of the file, as it was when it was first seen.
        meta: All that it says of itself.
        bytes: Size of the file.
    """

    name: str
    path: Path
    shipped: bool
    sha256: str
    meta: BundleMeta
    bytes: int


class Bundles:
    """The bundles of a running web application; safe to share between threads.

    Args:
        worklist: Knows which were imported, and which is in use.
        folder: Where imported ones lie.
        default: Name of a shipped one, or a path; read with until another one is put in use.

    Attributes:
        alarm: That another bundle reads than the one that was put in use, and why; None if all is well.
    """

    def __init__(self, worklist: Worklist, folder: Path, default: str) -> None:
        self._worklist = worklist
        self._folder = folder
        self._default = default
        self.alarm: str | None = None
        self._seen: dict[tuple[str, int, int], tuple[BundleMeta, str]] = {}

    def all(self) -> tuple[Known, ...]:
        """Shipped ones first, then imported ones, newest first. A file that is gone or damaged is left out."""
        paths = dict.fromkeys([*shipped_bundles(), self.default_name])
        names = [*paths, *(row.name for row in self._worklist.bundles.list())]
        found = []
        for name in dict.fromkeys(names):
            try:
                found.append(self.get(name))
            except NotABundle:
                continue
        return tuple(found)

    def get(self, name: str | None = None) -> Known:
        """A bundle by its name; without one, the bundle in use.

        Raises:
            UsageError: There is no bundle of this name.
            BundleError: Its file cannot be used.
        """
        name = self.in_use if name is None else name
        path, shipped = self._find(name)
        meta, sha256, size = self._read(path)
        return Known(name, path, shipped, sha256, meta, size)

    @property
    def default_name(self) -> str:
        """Name of the bundle that reads until another one is put in use."""
        return self._default if self._default in shipped_bundles() else Path(self._default).stem

    @property
    def in_use(self) -> str:
        """Name of the bundle that reads unless another one is asked for."""
        chosen = self._worklist.bundles.in_use()
        if chosen is None:
            return self.default_name
        try:
            self._read(self._find(chosen)[0])
        except (UsageError, BundleError) as error:  # it came with another release, was removed, or lies elsewhere
            if self.alarm is None:
                _LOG.error("the bundle in use, %s, cannot be read (%s); %s reads", chosen, error, self.default_name)
            self.alarm = f"the bundle in use, {chosen}, cannot be read: {error.what}; {self.default_name} reads instead"
            return self.default_name
        self.alarm = None
        return chosen

    def use(self, name: str, *, by: str) -> Known:
        """Put a bundle in use.

        Raises:
            UsageError: There is no bundle of this name.
            BundleError: Its file cannot be used.
        """
        known = self.get(name)
        self._worklist.bundles.use(name, by=by)
        self._pin(known)
        return known

    def hold_pinned(self) -> None:
        """See at the start that an update of the package does not change which bundle reads.

        The shipped bundle that reads is copied into the data folder. If the package then brings another one of its
        name, the copy goes on reading, with its thresholds, until an administrator puts the new one in use.
        """
        known = self.get()
        pinned = self._worklist.settings.get(PINNED_BUNDLE)
        if isinstance(pinned, dict) and pinned["name"] == known.name and pinned["sha256"] != known.sha256:
            copy = self._folder / f"{pinned['sha256']}.onnx"
            if known.shipped and copy.is_file():
                name = f"{known.name}-{pinned['version']}-{pinned['sha256'][:8]}"
                self._worklist.bundles.add(name, str(pinned["sha256"]), by=_UPDATE)
                self._worklist.bundles.use(name, by=_UPDATE)
                _LOG.warning(
                    "the package brings another bundle %s; %s reads on until it is agreed to", known.name, name
                )
                return
        self._pin(known)

    def _pin(self, known: Known) -> None:
        """Note which bundle reads, and keep a copy of a shipped one."""
        pinned = {"name": known.name, "version": known.meta.version, "sha256": known.sha256}
        pinned["preset"] = operating_point(known.meta).preset
        if self._worklist.settings.get(PINNED_BUNDLE) == pinned:
            return
        if known.shipped:
            write_atomically(self._folder / f"{known.sha256}.onnx", known.path.read_bytes())
        self._worklist.settings.set(PINNED_BUNDLE, pinned, by=_UPDATE)

    def add(self, data: bytes, *, by: str, check: Callable[[Path], object]) -> Known:
        """Import a bundle: kept only if it can read.

        Args:
            data: The file.
            by: Who imports it.
            check: Loads it; whatever it raises is the reason why it is not taken.

        Raises:
            BundleError: It is none, is damaged, or is for another pneumoscope.
            Conflict: There is another bundle of its name and version.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._folder / f"{sha256}.onnx"
        known = path.exists()
        write_atomically(path, data)
        try:
            _, meta, _ = read_bundle(path)
            check(path)
            name = self._name(meta, sha256)
            self._worklist.bundles.add(name, sha256, by=by)
        except BaseException:
            if not known:
                path.unlink(missing_ok=True)
            raise
        return self.get(name)

    def _name(self, meta: BundleMeta, sha256: str) -> str:
        """The bundle's own name; with its version where a shipped bundle has that name."""
        plain = "".join(each if each.isalnum() or each in "-_." else "-" for each in meta.name).strip("-.") or "bundle"
        plain = plain[:_NAME]
        taken = plain in shipped_bundles() and self.get(plain).sha256 != sha256
        return f"{plain}-{meta.version}" if taken else plain

    def _find(self, name: str) -> tuple[Path, bool]:
        shipped = shipped_bundles()
        if name in shipped:
            return shipped[name], True
        if name == self.default_name:
            return Path(self._default), False
        row = self._worklist.bundles.get(name)
        if row is None:
            raise UsageError(f"there is no bundle {name[:80]!r}", remedy="GET /api/v1/bundles lists those there are")
        return self._folder / f"{row.sha256}.onnx", False

    def _read(self, path: Path) -> tuple[BundleMeta, str, int]:
        """What a bundle says of itself; asked of its file once, and again when it has changed."""
        try:
            status = path.stat()
        except OSError as error:
            raise NotABundle("the bundle's file is gone", remedy="Import it again") from error
        key = (str(path), status.st_mtime_ns, status.st_size)
        if key not in self._seen:
            _, meta, sha256 = read_bundle(path)
            self._seen[key] = meta, sha256
        return (*self._seen[key], status.st_size)
