"""Does the network's answer hang on the places that the evidence names? They are taken away, or given back, in turn.

Petsiuk, Das, Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018, section 4.1.
Their reference for deletion is a gray picture and for insertion a blurred one. On chest films neither works alone: a
film without any detail looks like a film without aerated lungs, and a network may call it. So there are two
references: the same places of another child's film that is called normal, and the blurred film; the result says what
probability each has by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.measured import mean_of
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.sanity.result import Curve, Perturbation
from pneumoscope.evaluation.stress.tones import smooth
from pneumoscope.statistics.intervals import bootstrap_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.sanity.network import Network, Seen

    Picture = NDArray[np.float32]

__all__ = ["REFERENCES", "SHARES", "blocks", "perturb", "walk"]

SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Of the map's places that have changed, at each step."""

REFERENCES = ("a normal film", "blurred")
_BLUR = 1 / 12  # of the picture's side
_ORDERS = ("by evidence", "at random")
_FILMS = "sanity"


def perturb(
    network: Network,
    called: Sequence[Seen],
    normal: Sequence[Seen],
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
                walk(network, start, end, order, film.map.shape)
                for start, end in ((film.picture, other), (other, film.picture))
                for order in (by_evidence, at_random)
            ]
        )

    # [films, 4, shares]: deletion by evidence, at random; insertion likewise.
    found = np.stack(list(watch(stream(one, range(len(called)), threads))))
    areas: NDArray[np.float64] = np.asarray(np.trapezoid(found, SHARES, axis=2))
    people = [film.patient for film in called]

    def curve(which: int) -> Curve:
        return _curve(found[:, which], areas[:, which], _ORDERS[which % 2], people, rng)

    return Perturbation(
        reference=reference,
        films=len(called),
        share=SHARES,
        deletion=(curve(0), curve(1)),
        insertion=(curve(2), curve(3)),
        deletion_gain=mean_of("deletion gain", areas[:, 1] - areas[:, 0], people, _FILMS, rng=rng),
        insertion_gain=mean_of("insertion gain", areas[:, 2] - areas[:, 3], people, _FILMS, rng=rng),
        reference_probability=mean_of("probability of the reference", found[:, 0, -1], people, _FILMS, rng=rng),
    )


def walk(
    network: Network, start: Picture, end: Picture, order: NDArray[np.int64], shape: tuple[int, ...]
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
) -> Curve:
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
    return Curve(
        order=order,
        probability=tuple(end.value for end in ends),
        low=tuple(end.low for end in ends),
        high=tuple(end.high for end in ends),
        area=mean_of(f"area, {order}", areas, people, _FILMS, rng=rng),
    )
