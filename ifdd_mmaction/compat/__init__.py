"""Corrections of defects in the installed versions of MMAction2, MMEngine and others.

MMAction2 has had no release since October 2023, but PyTorch, NumPy and transformers
have. Each function corrects one defect, can be called more than once, and does nothing
where the defect is absent. ``import ifdd_mmaction`` calls :func:`apply`.
"""

from .compiling import compile_block_by_block, take_numbers_as_probabilities
from .counting import count_beside_numbers
from .distributed import (
    init_dist_on_cpu,
    name_fsdp_arguments,
    wait_for_gloo_threads,
    wrap_ddp_on_cpu,
)
from .drawing import draw_labels
from .formatting import format_configs_once
from .imports import (
    accept_newer_mmcv,
    disable_broken_multimodal,
    ignore_mmcv_lite_warning,
    provide_missing_drn,
)
from .loading import (
    allow_checkpoint_globals,
    load_weights_only,
    load_yaml_safely,
    require_matching_weights,
)
from .packages import find_mmcv_operators, find_packages_by_metadata
from .training import (
    allow_amp_on_cpu,
    load_without_workers,
    score_in_float32,
    set_cublas_workspace,
    use_non_reentrant_checkpoint,
)
from .transforms import shift_hue_below_zero

__all__ = ['apply', 'apply_to_models']


def apply() -> None:
    """Apply all corrections except those of MMAction2's classes.

    Call it before ``mmaction.models`` is imported, and :func:`apply_to_models` after.
    """
    accept_newer_mmcv()
    find_packages_by_metadata()
    find_mmcv_operators()
    ignore_mmcv_lite_warning()
    provide_missing_drn()
    disable_broken_multimodal()
    allow_checkpoint_globals()
    load_weights_only()
    require_matching_weights()
    load_without_workers()
    load_yaml_safely()
    format_configs_once()
    init_dist_on_cpu()
    wait_for_gloo_threads()
    wrap_ddp_on_cpu()
    allow_amp_on_cpu()
    use_non_reentrant_checkpoint()
    set_cublas_workspace()
    name_fsdp_arguments()
    count_beside_numbers()
    compile_block_by_block()
    take_numbers_as_probabilities()


def apply_to_models() -> None:
    """Apply the corrections of MMAction2's classes, which this imports."""
    score_in_float32()
    draw_labels()
    shift_hue_below_zero()
