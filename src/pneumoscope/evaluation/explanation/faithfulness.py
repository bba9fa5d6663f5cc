"""Deletion and insertion curves, and the parameter randomization test.

Petsiuk, Das, Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018, section 4.1.
Their reference for deletion is a gray picture and for insertion a blurred one. On chest films neither works alone: a
film without any detail looks like a film without aerated lungs, and a network may call it. So there are two
references: the same places of another child's film that is called normal, and the blurred film; the result says what
probability each has by itself.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, "Sanity checks for saliency maps", NeurIPS 2018, section 3.1: a map
that stays the same when the weights become random shows the film's edges, not the network's reasons.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.evaluation.explanation.result import (
    ParameterRandomization,
    Perturbation,
    PerturbationAverage,
    RandomizationStage,
)
from pneumoscope.evaluation.inference import ordered_map
from pneumoscope.evaluation.robustness.transforms import smooth
from pneumoscope.stats.bootstrap import bootstrap_sums
from pneumoscope.stats.metrics import mean_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.network import FilmEvidence, OpenBundle

__all__ = [
    "REFERENCES",
    "SHARES",
    "blocks",
    "deletion_insertion_curves",
    "parameter_randomization",
    "perturbation_path",
    "rank_correlation",
    "shuffled",
    "weights_from_the_top",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.network import FilmEvidence, OpenBundle

    Picture = NDArray[np.float32]


SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Of the map's places that have changed, at each step."""

REFERENCES = ("a normal film", "blurred")
_BLUR = 1 / 12  # of the picture's side
_ORDERS = ("by evidence", "at random")
_FILMS = "sanity"


def deletion_insertion_curves(
    network: OpenBundle,
    called: Sequence[FilmEvidence],
    normal: Sequence[FilmEvidence],
    reference: str,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    watch: Callable[[Iterator[NDArray[np.float64]]], Iterable[NDArray[np.float64]]] = iter,
) -> Perturbation:
    """Deletion and insertion curves.

    Args:
        network: The bundle.
        called: Films with the finding that were called.
        normal: Films that were not; where the reference is "a normal film", each called film meets one of them.
        reference: One of ``REFERENCES``.
        rng: For the random order and the pairs.
        threads: Films at once.
        watch: Passes the films' rows on, for a bar.
    """
    partners = rng.integers(len(normal), size=len(called)) if reference == REFERENCES[0] else None
    seeds = rng.integers(2**32, size=len(called))

    def one(place: int) -> NDArray[np.float64]:
        film = called[place]
        if partners is None:
            other = smooth(film.picture, _BLUR * film.picture.shape[0])
        else:
            other = normal[int(partners[place])].picture
        by_evidence = np.argsort(-film.map.ravel(), kind="stable")
        at_random = np.random.default_rng(int(seeds[place])).permutation(film.map.size)
        return np.array(
            [
                perturbation_path(network, start, end, order, film.map.shape)
                for start, end in ((film.picture, other), (other, film.picture))
                for order in (by_evidence, at_random)
            ]
        )

    # [films, 4, shares]: deletion by evidence, at random; insertion likewise.
    found = np.stack(list(watch(ordered_map(one, range(len(called)), threads))))
    areas: NDArray[np.float64] = np.asarray(np.trapezoid(found, SHARES, axis=2))
    people = [film.patient for film in called]

    def curve(which: int) -> PerturbationAverage:
        return _curve(found[:, which], areas[:, which], _ORDERS[which % 2], people, rng)

    return Perturbation(
        reference=reference,
        films=len(called),
        share=SHARES,
        deletion=(curve(0), curve(1)),
        insertion=(curve(2), curve(3)),
        deletion_gain=mean_metric("deletion gain", areas[:, 1] - areas[:, 0], people, _FILMS, rng=rng),
        insertion_gain=mean_metric("insertion gain", areas[:, 2] - areas[:, 3], people, _FILMS, rng=rng),
        reference_probability=mean_metric("probability of the reference", found[:, 0, -1], people, _FILMS, rng=rng),
    )


def perturbation_path(
    network: OpenBundle, start: Picture, end: Picture, order: NDArray[np.int64], shape: tuple[int, ...]
) -> list[float]:
    """The finding's probability while places turn from one picture into another.

    Args:
        network: The bundle.
        start: float32 [size, size].
        end: float32 [size, size].
        order: The places of the map, [h * w], the first to change first.
        shape: (h, w) of the map.

    Returns:
        One for each of ``SHARES``.
    """
    found = []
    for share in SHARES:
        changed = np.zeros(order.size, dtype=bool)
        changed[order[: round(share * order.size)]] = True
        mask = blocks(changed.reshape(shape), start.shape)
        found.append(network.look(np.where(mask, end, start))[0])
    return found


def blocks(cells: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Places of a map as places of a picture: each pixel takes the place that its centre lies in."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, cells.shape, strict=True))
    return cells[np.ix_(rows, columns)]


def _curve(
    values: NDArray[np.float64], areas: NDArray[np.float64], order: str, people: Sequence[str], rng: np.random.Generator
) -> PerturbationAverage:
    """Pointwise means over films, [films, shares], with their intervals."""
    ends = [
        bootstrap_sums(
            lambda x: x[:, 0] / x[:, 1],
            np.stack([column, np.ones(len(column))], axis=1),
            np.asarray(people),
            1000,
            generator=rng,
        )
        for column in values.T
    ]
    return PerturbationAverage(
        order=order,
        probability=tuple(end.value for end in ends),
        low=tuple(end.low for end in ends),
        high=tuple(end.high for end in ends),
        area=mean_metric(f"area, {order}", areas, people, _FILMS, rng=rng),
    )


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


def parameter_randomization(
    network: OpenBundle,
    seen: Sequence[FilmEvidence],
    *,
    rng: np.random.Generator,
    draws: int = 3,
    most_stages: int = 10,
    threads: int = 1,
    watch: Callable[[list[int]], Iterable[int]] = iter,
) -> ParameterRandomization:
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
            found[draw] = list(ordered_map(partial(_against, other), seen, threads))
        stages.append(
            RandomizationStage(
                layers=count,
                name=layers[count - 1][0],
                correlation=mean_metric("rank correlation", found.mean(axis=0), people, "sanity", rng=rng),
                size=mean_metric("absolute rank correlation", np.abs(found).mean(axis=0), people, "sanity", rng=rng),
            )
        )
    return ParameterRandomization(
        weights=len(layers),
        draws=draws,
        stages=tuple(stages),
        between_films=mean_metric("rank correlation between films", _between_films(seen), people, "sanity", rng=rng),
    )


def _against(other: OpenBundle, one: FilmEvidence) -> float:
    return rank_correlation(one.map, other.look(one.picture)[1])


def rank_correlation(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Spearman's correlation of two maps, ties sharing their rank; 0 where one of them is flat."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def _between_films(seen: Sequence[FilmEvidence]) -> list[float]:
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
