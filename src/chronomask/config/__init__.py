"""Settings as frozen dataclasses. Named models and recipes are functions that return one; nothing here is mutable."""

from chronomask.config.data import MixtureConfig, MotionConfig, published_motion
from chronomask.config.evaluation import EvaluateConfig
from chronomask.config.model import (
    NAMED_MODELS,
    TUBE_STATISTICS,
    AttentionKind,
    BackboneName,
    ClassSource,
    ModelConfig,
    NormKind,
    lite,
    model_from_json,
    model_to_json,
    paper,
)
from chronomask.config.segmentation import EVERYTHING, ClusterConfig, SegmentConfig, StitchConfig
from chronomask.config.training import (
    CLASS_LISTS,
    HOLDOUT,
    RECIPES,
    LossConfig,
    MachineConfig,
    NamesConfig,
    TrainConfig,
    WatchConfig,
    fine_tune_recipe,
    lite_recipe,
    paper_recipe,
)

__all__ = [
    "CLASS_LISTS",
    "EVERYTHING",
    "HOLDOUT",
    "NAMED_MODELS",
    "RECIPES",
    "TUBE_STATISTICS",
    "AttentionKind",
    "BackboneName",
    "ClassSource",
    "ClusterConfig",
    "EvaluateConfig",
    "LossConfig",
    "MachineConfig",
    "MixtureConfig",
    "ModelConfig",
    "MotionConfig",
    "NamesConfig",
    "NormKind",
    "SegmentConfig",
    "StitchConfig",
    "TrainConfig",
    "WatchConfig",
    "fine_tune_recipe",
    "lite",
    "lite_recipe",
    "model_from_json",
    "model_to_json",
    "paper",
    "paper_recipe",
    "published_motion",
]
