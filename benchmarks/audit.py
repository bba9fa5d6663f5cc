"""What an audit costs, step by step, in processor seconds.

    python benchmarks/audit.py --source FOLDER [--warm]

Once with an empty cache of looks, and with --warm a second time, when the looks are there. Seconds are of the
processor and of all threads, so that what else the machine does matters little; the page is written too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from pneumoscope.data.audit.run import audit
from pneumoscope.data.scan import scan
from pneumoscope.evaluation.audit_page import write_audit


def once(source: Path, cache: Path, out: Path) -> None:
    began = time.process_time()
    manifest = scan(source)
    scanned = time.process_time() - began
    found = audit(manifest, cache=cache, seconds={"scan": scanned}, now=time.process_time)
    judged = time.process_time()
    write_audit(found, out)
    seconds = {**found.report.seconds, "page and files": time.process_time() - judged}
    whole = sum(seconds.values())
    print(f"audit of {len(manifest):,} films: {whole:.1f} processor seconds")
    for name, value in seconds.items():
        print(f"  {name:14s} {value:7.1f} s   {100 * value / whole:4.0f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--warm", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 + arguments.warm):
            once(arguments.source, Path(folder) / "cache", Path(folder) / "out")


if __name__ == "__main__":
    main()
