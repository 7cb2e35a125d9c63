"""Made-up frozen graphs of TensorFlow, byte by byte: the trunk of SSD MobileNetV2 with its true names and shapes.

And what they compute, from the description of the architecture, for comparison.
"""

import numpy as np
import torch
from torch.nn import functional as F

ROWS = ((1, 1, 16, 1), (2, 6, 24, 2), (3, 6, 32, 2), (4, 6, 64, 2), (3, 6, 96, 1), (3, 6, 160, 2), (1, 6, 320, 1))
"""Blocks, expansion, output channels, stride of the first block."""

NORM = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
TRUNK = "FeatureExtractor/MobilenetV2"


def blocks():
    """(name, inputs, width, outputs, stride) of every inverted residual."""
    inputs, index = 32, 0
    for count, expansion, outputs, first in ROWS:
        for position in range(count):
            name = f"{TRUNK}/expanded_conv" + (f"_{index}" if index else "")
            yield name, inputs, inputs * expansion, outputs, first if position == 0 else 1
            inputs, index = outputs, index + 1


def kernels():
    """Name and shape of every kernel: (height, width, inputs, outputs), or (height, width, channels, 1)."""
    yield f"{TRUNK}/Conv/weights", (3, 3, 3, 32)
    for name, inputs, width, outputs, _ in blocks():
        if width != inputs:
            yield f"{name}/expand/weights", (1, 1, inputs, width)
        yield f"{name}/depthwise/depthwise_weights", (3, 3, width, 1)
        yield f"{name}/project/weights", (1, 1, width, outputs)
    yield f"{TRUNK}/Conv_1/weights", (1, 1, 320, 1280)


def trunk(seed=0):
    """Arrays that keep activations in range, by name."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in kernels():
        depthwise = name.endswith("depthwise_weights")
        fan = shape[0] * shape[1] * (1 if depthwise else shape[2])
        arrays[name] = random.normal(0, (2 / fan) ** 0.5, shape)
        module = name.rpartition("/")[0]
        width = shape[2] if depthwise else shape[3]
        for field, centre in NORM.items():
            arrays[f"{module}/BatchNorm/{field}"] = centre + random.uniform(-0.3, 0.3, width)
        arrays[f"{module}/BatchNorm/batchnorm/add/y"] = np.array(0.001)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def same(x, kernel, stride, groups=1):
    """TensorFlow's padding as its documentation has it: the odd pixel at the bottom and at the right."""
    padding = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel.shape[-1] - size, 0)
        padding += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, padding), kernel, None, stride, 0, 1, groups)


def layer(x, arrays, module, stride=1, relu=True):
    if f"{module}/depthwise_weights" in arrays:
        kernel, groups = torch.tensor(arrays[f"{module}/depthwise_weights"]).permute(2, 3, 0, 1), x.shape[1]
    else:
        kernel, groups = torch.tensor(arrays[f"{module}/weights"]).permute(3, 2, 0, 1), 1
    gamma, beta, mean, variance = (torch.tensor(arrays[f"{module}/BatchNorm/{name}"]).view(-1, 1, 1) for name in NORM)
    y = (same(x, kernel, stride, groups) - mean) * gamma / (variance + 0.001).sqrt() + beta
    return y.clamp(0, 6) if relu else y


def features(arrays, pixels):
    """What the graph says of pixels: the architecture once more, from its description."""
    x = layer(pixels.float() * (2 / 255) - 1, arrays, f"{TRUNK}/Conv", 2)
    outputs = []
    for name, inputs, width, channels, stride in blocks():
        y = layer(x, arrays, f"{name}/expand") if width != inputs else x
        y = layer(layer(y, arrays, f"{name}/depthwise", stride), arrays, f"{name}/project", relu=False)
        x = x + y if stride == 1 and inputs == channels else y
        outputs.append(x)
    return [outputs[2], outputs[5], outputs[12], layer(x, arrays, f"{TRUNK}/Conv_1")]


def varint(value):
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number, value):
    """A field with a number, or with bytes or text."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(**fields):
    """Fields by names such as f3, in order."""
    return b"".join(field(int(name[1:]), value) for name, value in fields.items())


def constant(name, content, shape, kind=1):
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    # As TensorFlow writes them: numbers without a shape in a list, arrays as their bytes.
    tensor = field(1, kind) + field(2, sizes) + field(4 if shape else 5, content)
    kind_entry = field(5, message(f1="dtype", f2=field(6, kind)))
    return node(name, "Const", kind_entry + field(5, message(f1="value", f2=field(8, tensor))))


def node(name, operation, rest=b""):
    return field(1, message(f1=name, f2=operation) + rest)


def graph(arrays):
    """The bytes of a graph with these constants, and with operations and whole numbers between them."""
    parts = [node("image_tensor", "Placeholder")]
    for name, array in arrays.items():
        parts.append(constant(name, array.tobytes(), array.shape))
        parts.append(node(f"{name}/read", "Identity", field(3, name)))
    parts.append(constant("Shape/stack", np.array([300, 300], np.int32).tobytes(), (2,), kind=3))
    return b"".join(parts) + field(4, field(1, 24))


def written(data, folder, name="frozen_inference_graph.pb"):
    path = folder / name
    path.write_bytes(data)
    return path
