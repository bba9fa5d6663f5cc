"""What a bundle's graph may hold: no data outside the file, no foreign operators, no loops, and nothing that swells.

ONNX Runtime reads "external data" from paths that the graph names, relative to the working directory, and so would
put a file of this machine into a reading. The graph is walked here before the runtime sees it, through every subgraph
and attribute, by the field numbers of onnx.proto3 and without the onnx package. What is not understood is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pneumoscope.errors import BundleDamaged

__all__ = ["check_graph"]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    Fields: TypeAlias = Iterator[tuple[int, int | memoryview]]


_REMEDY = "Export the model again, as one file of plain ONNX operators"
_MOST_NODES = 20_000
_MOST_DEPTH = 8  # of graphs in graphs
_MOST_ELEMENTS = 1 << 28  # of a tensor that a constant asks for: a gigabyte of float32
_SMALL = 16  # elements; a shape, a scale or a number of repeats has no more
_DOMAINS = frozenset({"", "ai.onnx"})
_REFUSED = frozenset({"Loop", "Scan", "SequenceMap", "ImageDecoder"})
_SIZED_BY = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Tile": (1,),
    "Pad": (1,),
    "Resize": (2, 3),
    "Upsample": (1,),
    "Range": (1,),
    "OneHot": (1,),
}
"""Inputs that say how large the output becomes (onnx/docs/Operators.md)."""

_EXTERNAL = 1  # TensorProto.DataLocation
_TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 11: "<f8"}  # TensorProto.DataType: those of shapes, scales and repeats
_TYPED_DATA = {4: "<f4", 10: "<f8"}  # TensorProto.float_data and double_data, as they are packed


@dataclass(slots=True)
class _Seen:
    """What was met on the way.

    Attributes:
        nodes: Their number, those of subgraphs too.
        constants: Small tensors by name.
        sized: Operators whose output is as large as the tensor of a name says.
    """

    nodes: int = 0
    constants: dict[str, list[float]] = field(default_factory=dict)
    sized: list[tuple[str, str]] = field(default_factory=list)


def check_graph(graph: bytes, *, where: str | PathLike[str]) -> None:
    """Refuse a graph that reads other files, has operators that no network needs, or would fill the memory.

    Args:
        graph: A serialised ONNX model (``ModelProto``).
        where: The bundle's file, for messages.

    Raises:
        BundleDamaged: It is such a graph, or none at all.
    """
    seen = _Seen()
    try:
        _model(memoryview(graph), seen)
        _check_sizes(seen)
    except (ValueError, IndexError) as error:
        what = str(error) if isinstance(error, ValueError) else "it is cut short"
        raise BundleDamaged(f"the graph may not be run: {what}", where=where, remedy=_REMEDY) from error


def _check_sizes(seen: _Seen) -> None:
    for operator, name in seen.sized:
        if prod(max(1.0, abs(value)) for value in seen.constants.get(name, ())) > _MOST_ELEMENTS:
            raise ValueError(f"its operator {operator} makes a tensor of more than {_MOST_ELEMENTS:,} elements")


def _model(message: memoryview, seen: _Seen) -> None:
    for number, value in _fields(message):
        if number == 7:
            _graph(_part(value), seen, 0)
        elif number == 20:
            raise ValueError("it has a graph for training")
        elif number == 25:
            raise ValueError("it has functions of its own")


def _graph(message: memoryview, seen: _Seen, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise ValueError("its subgraphs lie too deep")
    for number, value in _fields(message):
        if number == 1:
            _node(_part(value), seen, depth)
        elif number == 5:
            name, values = _tensor(_part(value))
            _remember(seen, name, values)
        elif number == 15:
            raise ValueError("it has sparse weights")


def _node(message: memoryview, seen: _Seen, depth: int) -> None:
    texts: dict[int, list[str]] = {1: [], 2: [], 4: [], 7: []}  # inputs, outputs, operator, domain
    held: list[float] | None = None
    for number, value in _fields(message):
        if number in texts:
            texts[number].append(_text(value))
        elif number == 5:
            held = _attribute(_part(value), seen, depth) or held
    inputs, outputs, (operator, *more), domain = texts[1], texts[2], texts[4] or [""], texts[7]
    seen.nodes += 1
    if seen.nodes > _MOST_NODES:
        raise ValueError(f"it has more than {_MOST_NODES:,} nodes")
    if more or not set(domain) <= _DOMAINS or operator in _REFUSED:
        raise ValueError(f"it has the operator {'::'.join([*domain, operator, *more])[:80]!r}")
    if operator == "Constant" and outputs:
        _remember(seen, outputs[0], held)
    seen.sized += [(operator, inputs[place]) for place in _SIZED_BY.get(operator, ()) if place < len(inputs)]


def _attribute(message: memoryview, seen: _Seen, depth: int) -> list[float] | None:
    """Walk what an attribute holds; its numbers, if they are few."""
    numbers: list[float] = []
    for number, value in _fields(message):
        if number in {5, 10}:  # t, tensors
            _, values = _tensor(_part(value))
            numbers += values or []
        elif number in {6, 11}:  # g, graphs
            _graph(_part(value), seen, depth + 1)
        elif number in {22, 23}:
            raise ValueError("it has sparse weights")
        elif number in {3, 8}:  # i, ints
            numbers += _integers(value)
        elif number in {2, 7}:  # f, floats
            numbers += _first(value, "<f4")
    return numbers if 0 < len(numbers) <= _SMALL else None


def _tensor(message: memoryview) -> tuple[str, list[float] | None]:
    """The name and the numbers of a tensor; None if they are many, or of a kind that no shape has.

    Raises:
        ValueError: Its data lie outside the file.
    """
    name, kind = "", 0
    dims: list[float] = []
    numbers: list[float] = []
    raw = memoryview(b"")
    for number, value in _fields(message):
        if number == 13 or (number == 14 and value == _EXTERNAL):
            raise ValueError("it has data outside the file")
        if number == 1:
            dims += _integers(value)
        elif number == 2:
            kind = value if isinstance(value, int) else 0
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = _part(value)
        elif number in {5, 7} and len(numbers) <= _SMALL:  # int32_data, int64_data
            numbers += _integers(value)
        elif number in _TYPED_DATA and len(numbers) <= _SMALL:
            numbers += _first(value, _TYPED_DATA[number])
    if prod(dims) > _SMALL or kind not in _TYPES:
        return name, None
    return name, numbers + _first(raw, _TYPES[kind])


def _remember(seen: _Seen, name: str, values: list[float] | None) -> None:
    """Of two constants of one name, in a graph and a subgraph, the larger counts."""
    if values is not None and prod(map(abs, values)) >= prod(map(abs, seen.constants.get(name, [0.0]))):
        seen.constants[name] = values


def _fields(message: memoryview) -> Fields:
    """The fields of a protobuf message: number, and the integer or the bytes.

    Raises:
        IndexError: It is cut short.
        ValueError: It has groups, which ONNX has not.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in {1, 5}:
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("it is no ONNX model")
        if position + length > len(message):
            raise IndexError
        yield tag >> 3, message[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 70:
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & (1 << 64) - 1, position
        shift += 7
    raise ValueError("it is no ONNX model")


def _integers(value: int | memoryview) -> list[float]:
    """One integer, or packed ones, with their sign; no more than are small."""
    if isinstance(value, int):
        return [float(_signed(value))]
    found: list[float] = []
    position = 0
    while position < len(value) and len(found) <= _SMALL:
        number, position = _varint(value, position)
        found.append(float(_signed(number)))
    return found


def _first(value: int | memoryview, kind: str) -> list[float]:
    """The first of packed numbers of a kind; no more than are small."""
    some = _part(value)[: np.dtype(kind).itemsize * (_SMALL + 1)]
    return [float(number) for number in np.frombuffer(some, kind)]


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no ONNX model")  # noqa: TRY004 - of the file, not of a caller
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_part(value)).decode(errors="replace")
