"""The DICOM node against real peers: films a second, time to the result in Orthanc, memory, kills.

Starts `pneumoscope node` and Orthanc in a folder of their own on free ports of this machine; films are drawn, each of a
study of its own, and dcmtk's storescu sends them. Prints tables.

    python benchmarks/node.py                          1, 4 and 16 associations; times; memory
    python benchmarks/node.py --films 10000            the same, with so many films at once
    python benchmarks/node.py --kills 200              films lost and doubled over so many kills

The kills come at random moments while films come in, are read and sent; each start is a fork of a program that has
imported everything, so that most moments are those of work. What storescu was not told to be taken is sent again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.phantom.draw import draw_phantom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pneumoscope.phantom.draw import Kind

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
ROOT = "1.2.826.0.1.3680043.8.498"

# Forks a node for each line on its standard input, and tells when it is open.
FORKING = """
import os, signal, sys
import onnxruntime
import pneumoscope.server.app, pneumoscope.server.engine.bundles, pneumoscope.server.engine.queue
import highdicom.sr
import numpy as np
from pathlib import Path
from pneumoscope.model.bundle import find_bundle
from pneumoscope.model.reader import Reader
from pneumoscope.server.config import WebConfig
from pneumoscope.server.node.config import load_config
from pneumoscope.server.node.run import run_node

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
data, model, port, send_to = sys.argv[1:]
Reader(find_bundle(model)).read(np.zeros((256, 256), np.uint8), name="warm-up")  # sessions of one thread survive a fork
for _ in sys.stdin:
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    web = WebConfig(data=Path(data), model=model, workers=1, reserve_mb=0)
    node = load_config(None, port=int(port), send_to=[send_to], results=["sr"], stable_seconds=0)
    run_node(web, node, lambda _: print("open", flush=True))
    os._exit(0)
"""


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    assert found is not None, f"{name} is not installed (scripts/services)"
    return found


def draw(folder: Path, count: int, side: int) -> list[Path]:
    """Films as DICOM, each of a study of its own; no two have the same pixels."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    base = phantoms(side)
    paths = []
    for number in range(count):
        pixels = base[number % len(base)].copy()
        pixels[generator.integers(0, side, 8), generator.integers(0, side, 8)] ^= 1
        film = Dataset()
        film.file_meta = FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.PatientName, film.PatientID = f"Drawn^{number}", f"P{number}"
        film.StudyInstanceUID, film.SeriesInstanceUID = f"{ROOT}.{number + 1}", f"{ROOT}.{number + 1}.1"
        film.SOPInstanceUID = f"{ROOT}.{number + 1}.1.1"
        film.SOPClassUID, film.Modality = "1.2.840.10008.5.1.4.1.1.1", "CR"
        film.BodyPartExamined, film.ViewPosition = "CHEST", "PA"
        film.StudyDate, film.StudyTime, film.AccessionNumber = "20260228", "101500", ""
        film.PatientBirthDate, film.PatientSex, film.StudyID = "", "", ""
        film.SeriesNumber = film.InstanceNumber = 1
        film.Rows = film.Columns = side
        film.BitsAllocated = film.BitsStored = 8
        film.HighBit, film.SamplesPerPixel, film.PixelRepresentation = 7, 1, 0
        film.PhotometricInterpretation, film.PixelData = "MONOCHROME2", pixels.tobytes()
        path = folder / f"{number:05}.dcm"
        film.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def phantoms(side: int) -> list[NDArray[np.uint8]]:
    kinds: tuple[Kind, ...] = ("normal", "bacterial", "viral")
    made = [draw_phantom(seed, kinds[seed % 3], rows=side, columns=side).pixels for seed in range(6)]
    return [(each >> 8 if each.dtype == np.uint16 else each).astype(np.uint8) for each in made]


class Orthanc:
    """A PACS of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.http = free_port(), free_port()
        folder.mkdir()
        config = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "DicomAet": "ORTHANC",
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "Plugins": [],
            "AuthenticationEnabled": False,
            "DicomCheckCalledAet": False,
            "OverwriteInstances": False,
        }
        file = folder / "orthanc.json"
        file.write_text(json.dumps(config))
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([program("Orthanc"), str(file)], stdout=quiet, stderr=quiet)
        wait_for(lambda: self.instances() == 0, 120)

    @property
    def peer(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def instances(self) -> int:
        try:
            return int(self.get("/statistics")["CountInstances"])
        except OSError:
            return -1

    def studies(self) -> Counter[str]:
        """How many objects each study has, by its UID."""
        found: Counter[str] = Counter()
        # Asked while objects come: a series may be newer than the list of series, and is counted the next time.
        series = {each["ID"]: len(each["Instances"]) for each in self.get("/series?expand")}
        for study in self.get("/studies?expand"):
            found[study["MainDicomTags"]["StudyInstanceUID"]] = sum(series.get(each, 0) for each in study["Series"])
        return found


def wait_for(found: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "that took too long"
        time.sleep(0.02)


class Node:
    """A node of its own."""

    def __init__(self, folder: Path, model: str, send_to: str, stable: float) -> None:
        self.port = free_port()
        line = [sys.executable, "-m", "pneumoscope", "node", "--data", str(folder), "--port", str(self.port)]
        line += ["--model", model, "--send-to", send_to, "--stable-seconds", str(stable), "--results", "sr"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert self.process.stdout is not None
        assert "open" in self.process.stdout.readline(), "the node did not start"
        self.peak = 0.0
        self._seen = psutil.Process(self.process.pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def memory(self) -> float:
        """Resident, MB."""
        return float(self._seen.memory_info().rss) / 2**20

    def _watch(self) -> None:
        while self.process.poll() is None:
            try:
                self.peak = max(self.peak, self.memory())
            except psutil.Error:
                return
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(120)


def send(port: int, films: list[Path]) -> int:
    quiet = subprocess.DEVNULL
    line = [program("storescu"), "-aec", "PNEUMOSCOPE", "127.0.0.1", str(port), *map(str, films)]
    return subprocess.run(line, stdout=quiet, stderr=quiet, check=False).returncode


@contextmanager
def workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pneumoscope-node-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def throughput(arguments: argparse.Namespace, associations: int) -> None:
    with workplace() as folder:
        films = draw(folder / "films", arguments.films, arguments.side)
        pacs = Orthanc(folder / "pacs")
        node = Node(folder / "data", arguments.model, pacs.peer, 0.0)
        try:
            shares = [films[number::associations] for number in range(associations)]
            begun = time.monotonic()
            senders = [threading.Thread(target=send, args=(node.port, share)) for share in shares if share]
            for each in senders:
                each.start()
            for each in senders:
                each.join()
            taken = time.monotonic() - begun
            wait_for(lambda: pacs.instances() >= len(films), 60 + 10 * len(films))
            whole = time.monotonic() - begun
            lost = len(films) - len(pacs.studies())
            rates = f"{len(films) / taken:14.1f} {len(films) / whole:15.2f}"
            print(f"{associations:12} {len(films):6} {rates} {node.peak:12,.0f} {lost:5}", flush=True)
        finally:
            node.stop()
            pacs.process.terminate()
            pacs.process.wait(60)


def latency(arguments: argparse.Namespace) -> None:
    with workplace() as folder:
        films = draw(folder / "films", arguments.single, arguments.side)
        pacs = Orthanc(folder / "pacs")
        node = Node(folder / "data", arguments.model, pacs.peer, 0.0)
        try:
            send(node.port, films[:1])
            wait_for(lambda: pacs.instances() == 1, 120)
            seconds = []
            for number, film in enumerate(films[1:], 2):
                assert send(node.port, [film]) == 0
                begun = time.monotonic()
                wait_for(lambda number=number: pacs.instances() == number, 120)
                seconds.append(time.monotonic() - begun)
        finally:
            node.stop()
            pacs.process.terminate()
            pacs.process.wait(60)
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    print(f"\nlast C-STORE to the result in Orthanc, {len(seconds)} studies, --stable-seconds 0:")
    print(f"p50 {p50:.2f} s, p95 {p95:.2f} s")


class Forked:
    """Starts nodes by forks, and kills them."""

    def __init__(self, folder: Path, model: str, send_to: str) -> None:
        self.port = free_port()
        self.seconds: list[float] = []
        self.child = 0
        self._log = (folder / "log").open("w")
        line = [sys.executable, "-c", FORKING, str(folder / "data"), model, str(self.port), send_to]
        one = {**os.environ, "OMP_NUM_THREADS": "1", "PNEUMOSCOPE_THREADS": "1"}
        self._mother = subprocess.Popen(
            line, env=one, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def start(self) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        begun = time.monotonic()
        self._mother.stdin.write("\n")
        self._mother.stdin.flush()
        said = [self._mother.stdout.readline().strip() for _ in range(2)]
        self.child = next(int(each) for each in said if each != "open")
        self.seconds.append(time.monotonic() - begun)

    def end(self, how: signal.Signals) -> None:
        os.kill(self.child, how)
        wait_for(lambda: not psutil.pid_exists(self.child), 120)

    def close(self) -> None:
        self._mother.kill()
        self._mother.wait(30)
        self._log.close()


def keep_sending(port: int, films: list[Path], at_once: int) -> None:
    """As a modality does: what was not taken is sent again."""
    while films:
        if send(port, films[:at_once]) == 0:
            films = films[at_once:]
        else:
            time.sleep(0.1)


def kills(arguments: argparse.Namespace) -> None:
    chance = random.Random(arguments.seed)  # noqa: S311 - moments, not secrets
    with workplace() as folder:
        films = draw(folder / "films", arguments.films, 256)
        pacs = Orthanc(folder / "pacs")
        node = Forked(folder, arguments.model, pacs.peer)
        share = max(1, len(films) // arguments.kills)
        sender = threading.Thread(target=keep_sending, args=(node.port, films, share))
        node.start()
        sender.start()
        try:
            for done in range(arguments.kills):
                print(f"\r{done} kills", end="", file=sys.stderr, flush=True)
                time.sleep(chance.uniform(0.0, arguments.longest))
                node.end(signal.SIGKILL)
                node.start()
            sender.join()
            wait_for(lambda: len(pacs.studies()) >= len(films), 60 + 10 * len(films))
            time.sleep(2)
            node.end(signal.SIGTERM)
            found = pacs.studies()
        finally:
            node.close()
            pacs.process.terminate()
            pacs.process.wait(60)
        readings = readings_by_film(folder / "data")
    doubled = sum(1 for count in found.values() if count > 1)
    twice = sum(1 for count in readings.values() if count > 1)
    p50, p95 = np.quantile(node.seconds[1:], [0.5, 0.95])
    print(f"\n{arguments.kills} kills, {len(films)} films:")
    print(f"films without a result {len(films) - len(found)}, films with more than one result {doubled}")
    print(f"films in the worklist {len(readings)}, films with more than one reading {twice}")
    print(f"start after a kill until it listens: p50 {p50:.2f} s, p95 {p95:.2f} s")


def readings_by_film(data: Path) -> Counter[str]:
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(data / "worklist.sqlite") as database:
        return Counter(dict(database.execute("SELECT film, count(*) FROM reading GROUP BY film").fetchall()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="standard", help="a shipped bundle's name, or a path")
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--side", type=int, default=1024, help="pixels")
    parser.add_argument("--single", type=int, default=41, help="studies sent one by one")
    parser.add_argument("--associations", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds between a start and its kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.kills:
        kills(arguments)
        return
    head = "associations  films  films/s taken  films/s to PACS  peak MB  lost"
    print(head)
    for associations in arguments.associations:
        throughput(arguments, associations)
    if arguments.single > 1:
        latency(arguments)


if __name__ == "__main__":
    main()
