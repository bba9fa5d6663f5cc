"""Time and memory of the worklist as a table (CSV, JSON, Parquet), streamed from 100,000 studies.

    PYTHONPATH=tools python benchmarks/worklist_table.py [--count 100000] [--database URL]

A database that is empty is filled first. Each form is streamed to nowhere in a process of its own; printed are seconds,
bytes, and the peak memory of the process against that of one which only opened the worklist.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.worklist import open_worklist
from synthetic_worklist import add_synthetic_studies

CHILD = """
import resource, sys, time
from pathlib import Path
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.export import table_bytes, table_rows
from pneumoscope.server.store.records import Query
from pneumoscope.server.store.worklist import open_worklist
url, films, form = sys.argv[1:]
worklist = open_worklist(url, LocalBlobs(Path(films)))
start, cpu, size = time.perf_counter(), time.process_time(), 0
first = 0.0
if form != "nothing":
    for piece in table_bytes(table_rows(worklist.database, Query()), form):
        first = first or time.perf_counter() - start
        size += len(piece)
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = f"first piece {first:5.2f} s, {size / 1e6:7.1f} MB, peak {peak:.0f} MB"
print(f"{form:8} {wall:7.1f} s {cpu:7.1f} s of processor, {told}")
worklist.close()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="URL; a SQLite file in a temporary folder without it")
    parser.add_argument("--count", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite:///{folder}/worklist.db"
        films = Path(folder) / "films"
        worklist = open_worklist(url, LocalBlobs(films))
        if not worklist.numbers.totals()["studies"]:
            add_synthetic_studies(worklist, asked.count)
        print(f"{worklist.numbers.totals()['studies']:,} studies", flush=True)
        worklist.close()
        for form in ("nothing", "csv", "json", "parquet"):
            subprocess.run([sys.executable, "-c", CHILD, url, str(films), form], check=True)


if __name__ == "__main__":
    main()
