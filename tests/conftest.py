"""What all tests share: where the real films are, if they are anywhere, and a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from playwright.sync_api import Browser

    from pneumoscope.model.schema import BundleMeta, DriftBaseline, ThreeWayPoint

os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background ignores Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real films that SOURCES.md describes; the test is skipped without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PNEUMOSCOPE_REAL_DATA", default))
    if not (folder / "chest_xray").is_dir():
        pytest.skip(f"no real films at {folder}")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one browser of a test process (Playwright's synchronous API can be started once): Debian's chromium.

    WebGL is drawn by the CPU.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    where = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if where is None:
        pytest.skip("no chromium on this machine")
    quiet = ["disable-quic", "no-first-run", "disable-background-networking", "disable-component-update"]
    flags = ["headless", "no-sandbox", "use-angle=swiftshader", "enable-unsafe-swiftshader", "disable-sync", *quiet]
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=where, args=[f"--{flag}" for flag in flags])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tiny_graph() -> bytes:
    """An ONNX graph of a few hundred weights that keeps the bundle's contract, for 32 x 32 films and three classes.

    Two convolutions give the evidence; the logits are its mean over all places plus (0.5, -0.25, 0).
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(7)
    weights: dict[str, NDArray[np.float32]] = {
        "scale": np.array(255, np.float32),
        "first": (generator.normal(size=(6, 1, 3, 3)) / 2).astype(np.float32),
        "second": generator.normal(size=(3, 6, 3, 3)).astype(np.float32),
        "bias": np.array([0.5, -0.25, 0], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["film"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "first"], ["seen"], pads=[1, 1, 1, 1], strides=[4, 4]),
        helper.make_node("Relu", ["seen"], ["active"]),
        helper.make_node("Conv", ["active", "second"], ["evidence"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["evidence"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Add", ["flat", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("film", TensorProto.UINT8, ["N", 1, 32, 32])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["N", 3, 8, 8]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="session")
def tiny_meta() -> BundleMeta:
    """What a bundle says of itself, for ``tiny_graph``."""
    from pneumoscope.model.preprocess import PreprocessSpec
    from pneumoscope.model.schema import (
        BundleMeta,
        BundleMetric,
        Calibrator,
        ClassSpec,
        Conformal,
        OperatingPoint,
    )
    from pneumoscope.types.provenance import Provenance

    rate = Proportion(0.9, 0.8, 0.95, 90, 100)
    return BundleMeta(
        name="tiny",
        version="1",
        finding="pneumonia",
        classes=(ClassSpec("normal", False), ClassSpec("bacterial", True), ClassSpec("viral", True)),
        preprocess=PreprocessSpec(size=32),
        evidence_bias=(0.5, -0.25, 0.0),
        calibrator=Calibrator(1.5, (0.1, 0.0, -0.1)),
        operating_points=(
            OperatingPoint("screening", 0.2, rate, rate, "recall at least 0.99", "made up"),
            OperatingPoint("balanced", 0.6, rate, rate, "Youden", "made up"),
        ),
        architecture="two convolutions",
        parameters=219,
        provenance=Provenance(created="2026-01-01T00:00:00Z", data="none", seed=7, films={"train": 100}),
        conformal=(Conformal(0.8, (0.7, 0.6, 0.6)), Conformal(0.9, (0.8, 0.7, 0.7)), Conformal(0.95, (0.9, 0.9, 0.9))),
        figures={"auc": BundleMetric(0.9, 100, 0.85, 0.94), "brier": BundleMetric(0.1, 100)},
        figures_on="nothing real",
        intended_use="Tests",
    )


@pytest.fixture(scope="session")
def tiny_band() -> ThreeWayPoint:
    """Two thresholds for ``tiny_meta``, which has none of itself: 0.3 and 0.7."""
    from pneumoscope.model.schema import ThreeWayPoint

    rate = Proportion(0.9, 0.8, 0.95, 90, 100)
    return ThreeWayPoint(
        lower=0.3,
        upper=0.7,
        stated=(0.05, 0.1),
        missed=Proportion(0.02, 0.0, 0.07, 2, 100),
        false_calls=Proportion(0.05, 0.02, 0.11, 5, 100),
        sensitivity=rate,
        specificity=rate,
        between=Proportion(0.1, 0.07, 0.15, 20, 200),
        between_with=Proportion(0.12, 0.07, 0.2, 12, 100),
        between_without=Proportion(0.08, 0.04, 0.15, 8, 100),
        rule="at most 5 % below, 10 % above",
        chosen_on="made up",
    )


@pytest.fixture(scope="session")
def tiny_reference() -> DriftBaseline:
    """Films to compare with, for ``tiny_meta``, which has none of itself: 400, evenly spread."""
    import numpy as np

    from pneumoscope.model.schema import DriftBaseline
    from pneumoscope.quality.measures import INPUT_STATISTICS
    from pneumoscope.stats.drift import quantiles_of

    even = quantiles_of(np.linspace(0, 1, 400))
    return DriftBaseline(
        on="400 validation films",
        films=400,
        finding=300,
        size=(1300, 1600),
        score=even,
        statistics=dict.fromkeys(INPUT_STATISTICS, even),
    )


@pytest.fixture
def tiny_bundle(tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> Path:
    """A whole bundle that reads in a millisecond."""
    from pneumoscope.model.bundle import write_bundle

    path = tmp_path / "bundles" / "tiny.onnx"
    write_bundle(path, tiny_graph, tiny_meta)
    return path


@pytest.fixture
def make_film() -> Callable[..., Path]:
    """Write a film of smooth noise: ``make_film(path, seed=0, size=(48, 40))``; the format is the suffix's."""
    import numpy as np
    from PIL import Image

    def make(path: Path, seed: int = 0, size: tuple[int, int] = (48, 40)) -> Path:
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
        return path

    return make


@pytest.fixture(scope="session")
def judged() -> SimpleNamespace:
    """Labels, probabilities and patients of films that a middling model has read."""
    import numpy as np
    from scipy.special import softmax

    generator = np.random.default_rng(0)
    labels = generator.choice(3, 300, p=[0.3, 0.45, 0.25])
    centre = np.array([[2.4, -1.2, -1.2], [-1.3, 1.7, 0.3], [-1.0, 0.3, 1.4]])
    p = softmax(centre[labels] + generator.normal(size=(300, 3)) * 1.3, axis=1)
    return SimpleNamespace(labels=labels, p=p, patients=generator.integers(180, size=300))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real PostgreSQL: that of PNEUMOSCOPE_TEST_POSTGRES, or a server of our own for the session."""
    given = os.environ.get("PNEUMOSCOPE_TEST_POSTGRES")
    if given:
        yield given
        return
    tools = {name: found for name in ("initdb", "pg_ctl") if (found := _postgres_tool(name))}
    if len(tools) < 2:
        pytest.skip("PostgreSQL is not installed (initdb, pg_ctl), and PNEUMOSCOPE_TEST_POSTGRES is not set")
    root = os.geteuid() == 0
    if root and subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="pneumoscope-pg-"))  # short: a socket's path may have 107 characters
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def do(*command: str) -> None:
        line = ["runuser", "-u", "postgres", "--", *command] if root else list(command)
        subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)

    if root:
        shutil.chown(folder, "postgres")
    data, log = str(folder / "data"), str(folder / "log")
    try:
        do(tools["initdb"], "-D", data, "-A", "trust", "-U", "pneumoscope", "-N")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        do(tools["pg_ctl"], "-D", data, "-l", log, "-o", options, "-w", "start")
        yield f"postgresql://pneumoscope@127.0.0.1:{port}/postgres"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            do(tools["pg_ctl"], "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_tool(name: str) -> str | None:
    """Debian keeps the server's programs out of the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind, as a person would name it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.db'}"
        return
    from sqlalchemy import create_engine, text

    url: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            yield f"{url.rpartition('/')[0]}/{name}"
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
