"""The weights in a frozen graph of TensorFlow 1 (`frozen_inference_graph.pb`), without TensorFlow.

Such a file is a protocol buffer: GraphDef > NodeDef > AttrValue > TensorProto. Only constants are looked at; the
operations of the graph are passed over, so that nothing can be run. The few fields are read by hand, because the
descriptions of these messages, which a protobuf library needs, come with TensorFlow alone.
"""

from __future__ import annotations

from collections import defaultdict
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chronomask.errors import refusing

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT32 = 1  # DataType.DT_FLOAT

Message = dict[int, list[int | memoryview]]
"""The values of a message by the numbers of their fields: numbers, or the bytes of text and of further messages."""


def read_graph(path: Path) -> dict[str, Tensor]:
    """The float32 constants of a frozen graph by the names of their nodes, in the order of the file.

    Kernels are turned to PyTorch's order: (outputs, inputs, height, width), and for depthwise ones
    (channels, 1, height, width). Constants of other types (shapes, axes, texts) are left out.

    Raises:
        InputError: the file is not a graph, or is damaged.
    """
    tensors = {}
    with refusing(path, "not a frozen graph of TensorFlow, or damaged"):  # unfinished numbers, forged shapes
        for data in _messages(_parse(memoryview(path.read_bytes())), 1):
            node = _parse(data)
            if _text(node, 2) == "Const":
                name = _text(node, 1)
                tensor = _parse(_constant(name, node))
                if tensor.get(1) == [_FLOAT32]:
                    tensors[name] = _in_our_order(name, _numbers(name, tensor))
    return tensors


def _constant(name: str, node: Message) -> memoryview:
    for data in _messages(node, 5):
        attribute = _parse(data)
        if _text(attribute, 1) == "value":
            return _first(_parse(_first(attribute, 2)), 8)
    raise ValueError(f"the constant {name!r} has no value")


def _numbers(name: str, tensor: Message) -> Tensor:
    sizes = [_parse(size) for shape in _messages(tensor, 2) for size in _messages(_parse(shape), 2)]
    shape = [int(size.get(1, [0])[0]) for size in sizes]
    raw = b"".join(_messages(tensor, 4)) or b"".join(_messages(tensor, 5))  # the content, or else a list of numbers
    values = torch.from_numpy(np.frombuffer(raw, "<f4").astype(np.float32))
    if len(values) == 1 and all(size < 2**31 for size in shape):
        return values[0].expand(shape)  # one number may stand for all; a view, whatever size a forged file claims
    if len(values) != prod(shape):
        raise ValueError(f"the constant {name!r} has {len(values)} numbers for the shape {shape}")
    return values.view(shape)


def _in_our_order(name: str, constant: Tensor) -> Tensor:
    if constant.ndim != 4:
        return constant
    return constant.permute(2, 3, 0, 1) if name.endswith("depthwise_weights") else constant.permute(3, 2, 0, 1)


def _messages(message: Message, number: int) -> list[memoryview]:
    return [value for value in message.get(number, []) if isinstance(value, memoryview)]


def _first(message: Message, number: int) -> memoryview:
    values = _messages(message, number)
    if not values:
        raise ValueError(f"a message lacks its field {number}")
    return values[0]


def _text(message: Message, number: int) -> str:
    return str(_first(message, number), "utf-8")


def _parse(data: memoryview) -> Message:
    """Splits a message into its fields.

    Raises:
        ValueError: a field of a kind that does not exist, or one that is longer than the message.
        IndexError: the message ends within a number.
    """
    message: Message = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            message[tag >> 3].append(value)
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if length > len(data) - at:
            raise ValueError("a field is longer than what holds it")
        message[tag >> 3].append(data[at : at + length])
        at += length
    return message


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of more than 64 bits")
