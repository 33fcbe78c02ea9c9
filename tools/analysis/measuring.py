"""Time and memory of what takes turns, and what it was measured on."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import mmaction
import numpy as np
import torch
from torch import Tensor

from ifdd_mmaction.version import __version__

DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)

Runs = Mapping[str, Callable[[], object]]
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Setup:
    """What is measured on.

    Args:
        device: Of the models.
        dtype: A name in ``DTYPES``; others than float32 are of autocast.
        threads: Of a CPU.
        compile: Whether backbones are compiled.
    """

    device: str = 'cpu'
    dtype: str = 'float32'
    threads: int = 1
    compile: bool = False

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on a CPU."""
        return self.device == 'cpu'

    def autocast(self) -> AbstractContextManager:
        """Return the context of a forward pass."""
        if self.dtype == 'float32':
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, DTYPES[self.dtype])

    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""
        if not self.on_cpu:
            torch.cuda.synchronize()

    def describe(self) -> dict[str, str]:
        """Return what is measured on."""
        environment = describe_environment(
            threads=str(self.threads),
            dtype=self.dtype,
            compiled='yes' if self.compile else 'no',
        )
        processor = environment.pop('processor')
        gpu = None if self.on_cpu else torch.cuda.get_device_name(self.device)
        return dict(device=gpu or processor, **environment)


def add_clip(parser: argparse.ArgumentParser) -> None:
    """Add ``--clip T H W``, the shape of the clips that are measured."""
    parser.add_argument(
        '--clip',
        nargs=3,
        type=int,
        metavar=('T', 'H', 'W'),
        default=(16, 224, 224),
        help='default: %(default)s',
    )


def describe_environment(**own: str) -> dict[str, str]:
    """Return the processor, the versions of packages and the load of the machine.

    Args:
        own: What else a measurement depends on.
    """
    processor = platform.processor() or platform.machine()
    if (info := Path('/proc/cpuinfo')).exists():
        lines = info.read_text().splitlines()
        models = [li.split(':')[1].strip() for li in lines if 'model name' in li]
        processor = models[0] if models else processor
    return dict(
        processor=processor,
        cores=str(os.cpu_count()),
        **own,
        python=platform.python_version(),
        torch=torch.__version__,
        mmaction2=mmaction.__version__,
        ifdd_mmaction=__version__,
        load_average=' '.join(f'{load:.1f}' for load in os.getloadavg()),
    )


def take_turns(
    runs: Runs, rounds: int, setup: Setup, warm_up: bool = True, show: bool = True
) -> tuple[Times, Times]:
    """Time contenders in turns, A B A B ...

    Returns:
        The seconds that count, and wall time, of each round. On a CPU the seconds are
        those of the process, over its threads: other work on the machine takes wall
        time away, but hardly CPU time.
    """
    seconds: Times = {name: [] for name in runs}
    wall: Times = {name: [] for name in runs}
    for turn in range(1 - warm_up, rounds + 1):
        for name, run in runs.items():
            setup.synchronize()
            cpu_start, start = time.process_time(), time.perf_counter()
            run()
            setup.synchronize()
            elapsed = time.perf_counter() - start
            cpu = (time.process_time() - cpu_start) / setup.threads
            if turn:
                wall[name].append(elapsed)
                seconds[name].append(cpu if setup.on_cpu else elapsed)
        if show:
            print(f'round {turn} of {rounds}', file=sys.stderr)
    return seconds, wall


def matmul_peak(setup: Setup, size: int | None = None) -> float:
    """Return the FLOP/s of the device's matrix product, the best of a few."""
    size = size or (2048 if setup.on_cpu else 8192)
    a = torch.rand(size, size, device=setup.device, dtype=DTYPES[setup.dtype])
    product: dict[str, Callable[[], Tensor]] = {'product': lambda: a @ a}
    seconds, _ = take_turns(product, 4, setup, show=False)
    return 2 * size**3 / min(seconds['product'])


def peak_growth(run: Callable[[], object], setup: Setup) -> float:
    """Return by how much memory grows at most while something runs, in MiB.

    On a GPU it is what the allocator hands out. On a CPU it is the resident set, whose
    peak is the process's so far: give each measurement a process of its own.
    """
    if not setup.on_cpu:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
    return peak - pages * resource.getpagesize() / 2**20


def summarize(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return the median of ``(N,)`` values and the range of their middle half."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return dict(
        median=round(median, 4), quartile1=round(low, 4), quartile3=round(high, 4)
    )
