"""The same table on a real Ray cluster of several nodes, one of them killed in the middle."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import pneumoscope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray leaves sockets to the collector


def ports() -> dict[str, int]:
    """Free ports for a node's agents; without them it gives up when these do not name theirs within 15 s."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # Ray gives a node 30 s to start, which a busy machine may not keep: its clock runs slower for that wait.
    slow = SimpleNamespace(sleep=time.sleep, time=time.time, monotonic=lambda: time.monotonic() / 20)
    monkeypatch.setattr("ray._private.node.time", slow)
    for name in ("agent_register_timeout_ms", "health_check_timeout_ms"):
        monkeypatch.setenv(f"RAY_{name}", "300000")
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "300")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(pneumoscope.__file__).parents[1]))  # for the workers
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **ports()})
    yield cluster
    cluster.shutdown()


def test_a_node_that_is_killed_costs_no_film_and_doubles_none(
    cluster: Any,
    tmp_path: Path,
    tiny_bundle: Path,
    make_film: Callable[..., Path],
    table: Callable[..., list[dict[str, Any]]],
) -> None:
    import ray

    from pneumoscope.model.reader import load
    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.ray_engine import RayEngine
    from pneumoscope.scoring.score import score
    from pneumoscope.settings import Settings

    films, out = tmp_path / "films", tmp_path / "table"
    for seed in range(200):
        make_film(films / f"{seed:03}.png", seed)
    nodes = [cluster.add_node(num_cpus=1, **ports()) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level=40)
    killed: list[int] = []

    def kill_one(done: int) -> None:
        if done >= 32 and not killed:
            killed.append(done)
            cluster.remove_node(nodes[0], allow_graceful=False)

    spec = ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1))
    try:
        summary = score([str(films)], out, spec, RayEngine(spec, None, None), part_size=64, tell=kill_one)
    finally:
        ray.shutdown()

    paths = [row["path"] for row in table(out)]
    assert killed
    assert killed[0] < 200
    assert sorted(paths) == sorted(str(path) for path in films.iterdir())
    assert (summary.read, summary.failed) == (200, 0)
    reader = load(tiny_bundle)
    for row in table(out)[:5]:
        found = reader.read(row["path"]).finding
        assert found is not None
        assert row["p(pneumonia)"] == found.probability
