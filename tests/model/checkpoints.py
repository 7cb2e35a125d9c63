"""Made-up checkpoints of other programs, written down from their architectures: a trunk of a given depth, a pyramid of
256 channels, and the heads of Mask R-CNN for COCO.

Legend: a trunk is a dict from (stage, block, role, field) to a tensor; stage 0 is the stem, roles are conv1, conv2,
conv3 and shortcut, fields are kernel, weight, bias, running_mean and running_var (the last four of the norm).
"""

import torch

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
NORM_FIELDS = ("weight", "bias", "running_mean", "running_var")


def convolutions(depth):
    """(stage, block, role) and the kernel's shape of every convolution of a ResNet."""
    yield (0, 0, "conv1"), (64, 3, 7, 7)
    inputs = 64
    for stage, count in enumerate(BLOCKS[depth], start=1):
        width = 64 * 2 ** (stage - 1)
        for block in range(count):
            yield (stage, block, "conv1"), (width, inputs, 1, 1)
            yield (stage, block, "conv2"), (width, width, 3, 3)
            yield (stage, block, "conv3"), (4 * width, width, 1, 1)
            if block == 0:
                yield (stage, block, "shortcut"), (4 * width, inputs, 1, 1)
            inputs = 4 * width


def trunk(depth, make):
    """A trunk whose tensors come from make(field, shape)."""
    tensors = {}
    for place, shape in convolutions(depth):
        tensors[(*place, "kernel")] = make("kernel", shape)
        for field in NORM_FIELDS:
            tensors[(*place, field)] = make(field, shape[:1])
    return tensors


def pyramid(make):
    """(level, kind, field) to tensor; level 0 has stride 4, kinds are lateral and output."""
    tensors = {}
    for level in range(4):
        for kind, shape in (("lateral", (256, 256 * 2**level, 1, 1)), ("output", (256, 256, 3, 3))):
            tensors[level, kind, "weight"] = make("kernel", shape)
            tensors[level, kind, "bias"] = make("bias", (256,))
    return tensors


def constant(field, shape):
    """One number behind any shape: files of true shapes that take no room. Variances must not be negative."""
    return torch.full((1,), 0.5).expand(shape)


def random(seed=0):
    """A `make` of values that keep activations in range through a whole ResNet."""
    generator = torch.Generator().manual_seed(seed)

    def make(field, shape):
        noise = torch.randn(shape, generator=generator)
        if field == "kernel":
            return noise / (shape[1] * shape[2] * shape[3]) ** 0.5
        if field == "running_var":
            return torch.rand(shape, generator=generator) + 0.5
        return noise * 0.1 + (field == "weight") * 0.7

    return make


def torchvision_trunk(tensors, prefix="backbone.body."):
    names = {}
    for (stage, block, role, field), tensor in tensors.items():
        place = "" if stage == 0 else f"layer{stage}.{block}."
        if role == "shortcut":
            name = "downsample.0.weight" if field == "kernel" else f"downsample.1.{field}"
        else:
            name = f"{role}.weight" if field == "kernel" else f"bn{role[-1]}.{field}"
        names[prefix + place + name] = tensor
    return names


def torchvision_pyramid(tensors, wrapped=True):
    kinds = {"lateral": "inner_blocks", "output": "layer_blocks"}
    return {
        f"backbone.fpn.{kinds[kind]}.{level}.{'0.' if wrapped else ''}{field}": tensor
        for (level, kind, field), tensor in tensors.items()
    }


def detectron2_trunk(tensors):
    names = {}
    for (stage, block, role, field), tensor in tensors.items():
        place = "stem" if stage == 0 else f"res{stage + 1}.{block}"
        names[f"backbone.bottom_up.{place}.{role}.{'weight' if field == 'kernel' else f'norm.{field}'}"] = tensor
    return names


def detectron2_pyramid(tensors):
    return {f"backbone.fpn_{kind}{level + 2}.{field}": tensor for (level, kind, field), tensor in tensors.items()}


def benchmark_trunk(tensors):
    names = torchvision_trunk(tensors, "module.backbone.body.")
    stem = ("module.backbone.body.conv1.", "module.backbone.body.bn1.")
    return {n.replace("body.", "body.stem.") if n.startswith(stem) else n: tensor for n, tensor in names.items()}


def benchmark_pyramid(tensors):
    kinds = {"lateral": "inner", "output": "layer"}
    return {f"module.backbone.fpn.fpn_{kinds[k]}{level + 1}.{field}": t for (level, k, field), t in tensors.items()}


def _with_biases(shapes):
    for name, shape in shapes.items():
        yield f"{name}.weight", shape
        yield f"{name}.bias", (shape[1],) if "deconv" in name or "conv5" in name else shape[:1]


def torchvision_heads(wrapped=True):
    inner = ".0.0" if wrapped else ""
    shapes = {
        f"rpn.head.conv{inner}": (256, 256, 3, 3),
        "rpn.head.cls_logits": (3, 256, 1, 1),
        "rpn.head.bbox_pred": (12, 256, 1, 1),
        "roi_heads.box_head.fc6": (1024, 12544),
        "roi_heads.box_head.fc7": (1024, 1024),
        "roi_heads.box_predictor.cls_score": (91, 1024),
        "roi_heads.box_predictor.bbox_pred": (364, 1024),
        "roi_heads.mask_predictor.conv5_mask": (256, 256, 2, 2),
        "roi_heads.mask_predictor.mask_fcn_logits": (91, 256, 1, 1),
    }
    for index in range(4):
        name = f"{index}.0" if wrapped else f"mask_fcn{index + 1}"
        shapes[f"roi_heads.mask_head.{name}"] = (256, 256, 3, 3)
    return {name: constant("", shape) for name, shape in _with_biases(shapes)}


def detectron2_heads():
    shapes = {
        "proposal_generator.rpn_head.conv": (256, 256, 3, 3),
        "proposal_generator.rpn_head.objectness_logits": (3, 256, 1, 1),
        "proposal_generator.rpn_head.anchor_deltas": (12, 256, 1, 1),
        "roi_heads.box_head.fc1": (1024, 12544),
        "roi_heads.box_head.fc2": (1024, 1024),
        "roi_heads.box_predictor.cls_score": (81, 1024),
        "roi_heads.box_predictor.bbox_pred": (320, 1024),
        "roi_heads.mask_head.deconv": (256, 256, 2, 2),
        "roi_heads.mask_head.predictor": (80, 256, 1, 1),
        **{f"roi_heads.mask_head.mask_fcn{index}": (256, 256, 3, 3) for index in (1, 2, 3, 4)},
    }
    anchors = {f"proposal_generator.anchor_generator.cell_anchors.{level}": (3, 4) for level in range(5)}
    return {name: constant("", shape) for name, shape in [*_with_biases(shapes), *anchors.items()]}


def benchmark_heads():
    shapes = {
        "rpn.head.conv": (256, 256, 3, 3),
        "rpn.head.cls_logits": (3, 256, 1, 1),
        "rpn.head.bbox_pred": (12, 256, 1, 1),
        "roi_heads.box.feature_extractor.fc6": (1024, 12544),
        "roi_heads.box.feature_extractor.fc7": (1024, 1024),
        "roi_heads.box.predictor.cls_score": (81, 1024),
        "roi_heads.box.predictor.bbox_pred": (324, 1024),
        "roi_heads.mask.predictor.conv5_mask": (256, 256, 2, 2),
        "roi_heads.mask.predictor.mask_fcn_logits": (81, 256, 1, 1),
        **{f"roi_heads.mask.feature_extractor.mask_fcn{index}": (256, 256, 3, 3) for index in (1, 2, 3, 4)},
    }
    anchors = {f"rpn.anchor_generator.cell_anchors.{level}": (3, 4) for level in range(5)}
    return {f"module.{name}": constant("", shape) for name, shape in [*_with_biases(shapes), *anchors.items()]}
