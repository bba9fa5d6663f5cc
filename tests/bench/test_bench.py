"""`pneumoscope bench`: one table, the machine, and JSON that adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.slow
def test_json_has_every_row_with_its_ratio_and_the_machine(
    tiny_bundle: Path, tmp_path: Path, make_film: Callable[..., Path]
) -> None:
    for seed in range(3):
        make_film(tmp_path / "films" / f"{seed}.png", seed)
    command = [
        sys.executable,
        "-m",
        "pneumoscope",
        "bench",
        "--model",
        str(tiny_bundle),
        "--films",
        "4",
        "--rounds",
        "1",
    ]
    ran = subprocess.run(
        [*command, "--source", str(tmp_path / "films"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    rows = {row["what"]: row for row in said["rows"]}
    one = rows["read, 4 films, 1 core"]
    assert {"bare Python", "pneumoscope --help", "one film from nothing", "floor: decoding and network"} <= rows.keys()
    assert one["rate"] == pytest.approx(4 / one["seconds"])
    for row in rows.values():
        assert row["seconds"] > 0
        if row["against"] and not row["what"].startswith("floor"):
            assert row["ratio"] == pytest.approx(rows[row["against"]]["seconds"] / row["seconds"])
    assert said["bundle"]["name"] == "tiny"
    assert said["machine"]["cores"] >= 1
    assert said["notice"] == NOTICE
    assert any("keras" in each for each in said["left_out"]) or any("Keras" in each for each in rows)


def test_runs_are_timed_in_turn_and_a_failure_is_named() -> None:
    from pneumoscope.bench.timing import middle, run, side_by_side
    from pneumoscope.errors import PneumoscopeError

    runs = side_by_side({"nothing": [sys.executable, "-S", "-c", "pass"]}, rounds=2)
    assert len(runs["nothing"]) == 2
    assert middle(runs["nothing"], "wall") > 0
    with pytest.raises(PneumoscopeError, match="code 9"):
        run([sys.executable, "-S", "-c", "raise SystemExit(9)"])


def test_a_folder_without_films_is_wrong_usage(tmp_path: Path) -> None:
    from pneumoscope.bench.films import make_films
    from pneumoscope.errors import UsageError

    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        make_films(tmp_path / "films", 3, tmp_path / "empty")
