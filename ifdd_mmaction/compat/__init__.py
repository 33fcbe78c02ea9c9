"""The one place that knows the defects of the installed stack, and corrects them.

MMAction2 has not moved since October 2023 while PyTorch, NumPy and transformers have.
Each function here corrects one defect, may be called any number of times, and does
nothing where the defect is absent. ``import ifdd_mmaction`` calls :func:`apply`.
"""

from .counting import count_beside_numbers
from .distributed import (
    init_dist_on_cpu,
    name_fsdp_arguments,
    wait_for_gloo_threads,
    wrap_ddp_on_cpu,
)
from .drawing import draw_labels
from .imports import (
    disable_broken_multimodal,
    hush_mmcv_lite,
    require_mmcv,
    serve_missing_drn,
)
from .loading import (
    allow_checkpoint_globals,
    load_weights_only,
    load_weights_that_fit,
    load_yaml_safely,
)
from .training import (
    allow_amp_on_cpu,
    checkpoint_without_reentry,
    let_cublas_repeat,
    load_without_workers,
    score_in_float32,
)

__all__ = ['apply', 'apply_to_models']


def apply() -> None:
    """Apply every correction of what is installed, but those of ``mmaction.models``.

    Call it before anything imports ``mmaction.models``, and :func:`apply_to_models`
    after.
    """
    require_mmcv()
    hush_mmcv_lite()
    serve_missing_drn()
    disable_broken_multimodal()
    allow_checkpoint_globals()
    load_weights_only()
    load_weights_that_fit()
    load_without_workers()
    load_yaml_safely()
    init_dist_on_cpu()
    wait_for_gloo_threads()
    wrap_ddp_on_cpu()
    allow_amp_on_cpu()
    checkpoint_without_reentry()
    let_cublas_repeat()
    name_fsdp_arguments()
    count_beside_numbers()


def apply_to_models() -> None:
    """Apply the corrections of ``mmaction.models``, which this imports."""
    score_in_float32()
    draw_labels()
