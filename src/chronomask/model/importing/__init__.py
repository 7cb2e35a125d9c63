"""Initial weights from checkpoints of other programs."""

from chronomask.model.importing.weights import import_weights, load_imagenet

__all__ = ["import_weights", "load_imagenet"]
