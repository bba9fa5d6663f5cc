"""``python -m pneumoscope`` is the command ``pneumoscope``."""

from __future__ import annotations

from pneumoscope.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
