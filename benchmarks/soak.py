"""A soak of ``pneumoscope score``: kills, files that cannot grow and workers that die, until the time is up.

    python benchmarks/soak.py [--minutes 5] [--films 400] [--model BUNDLE] [--source FOLDER] [--seed 0]

Each round begins the same command on the same table and, at a random moment, kills the process that writes
(SIGKILL), kills a worker, forbids files to grow (as a full disk does), or lets it be. After each round the table is
held to its ledger: every part that the ledger names is whole, and no film is in two. When all films are in, they are
counted, and a new table is begun. Printed: rounds by what was done, films lost and doubled (both must be 0), and the
largest memory and number of open files of the writer in the first and in the last third of the rounds.

It covers neither the web application nor its database.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from common import arguments, heading, make_films

ACTS = ("kill the writer", "kill a worker", "no room on the disk", "let it be")


def names(table: Path) -> list[str]:
    """The films of all parts that the ledger names; a part that is not whole raises."""
    with sqlite3.connect(table / "_ledger.sqlite") as ledger:
        parts = [row[0] for row in ledger.execute("SELECT number FROM parts")]
    ledger.close()
    found: list[str] = []
    for number in parts:
        for side in ("readings", "refused"):
            path = table / side / f"part-{number:06}.parquet"
            if path.exists():
                found += pq.read_table(path, columns=["path"]).column(0).to_pylist()
    return found


def disturb(act: str, process: subprocess.Popen[bytes], moment: float) -> tuple[float, int]:
    """Do one act to a running command; the largest memory in MB and number of open files seen of it."""
    memory, files, deadline, done = 0.0, 0, time.monotonic() + moment, False
    while process.poll() is None:
        try:
            writer = psutil.Process(process.pid)
            memory = max(memory, writer.memory_info().rss / 1e6)
            files = max(files, writer.num_fds())
            if not done and time.monotonic() > deadline:
                done = True
                if act == "kill the writer":
                    process.send_signal(signal.SIGKILL)
                elif act == "kill a worker":
                    for child in writer.children():
                        if "spawn_main" in " ".join(child.cmdline()):
                            child.kill()
        except psutil.Error:
            pass
        time.sleep(0.05)
    return memory, files


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--films", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    until = time.monotonic() + 60 * asked.minutes
    did: Counter[str] = Counter()
    seen: list[tuple[float, int]] = []
    lost = doubled = tables = 0
    with tempfile.TemporaryDirectory() as scratch:
        films = make_films(Path(scratch) / "films", asked.films, asked.source)
        wanted = {str(path) for path in films.iterdir()}
        table = Path(scratch) / "table"
        command = [sys.executable, "-m", "pneumoscope", "score", str(films), "--out", str(table)]
        command += ["--model", asked.model, "--part-size", "32"]
        while time.monotonic() < until:
            act = chance.choice(ACTS)
            limit = 20_000 if act == "no room on the disk" else resource.RLIM_INFINITY

            def limited(limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=limited,  # noqa: PLW1509 - no threads here
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            seen.append(disturb(act, process, chance.uniform(0.5, 20.0)))
            did[act] += 1
            if not (table / "_ledger.sqlite").exists():
                continue
            try:
                found = names(table)
            except sqlite3.OperationalError:  # killed before it had made its tables
                continue
            doubled += len(found) - len(set(found))
            if process.returncode in {0, 3}:
                lost += len(wanted - set(found))
                tables += 1
                shutil.rmtree(table)
    heading(f"{asked.minutes:g} minutes, {sum(did.values())} rounds, {tables} whole tables of {asked.films} films")
    for act, count in did.items():
        print(f"{act:22} {count}")
    print(f"{'films lost':22} {lost}\n{'films doubled':22} {doubled}")
    third = max(1, len(seen) // 3)
    for what, index in (("memory of the writer, MB", 0), ("its open files", 1)):
        print(f"{what:26} {max(s[index] for s in seen[:third]):8.0f} {max(s[index] for s in seen[-third:]):8.0f}")
    if lost or doubled:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
