"""Where a reading's processor time goes, from the file's bytes to the JSON line, step by step, on one thread.

    python benchmarks/stage_times.py [--model BUNDLE] [--source FOLDER] [--films 60] [--rounds 3]

Processor time of the thread (other work on the machine does not count, but for what it takes of the caches); the least
of the rounds for each film, then the mean over films. The steps are those of ``Reader.read``, called one by one.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from common import arguments, heading, make_films
from pneumoscope.films.load import load as load_film
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.evidence import finding_evidence
from pneumoscope.model.preprocess import prepare_film
from pneumoscope.model.reader import load
from pneumoscope.quality.checks import check_quality
from pneumoscope.reports.json import to_json
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--films", type=int, default=60)
    asked = parser.parse_args()
    reader = load(asked.model, settings=Settings(threads=1))
    meta, session = reader.meta, reader._session  # noqa: SLF001 - the steps of one reading, from outside
    assert meta.gate is not None
    best: dict[str, dict[str, float]] = defaultdict(dict)

    def timed(step: str, film: str, work: Callable[[], T]) -> T:
        started = time.thread_time()
        result = work()
        took = time.thread_time() - started
        best[step][film] = min(took, best[step].get(film, took))
        return result

    with tempfile.TemporaryDirectory() as scratch:
        films = sorted(make_films(Path(scratch) / "films", asked.films, asked.source).iterdir())
        for _ in range(asked.rounds):
            for path in films:
                name = path.name
                data = timed("bytes from the disk", name, path.read_bytes)
                film = timed("hash and decode", name, lambda data=data: load_film(data))  # type: ignore[misc]
                gate = timed("quality control with lungs", name, lambda f=film: check_quality(f, meta.gate, mend=True))  # type: ignore[misc]
                if gate.refusal is None:
                    seen = timed("preprocess", name, lambda g=gate: prepare_film(g.film, meta.preprocess, g.lungs))  # type: ignore[misc]
                    logits, maps = timed("network", name, lambda s=seen: session.run(s.pixels))  # type: ignore[misc]

                    def explain(logits=logits, maps=maps, seen=seen, gate=gate):  # type: ignore[no-untyped-def]
                        calibrated_probabilities(logits, meta.calibrator)
                        return finding_evidence(maps, logits, meta, seen.frame, seen.lungs or gate.lungs)

                    timed("calibration and evidence", name, explain)
                reading = timed("whole reading", name, lambda data=data: reader.read(data, name="film"))  # type: ignore[misc]
                timed("JSON", name, lambda reading=reading: to_json(reading))  # type: ignore[misc]
    heading(f"{len(films)} films, the least of {asked.rounds} rounds, processor ms a film")
    whole = sum(best["whole reading"].values()) / len(films) * 1000
    for step, each in best.items():
        mean = 1000 * sum(each.values()) / len(each)
        print(f"{step:30} {mean:8.2f} {mean / whole:7.1%}   ({len(each)} films)")


if __name__ == "__main__":
    main()
