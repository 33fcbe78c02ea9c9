"""Measure how fast a model runs and trains: ``tools/analysis/benchmark.py CONFIG ...``.

For each config these contenders take turns, A B C A B C ..., in one process:

- ours: the config as it is;
- checkpointed: the same with activation checkpointing of every transformer block;
- stock: the same with MMAction2's own MViT attention (the reference of the ratios;
  as checkpointed, left out where the backbone is no PyramidMViT);
- no-neck: the same without the neck's parts, its last stage pooled for the head;
- mvit-small: MMAction2's MViT-small recognizer, whatever the config.

Each does a forward pass (evaluation, no gradients) and a training step (loss, backward,
AdamW) on one batch of random clips that lies on the device. On a CPU the time is that
of the process, over its threads: other work on the machine takes wall time away, but
hardly CPU time. Ratios are medians of the ratios within each round. Peak memory is
taken in a process per contender: on a CPU the growth of its resident set over a
training step, on a GPU what the allocator had handed out. FLOPs are those of stock's
arithmetic, so that ours, which does the same, is not credited for more.

Writes OUT.json and OUT.md. Exit codes: 0 measured, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import mmaction
import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import ifdd_mmaction
from ifdd_mmaction.fileio import write_atomic

CONTENDERS = ('ours', 'checkpointed', 'stock', 'no-neck', 'mvit-small')
REFERENCE = 'stock'
#: The backbone that can run MMAction2's attention and has blocks to checkpoint.
FUSED = 'PyramidMViT'
DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', type=Path, metavar='CONFIG')
    parser.add_argument(
        '--contenders', nargs='+', choices=CONTENDERS, default=list(CONTENDERS)
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--dtype', choices=DTYPES, default='float32')
    parser.add_argument('--compile', action='store_true', help='torch.compile')
    parser.add_argument(
        '--batch-size',
        default='1',
        help='clips; `auto` finds the largest power of two that every contender can '
        'train with (GPU only) (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, default=1, help='of a CPU')
    parser.add_argument(
        '--clip',
        nargs=3,
        type=int,
        metavar=('T', 'H', 'W'),
        default=(16, 224, 224),
        help='default: %(default)s',
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--memory-batch-size',
        type=int,
        help='clips of the step whose memory is taken; 0 skips it (default: the batch)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if min(args.rounds, args.threads) < 1:
        parser.error('--rounds and --threads must be at least 1')
    for config in args.configs:
        if not config.is_file():
            parser.error(f'{config}: no such config')
    if args.batch_size == 'auto' and not args.device.startswith('cuda'):
        parser.error('--batch-size auto needs a GPU: a CPU that is out of memory ends')
    if args.batch_size != 'auto' and not args.batch_size.isdecimal():
        parser.error(f'--batch-size {args.batch_size}: a number or `auto`')
    torch.set_num_threads(args.threads)
    init_default_scope('mmaction')
    if args.memory_of:
        print(json.dumps(peak_memory(args.configs[0], args.memory_of, args)))
        return 0
    if args.batch_size == 'auto':
        args.batch_size = largest_batch(args)
    args.batch_size = int(args.batch_size)
    peak = matmul_peak(args)
    result = dict(
        environment=describe_environment(args),
        clip=list(args.clip),
        batch_size=args.batch_size,
        rounds=args.rounds,
        peak_tflops=round(peak / 1e12, 3),
        configs={},
    )
    for config in args.configs:
        result['configs'][str(config)] = measure(config, peak, args)
        # After every config, so that a run that is interrupted leaves what it has.
        text = to_markdown(result)
        write_atomic(
            args.out.with_suffix('.json'), json.dumps(result, indent=1).encode()
        )
        write_atomic(args.out.with_suffix('.md'), text.encode())
    print(text)
    return 0


class Contender:
    """A model of a config, its optimizer and a batch for it.

    Args:
        config: The config file.
        name: One of ``CONTENDERS``.
        batch_size: Clips in the batch.
        args: The command line.
    """

    def __init__(
        self, config: Path, name: str, batch_size: int, args: argparse.Namespace
    ) -> None:
        torch.manual_seed(0)
        self.device, self.dtype = torch.device(args.device), DTYPES[args.dtype]
        model = model_config(Config.fromfile(config).model, name)
        classes = model['cls_head']['num_classes']
        self.model = MODELS.build(model).to(self.device)
        if name == 'checkpointed':
            blocks = [
                f'backbone.blocks.{i}' for i in range(len(self.model.backbone.blocks))
            ]
            turn_on_activation_checkpointing(self.model, blocks)
        if args.compile:
            self.model.backbone.compile()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.scaler = torch.amp.GradScaler(enabled=args.dtype == 'float16')
        shape = (batch_size, 1, 3, *args.clip)
        self.inputs = torch.rand(shape, device=self.device)
        self.samples = [
            ActionDataSample().set_gt_label(i % classes).to(self.device)
            for i in range(batch_size)
        ]

    def autocast(self) -> AbstractContextManager:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    @torch.no_grad()
    def forward(self) -> None:
        """Run the model, from clips to class scores."""
        self.model.eval()
        with self.autocast():
            features, _ = self.model.extract_feat(self.inputs, stage='neck')
            self.model.cls_head(features)

    def step(self) -> None:
        """Train on the batch."""
        self.model.train()
        with self.autocast():
            losses = self.model(self.inputs, self.samples, mode='loss')
            loss, _ = self.model.parse_losses(losses)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)


def model_config(model: Config, name: str) -> dict[str, Any]:
    """Return the model of a contender."""
    model = Config(dict(model=model.to_dict())).model
    # What happens to clips before the model is the loaders' and no part of this.
    model.data_preprocessor = None
    if name == 'stock':
        model.backbone.fused = False
    elif name == 'no-neck':
        model.neck.update(aggregation=None, split=None, lifting=None)
    elif name == 'mvit-small':
        head = dict(
            type='MViTHead', in_channels=768, num_classes=model.cls_head.num_classes
        )
        backbone = dict(type='MViT', arch='small', drop_path_rate=0.2)
        return dict(type='Recognizer3D', backbone=backbone, cls_head=head)
    return model


def measure(config: Path, peak: float, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the contenders of a config."""
    contenders = {
        name: Contender(config, name, args.batch_size, args)
        for name in applicable(config, args)
    }
    same = dict.fromkeys(('ours', 'checkpointed', 'stock'), 'stock')
    counted = {
        name: count_flops(config, name, args)
        for name in {same.get(name, name) for name in contenders}
    }
    flops = {
        name: counted[same.get(name, name)] * args.batch_size for name in contenders
    }
    result: dict[str, Any] = {name: {} for name in contenders}
    # A training step is a forward and a backward pass of twice its arithmetic.
    for kind, passes in (('forward', 1), ('step', 3)):
        runs = {name: getattr(c, kind) for name, c in contenders.items()}
        seconds, wall = take_turns(runs, args.rounds, args)
        for name, own in seconds.items():
            rate = passes * flops[name] / np.median(own)
            entry = dict(
                seconds=summarise(own),
                wall_seconds=summarise(wall[name]),
                clips_per_second=round(args.batch_size / float(np.median(own)), 3),
                tflops=round(rate / 1e12, 4),
                share_of_peak=round(rate / peak, 3),
            )
            if REFERENCE in seconds:
                entry['speedup'] = summarise(np.divide(seconds[REFERENCE], own))
            result[name][kind] = entry
    del contenders
    add_memory(result, config, args)
    return result


def applicable(config: Path, args: argparse.Namespace) -> list[str]:
    """Return the contenders that a config can be."""
    fused = Config.fromfile(config).model.backbone.type == FUSED
    only_fused = ('checkpointed', REFERENCE)
    return [name for name in args.contenders if fused or name not in only_fused]


def take_turns(
    runs: dict[str, Callable[[], None]], rounds: int, args: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Time the contenders in turns; returns the seconds that count, and wall time."""
    on_cpu = args.device == 'cpu'
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    wall: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            synchronise(args)
            cpu_start, start = time.process_time(), time.perf_counter()
            run()
            synchronise(args)
            elapsed = time.perf_counter() - start
            cpu = (time.process_time() - cpu_start) / args.threads
            if turn:  # the first round warms up
                wall[name].append(elapsed)
                seconds[name].append(cpu if on_cpu else elapsed)
        print(f'round {turn} of {rounds}', file=sys.stderr)
    return seconds, wall


def synchronise(args: argparse.Namespace) -> None:
    if args.device != 'cpu':
        torch.cuda.synchronize()


def count_flops(config: Path, name: str, args: argparse.Namespace) -> int:
    """Count the floating-point operations of a forward pass of one clip."""
    model = model_config(Config.fromfile(config).model, name)
    if model['backbone']['type'] == FUSED:
        model['backbone']['fused'] = False
    built = MODELS.build(model).to(args.device).eval()
    clip = torch.rand(1, 1, 3, *args.clip, device=args.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        features, _ = built.extract_feat(clip, stage='neck')
        built.cls_head(features)
    return counter.get_total_flops()


def matmul_peak(args: argparse.Namespace) -> float:
    """Return the FLOP/s of the device's matrix product, the best of a few."""
    size = 2048 if args.device == 'cpu' else 8192
    a = torch.rand(size, size, device=args.device, dtype=DTYPES[args.dtype])
    product: dict[str, Callable[[], Tensor]] = {'product': lambda: a @ a}
    seconds, _ = take_turns(product, 4, args)  # type: ignore[arg-type]
    return 2 * size**3 / min(seconds['product'])


def largest_batch(args: argparse.Namespace) -> int:
    """Double the batch for as long as every contender can train with it."""
    batch = 0
    while True:
        try:
            for config in args.configs:
                for name in applicable(config, args):
                    Contender(config, name, max(2 * batch, 1), args).step()
                    torch.cuda.empty_cache()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            if not batch:
                raise
            return batch
        batch = max(2 * batch, 1)


def add_memory(result: dict[str, Any], config: Path, args: argparse.Namespace) -> None:
    """Add the peak memory of a training step, each taken in a process of its own."""
    batch = args.memory_batch_size
    batch = args.batch_size if batch is None else batch
    if not batch:
        return
    for name in result:
        command = [sys.executable, __file__, str(config), '--memory-of', name]
        for option in ('device', 'dtype', 'threads'):
            command += [f'--{option}', str(getattr(args, option))]
        command += ['--clip', *map(str, args.clip), '--batch-size', str(batch)]
        command += ['--compile'] * args.compile
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        mib = json.loads(run.stdout.splitlines()[-1])
        result[name]['memory'] = dict(batch_size=batch, mib=round(mib, 1))
    if REFERENCE in result:
        reference = result[REFERENCE]['memory']['mib']
        for entry in result.values():
            entry['memory']['ratio'] = round(entry['memory']['mib'] / reference, 3)


def peak_memory(config: Path, name: str, args: argparse.Namespace) -> float:
    """Return the peak memory of a training step beyond the model itself, in MiB."""
    contender = Contender(config, name, int(args.batch_size), args)
    if args.device != 'cpu':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        contender.step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = int(Path('/proc/self/statm').read_text().split()[1])
    contender.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
    return peak - before * resource.getpagesize() / 2**20


def summarise(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return the median and the range of the middle half."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return dict(
        median=round(median, 4), quartile1=round(low, 4), quartile3=round(high, 4)
    )


def describe_environment(args: argparse.Namespace) -> dict[str, str]:
    """Say what was measured on."""
    device = platform.processor() or platform.machine()
    if args.device != 'cpu':
        device = torch.cuda.get_device_name(args.device)
    elif (info := Path('/proc/cpuinfo')).exists():
        lines = info.read_text().splitlines()
        models = [li.split(':')[1].strip() for li in lines if 'model name' in li]
        device = models[0] if models else device
    return dict(
        device=device,
        cores=str(os.cpu_count()),
        threads=str(args.threads),
        dtype=args.dtype,
        compiled='yes' if args.compile else 'no',
        python=platform.python_version(),
        torch=torch.__version__,
        mmaction2=mmaction.__version__,
        ifdd_mmaction=ifdd_mmaction.__version__,
        load_average=' '.join(f'{load:.1f}' for load in os.getloadavg()),
    )


def to_markdown(result: dict[str, Any]) -> str:
    """Write the result as tables."""
    environment = ', '.join(f'{k} {v}' for k, v in result['environment'].items())
    t, h, w = result['clip']
    lines = [
        f'Clips of {t} x {h} x {w}, batch {result["batch_size"]}, {result["rounds"]} '
        f'rounds in turns, median (quartiles); matrix products reach '
        f'{result["peak_tflops"]} TFLOP/s. {environment}.',
    ]
    for config, contenders in result['configs'].items():
        lines += [
            '',
            config,
            '',
            '| contender | pass | seconds | wall seconds | clips/s | TFLOP/s '
            '(of peak) | times stock | memory of a step, MiB (of stock) |',
            '|---|---|---|---|---|---|---|---|',
        ]
        for name, entry in contenders.items():
            for kind in ('forward', 'step'):
                lines.append(table_row(name, kind, entry))
    return '\n'.join(lines) + '\n'


def table_row(name: str, kind: str, entry: dict[str, Any]) -> str:
    """Write one pass of one contender as a row."""
    own = entry[kind]
    memory = entry.get('memory') if kind == 'step' else None
    cells = [
        name,
        kind,
        spread(own['seconds']),
        f'{own["wall_seconds"]["median"]:.3g}',
        f'{own["clips_per_second"]:.3g}',
        f'{own["tflops"]:.3g} ({own["share_of_peak"]:.0%})',
        spread(own['speedup']) if 'speedup' in own else '',
        f'{memory["mib"]:.0f} ({memory.get("ratio", "")})' if memory else '',
    ]
    return '| ' + ' | '.join(cells) + ' |'


def spread(summary: dict[str, float]) -> str:
    """Write a median and its quartiles."""
    return '{median:.3g} ({quartile1:.3g} to {quartile3:.3g})'.format(**summary)


if __name__ == '__main__':
    sys.exit(main())
