"""The readers of a few bundles, loaded when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.reading import Reader
    from pneumoscope.settings import Settings
    from pneumoscope.web.engine.bundles import Bundles
    from pneumoscope.web.engine.choice import Choice

__all__ = ["Readers"]


class Readers:
    """Loaded bundles, the longest unused given up first.

    Args:
        bundles: Where they are.
        settings: Of this machine.
        most: How many are kept.
    """

    def __init__(self, bundles: Bundles, settings: Settings, most: int) -> None:
        self._bundles, self._settings, self._most = bundles, settings, most
        self._loaded: OrderedDict[str, Reader] = OrderedDict()
        self._lock = Lock()  # also while one loads: two threads must not load the same bundle twice

    def get(self, choice: Choice) -> Reader:
        """The reader of a choice.

        Raises:
            UsageError: There is no such bundle, preset or coverage.
            BundleError: The bundle cannot be used.
        """
        from pneumoscope.reading import Reader  # noqa: PLC0415 - ONNX Runtime is slow to import

        known = self._bundles.get(choice.bundle)
        with self._lock:
            reader = self._loaded.pop(known.sha256, None) or Reader(known.path, settings=self._settings)
            self._loaded[known.sha256] = reader
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
        return reader.choosing(preset=choice.preset, coverage=choice.coverage, mend=choice.mend, force=choice.force)
