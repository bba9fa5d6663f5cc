"""Does the map hang on what the network has learned? Its weights are shuffled, from the output down.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, "Sanity checks for saliency maps", NeurIPS 2018, section 3.1: a map
that stays the same when the weights become random shows the film's edges, not the network's reasons.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.evaluation.measured import mean_of
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.sanity.result import Randomised, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.sanity.network import Network, Seen

__all__ = ["randomise", "rank_correlation", "shuffled", "weights_from_the_top"]

_CARRIERS = {"Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_BIASED = {"Conv": 2, "Gemm": 2}


def weights_from_the_top(graph: bytes) -> list[tuple[str, ...]]:
    """The learned weights of a graph, the one nearest to the output first.

    Args:
        graph: ONNX bytes.

    Returns:
        For each layer the names of its initialisers: the kernel or matrix, and its bias where it has one.

    Raises:
        MissingExtra: onnx is not installed.
        UsageError: There are none.
    """
    model = _load(graph)
    sizes = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    users: dict[str, list[tuple[int, Any]]] = {}
    for place, node in enumerate(model.graph.node):
        for name in node.input:
            users.setdefault(name, []).append((place, node))

    def last_use(name: str) -> tuple[int, Any] | None:
        """Where it enters the computation, past casts and reshapes."""
        found: tuple[int, Any] | None = None
        for place, node in users.get(name, []):
            real = last_use(node.output[0]) if node.op_type in _CARRIERS else (place, node)
            if real is not None and (found is None or real[0] > found[0]):
                found = real
        return found

    layers: list[tuple[int, tuple[str, ...]]] = []
    for name, axes in sizes.items():
        use = last_use(name) if axes >= 2 else None
        if use is None:
            continue
        place, node = use
        slot = _BIASED.get(node.op_type)
        bias = str(node.input[slot]) if slot is not None and len(node.input) > slot else ""
        layers.append((place, (name, bias) if bias in sizes else (name,)))
    if not layers:
        raise UsageError("the graph has no weights of two axes or more", remedy="Give a bundle of a trained network")
    return [names for _, names in sorted(layers, key=lambda layer: -layer[0])]


def shuffled(graph: bytes, names: Sequence[str], rng: np.random.Generator) -> bytes:
    """The graph with the values of some initialisers in random order.

    Shuffling is a draw from the weights' own distribution, of any type of number (halves, bytes), so that the
    activations keep their size and the network's answer stays finite.

    Args:
        graph: ONNX bytes.
        names: Of the initialisers.
        rng: For the order.

    Raises:
        MissingExtra: onnx is not installed.
    """
    from onnx import numpy_helper  # noqa: PLC0415 - an extra; _load has told if it is missing

    model = _load(graph)
    by_name = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in names:
        values = numpy_helper.to_array(by_name[name])
        mixed = rng.permutation(values.ravel()).reshape(values.shape)
        by_name[name].CopyFrom(numpy_helper.from_array(mixed, name))
    data: bytes = model.SerializeToString()
    return data


def randomise(
    network: Network,
    seen: Sequence[Seen],
    *,
    rng: np.random.Generator,
    draws: int = 3,
    most_stages: int = 10,
    threads: int = 1,
    watch: Callable[[list[int]], Iterable[int]] = iter,
) -> Randomised:
    """Compare each film's map with those of networks whose top weights are shuffled, more and more of them.

    Args:
        network: The bundle.
        seen: Films with their maps.
        rng: For the shuffling.
        draws: Random networks at each stage.
        most_stages: At most so many stages, spread evenly over the weights; the first and the last are among them.
        threads: Films at once.
        watch: Passes the stages on, for a bar.

    Raises:
        MissingExtra: onnx is not installed.
        UsageError: The graph has no weights.
    """
    layers = weights_from_the_top(network.graph)
    counts = np.unique(np.linspace(1, len(layers), min(most_stages, len(layers))).round()).astype(int).tolist()
    people = [one.patient for one in seen]
    stages = []
    for count in watch(counts):
        names = [name for layer in layers[:count] for name in layer]
        found = np.zeros((draws, len(seen)))
        for draw in range(draws):
            other = network.with_graph(shuffled(network.graph, names, rng))
            found[draw] = list(stream(partial(_against, other), seen, threads))
        stages.append(
            Stage(
                layers=count,
                name=layers[count - 1][0],
                correlation=mean_of("rank correlation", found.mean(axis=0), people, "sanity", rng=rng),
                size=mean_of("absolute rank correlation", np.abs(found).mean(axis=0), people, "sanity", rng=rng),
            )
        )
    return Randomised(
        weights=len(layers),
        draws=draws,
        stages=tuple(stages),
        between_films=mean_of("rank correlation between films", _neighbours(seen), people, "sanity", rng=rng),
    )


def _against(other: Network, one: Seen) -> float:
    return rank_correlation(one.map, other.look(one.picture)[1])


def rank_correlation(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Spearman's correlation of two maps, ties sharing their rank; 0 where one of them is flat."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def _neighbours(seen: Sequence[Seen]) -> list[float]:
    """The rank correlation of each film's map with the next one's of another patient."""
    found = []
    for place, one in enumerate(seen):
        others = (seen[(place + k) % len(seen)] for k in range(1, len(seen)))
        other = next((film for film in others if film.patient != one.patient), None)
        found.append(0.0 if other is None else rank_correlation(one.map, other.map))
    return found


def _load(graph: bytes) -> Any:
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra.named("onnx", extra="train", needed_for="shuffling a network's weights") from error
    return onnx.load_from_string(graph)
