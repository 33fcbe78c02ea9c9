"""What a device reaches, and how fast and how large models are on it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from benchmark import PASSES, entry
from contenders import REFERENCE, Contender, count_flops
from measuring import matmul_peak, peak_growth, take_turns

from .checks import (
    Rows,
    distance,
    draw_nothing,
    judged,
    limit_of_model,
    loss_and_gradients,
)
from .profile import profile_step
from .run import Context, one_line

PEAK = 'peak'


def describe(context: Context) -> Rows:
    """Say what is measured on."""
    setup = context.setup
    about = setup.describe()
    del about['compiled'], about['threads' if not setup.on_cpu else 'load_average']
    if not setup.on_cpu:
        gpu = torch.cuda.get_device_properties(setup.device)
        about.update(
            gib=f'{gpu.total_memory / 2**30:.1f}',
            multiprocessors=str(gpu.multi_processor_count),
            capability=f'{gpu.major}.{gpu.minor}',
            cuda=str(torch.version.cuda),
            cudnn=str(torch.backends.cudnn.version()),
        )
    with suppress(PackageNotFoundError):
        about['triton'] = version('triton')
    yield 'environment', about


def measure_peak(context: Context) -> Rows:
    """Measure what the device reaches, and what a model asks of it."""
    setup, small = context.setup, context.small
    yield 'matrix product', dict(flops=matmul_peak(setup, 128 if small else None))
    block = torch.ones(2**16 if small else 2**29, device=setup.device)
    other = torch.empty_like(block)
    seconds, _ = take_turns({'copy': lambda: other.copy_(block)}, 4, setup, show=False)
    moved = 2 * block.nbytes
    yield 'copy', dict(bytes_per_second=moved / min(seconds['copy']))
    flops = count_flops(context.config, REFERENCE, context.clip)
    yield 'forward pass of a clip', dict(flops=flops)


def measure_models(
    names: Sequence[str], batch: int | str, context: Context, profiled: bool = False
) -> Rows:
    """Time a step and a forward pass of models in turns, and their memory.

    Args:
        names: Contenders.
        batch: Clips in the batch, or the part that has found it.
        context: What is measured.
        profiled: Whether operators of a step are measured instead.
    """
    if isinstance(batch, str):
        batch = int(context.rows(batch)['ours']['batch'])
    made: dict[str, Contender] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        rows[name] = dict(batch=batch)
        start = time.monotonic()
        try:
            own = Contender(context.config, name, batch, context.clip, context.setup)
            # The first step, with AdamW's state, as benchmark.py has it.
            memory = peak_growth(own.step, context.setup)
            rows[name].update(graphs_of(name, context))
        except Exception as error:
            rows[name]['error'] = one_line(error)
        else:
            made[name] = own
            first = time.monotonic() - start
            rows[name].update(mib=round(memory, 1), first_step=round(first, 2))
        own = None  # what did not fit is given back, now that its error is gone
        free_memory()
    if profiled:
        for name, own in made.items():
            own.step()
            rows[name].update(profile_step(own.step, context.setup))
        yield from rows.items()
        return
    add_times(rows, made, context)
    yield from rows.items()
    for name, own in made.items():
        if 'compiled' in name:
            yield 'profile', profile_step(own.step, context.setup)
            if 'ours' in made:
                yield from check_compiled(made, name, context)


def add_times(
    rows: dict[str, dict[str, Any]], made: dict[str, Contender], context: Context
) -> None:
    """Add seconds, ratios to stock and the share of the device's peak."""
    known = context.rows(PEAK)
    for kind, passes in PASSES.items():
        runs = {name: getattr(own, kind) for name, own in made.items()}
        seconds, wall = take_turns(runs, context.rounds, context.setup, show=False)
        for name, own in seconds.items():
            batch = rows[name]['batch']
            reference = seconds.get(REFERENCE) if len(made) > 1 else None
            rows[name][kind] = entry(own, wall[name], reference, batch)
            if 'forward pass of a clip' in known:
                flops = passes * batch * known['forward pass of a clip']['flops']
                share = flops / np.median(own) / known['matrix product']['flops']
                rows[name][kind]['share_of_peak'] = round(float(share), 4)


def check_compiled(made: dict[str, Contender], name: str, context: Context) -> Rows:
    """Compare loss and gradients of a compiled model with those of ours in float32.

    Both are of training, without what is drawn. The error may be twice that of ours in
    the same dtype.
    """
    exact = Contender(
        context.config,
        'ours',
        len(made[name].inputs),
        context.clip,
        context.with_dtype('float32'),
    )
    untrained = deepcopy(exact.model.state_dict())
    found = {}
    for label, own in (('exact', exact), *made.items()):
        own.model.load_state_dict(untrained)  # some have been trained by now
        own.inputs, own.samples = exact.inputs, exact.samples
        draw_nothing(own.model.train())
        found[label] = loss_and_gradients(own)
        own.optimizer.zero_grad(set_to_none=True)
    for place, what in enumerate(('loss', 'gradients')):
        error, of_ours = (
            distance(found[label][place], found['exact'][place])
            for label in (name, 'ours')
        )
        row = judged(error, limit_of_model(of_ours, context.setup.dtype))
        yield f'{name}, {context.setup.dtype}, {what}', dict(row, ours=of_ours)


def graphs_of(name: str, context: Context) -> dict[str, int]:
    """Return how many graphs were compiled so far, and breaks between them.

    Raises:
        RuntimeError: If there is none although the model is a compiled one.
    """
    if 'compiled' not in name:
        return {}
    from torch._dynamo.utils import counters

    graphs = counters['stats']['unique_graphs']
    if not graphs and 'TORCHDYNAMO_DISABLE' not in os.environ:
        raise RuntimeError(f'{graphs} graphs were compiled: it ran as ours does')
    return dict(graphs=graphs, breaks=sum(counters['graph_break'].values()))


def free_memory() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def largest_that_fits(fits: Callable[[int], bool], start: int, most: int) -> int:
    """Find a number by doubling and halving, to a sixteenth of it.

    Args:
        fits: Whether a number does; all that are smaller do, too.
        start: What is tried first.
        most: The largest that is tried.

    Returns:
        The largest that was found to fit; 0 if not even 1 does.
    """
    low, high = 0, start
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def measure_largest(name: str, context: Context) -> Rows:
    """Find the largest batch that a model trains with, and time it."""
    own = Contender(context.config, name, 1, context.clip, context.setup)
    limited = ''

    def step(batch: int) -> bool:
        nonlocal limited
        try:
            own.set_batch(batch)
            own.step()
        except RuntimeError as error:  # of memory, or of a kernel with 32-bit indices
            limited = one_line(error)
            return False
        finally:
            own.optimizer.zero_grad(set_to_none=True)
        return True

    def fits(batch: int) -> bool:
        fit = step(batch)
        free_memory()  # now that the error, whose frames hold tensors, is gone
        context.setup.synchronize()  # raises if the GPU can not be used any more
        return fit

    most = 4 if context.small else 2048
    batch = largest_that_fits(fits, max(context.batches), most)
    row: dict[str, Any] = dict(batch=batch, limited_by=limited or f'{most}, the most')
    rows = {name: row}
    if batch:
        own.set_batch(batch)
        start = time.monotonic()
        memory = peak_growth(own.step, context.setup)
        first = time.monotonic() - start
        row.update(mib=round(memory, 1), first_step=round(first, 2))
        add_times(rows, {name: own}, replace(context, rounds=min(2, context.rounds)))
    else:
        row['error'] = limited
    yield from rows.items()
