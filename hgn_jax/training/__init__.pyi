from .compilation import compile_for_backend
from .loop import prefetch, train
from .model import Batch, Model, Params, Scalars
from .optimizer import learning_rate_schedule, make_optimizer
from .training_config import OptimizerConfig, TrainingConfig, validate
from .update import TrainState, compile_update, init_state, make_update, split_among_devices, state_template

__all__ = [
    "Batch",
    "Model",
    "OptimizerConfig",
    "Params",
    "Scalars",
    "TrainState",
    "TrainingConfig",
    "compile_for_backend",
    "compile_update",
    "init_state",
    "learning_rate_schedule",
    "make_optimizer",
    "make_update",
    "prefetch",
    "split_among_devices",
    "state_template",
    "train",
    "validate",
]
