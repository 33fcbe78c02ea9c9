"""The time of a training step by groups of operators."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from measuring import Setup
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

DEPTHWISE, PATCHES, CONVOLUTIONS = 'depthwise', 'patch embedding', 'other convolutions'
OTHER = 'other'
#: Groups by a pattern of the operator's name, without its namespace; the first counts.
#: A convolution is one of the first three by its weight.
GROUPS = {
    DEPTHWISE: r'.*depthwise',
    CONVOLUTIONS: r'.*convolution|.*conv\d?d',
    'copies and casts': r'copy_|_to_copy|clone|contiguous|fill_|zero|Mem(cpy|set)',
    'layer norm': r'.*layer_norm',
    'attention': r'.*attention|.*softmax|.*_flash_|.*_efficient_',
    'matrix products': r'mm$|addmm|bmm|baddbmm|matmul|linear|_addmm',
    'additions and sums': r'add_?$|sub_?$|sum$|_foreach_add',
    'concatenations': r'_?cat$|stack|constant_pad',
    'GELU': r'gelu',
    'max pooling': r'max_pool',
    'optimizer': r'_foreach_|_fused_|Optimizer',
    'compiled kernels': r'triton_|Torch-Compiled|CompiledFunction|.*CompiledFxGraph',
}


def group_of(name: str, shapes: Sequence[Sequence[int]]) -> str:
    """Return the group of an operator.

    Args:
        name: Such as ``aten::convolution_backward``.
        shapes: Of its inputs; those that are no tensors have none.
    """
    plain = name.rpartition('::')[2]
    group = next((g for g, p in GROUPS.items() if re.match(p, plain)), OTHER)
    if group != CONVOLUTIONS:
        return group
    # The weight (rows, columns, t, h, w) comes after the gradient and the input.
    place = 2 if 'backward' in plain else 1
    weight = shapes[place] if len(shapes) > place else ()
    if len(weight) < 4:
        return CONVOLUTIONS
    return {1: DEPTHWISE, 3: PATCHES}.get(weight[1], CONVOLUTIONS)


def profile_step(run: Callable[[], object], setup: Setup) -> dict[str, Any]:
    """Profile one call of something that has run before.

    Returns:
        ``ms``, ``share`` and ``calls`` of each group, the longest first, and of the
        largest operators of ``other``. Times are those of the device.
    """
    activities = [ProfilerActivity.CPU]
    if not setup.on_cpu:
        activities.append(ProfilerActivity.CUDA)
    setup.synchronize()
    with profile(activities=activities, record_shapes=True) as profiler:
        run()
        setup.synchronize()
    events = profiler.key_averages(group_by_input_shape=True)
    groups: dict[str, list[float]] = {}
    others: dict[str, float] = {}
    for event in events:
        if event.device_type != DeviceType.CPU:
            continue  # a kernel, whose time the operator that launched it has
        micros = self_time(event, setup)
        group = group_of(event.key, event.input_shapes or ())
        sums = groups.setdefault(group, [0.0, 0])
        sums[0] += micros
        sums[1] += event.count if micros else 0
        if group == OTHER:
            others[event.key] = others.get(event.key, 0.0) + micros
    if not setup.on_cpu:
        launched = sum(micros for micros, _ in groups.values())
        groups['not attributed'] = [max(0.0, kernel_time(events) - launched), 0]
    return dict(
        groups=_rows(groups),
        others={
            name: round(micros / 1e3, 3)
            for name, micros in sorted(others.items(), key=lambda item: -item[1])[:6]
        },
    )


def _rows(groups: dict[str, list[float]]) -> dict[str, Any]:
    total = sum(micros for micros, _ in groups.values()) or 1.0
    ordered = sorted(groups.items(), key=lambda item: -item[1][0])
    return {
        name: dict(
            ms=round(micros / 1e3, 3), share=round(micros / total, 4), calls=calls
        )
        for name, (micros, calls) in ordered
        if micros
    }


def self_time(event: Any, setup: Setup) -> float:
    """Return the microseconds of an operator without those that it calls."""
    return event.self_cpu_time_total if setup.on_cpu else event.self_device_time_total


def kernel_time(events: Sequence[Any]) -> float:
    """Return the microseconds of all kernels of a GPU."""
    # An annotation, as of an optimizer's step, is there for both devices.
    names = {event.key for event in events if event.device_type == DeviceType.CPU}
    return sum(
        event.self_device_time_total
        for event in events
        if event.device_type == DeviceType.CUDA and event.key not in names
    )


def device_seconds(run: Callable[[], object], setup: Setup) -> float | None:
    """Return the seconds of a GPU's kernels in one call, without gaps between them."""
    if setup.on_cpu:
        return None
    setup.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        setup.synchronize()
    return kernel_time(profiler.key_averages()) / 1e6
