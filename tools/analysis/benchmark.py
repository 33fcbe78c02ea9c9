"""Measure how fast a model runs and trains: ``tools/analysis/benchmark.py CONFIG ...``.

For each config these contenders take turns, A B C A B C ..., in one process:

- ours: the config as it is;
- compiled: the same, compiled as by compile=True in a config: for training alone, so
  that its forward pass is that of ours (only where it is asked for);
- checkpointed: the same with activation checkpointing of every transformer block;
- torch-pooling: the same with PyTorch's own depthwise convolutions (only where it is
  asked for);
- float32: the same without autocast, whatever --dtype is (only where it is asked for;
  its share of the peak is of that of --dtype);
- stock: the same with MMAction2's own attention (the reference of the ratios; as
  checkpointed, left out where the backbone has no fused attention of ours);
- no-neck: the same without the neck's parts, its last stage pooled for the head;
- mvit-small: MMAction2's MViT-small recognizer, whatever the config.

Each does a forward pass (evaluation, no gradients) and a training step (loss, backward,
AdamW) on one batch of random clips that lies on the device and, with ``--end-to-end``,
trains from the config's loader, preprocessing included. On a CPU the time of the first
two is that of the process, over its threads: other work on the machine takes wall time
away, but hardly CPU time. End-to-end training is timed in wall time, and compared to
the wall time of the step. Ratios are medians of the ratios within each round. Peak
memory is taken in a process per contender: on a CPU the growth of its resident set over
a training step, on a GPU what the allocator had handed out. FLOPs are those of stock's
arithmetic, so that ours, which does the same, is not credited for more.

Writes OUT.json and OUT.md. Exit codes: 0 measured, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import (
    CONTENDERS,
    ON_REQUEST,
    REFERENCE,
    SAME,
    Contender,
    applicable,
    build_loader,
    count_flops,
    peak_memory,
)
from measuring import DTYPES, Setup, add_clip, matmul_peak, summarize, take_turns
from mmengine.registry import init_default_scope

from ifdd_mmaction.fileio import write_atomic

KINDS = dict(forward='forward', step='step', end_to_end='end to end')
#: A training step is a forward and a backward pass of twice its arithmetic.
PASSES = dict(forward=1, step=3)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', type=Path, metavar='CONFIG')
    parser.add_argument(
        '--contenders',
        nargs='+',
        choices=CONTENDERS,
        default=[name for name in CONTENDERS if name not in ON_REQUEST],
    )
    parser.add_argument(
        '--passes',
        nargs='+',
        choices=list(PASSES),
        default=list(PASSES),
        help='default: %(default)s',
    )
    add_setup(parser)
    parser.add_argument(
        '--batch-size',
        default='1',
        help='clips; `auto` finds the largest power of two that every contender can '
        'train with (GPU only) (default: %(default)s)',
    )
    add_clip(parser)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--end-to-end',
        type=Path,
        metavar='DATA',
        help="also train from the config's loader on the data set in this folder",
    )
    parser.add_argument(
        '--steps', type=int, default=8, help='of a round of --end-to-end'
    )
    parser.add_argument(
        '--memory-batch-size',
        type=int,
        help='clips of the step whose memory is taken; 0 skips it (default: the batch)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'))
    args = parser.parse_args(argv)
    if min(args.rounds, args.threads, args.steps) < 1:
        parser.error('--rounds, --threads and --steps must be at least 1')
    for config in args.configs:
        if not config.is_file():
            parser.error(f'{config}: no such config')
    if args.end_to_end and 'step' not in args.passes:
        parser.error('--end-to-end is compared to the step: add it to --passes')
    if args.batch_size == 'auto' and not args.device.startswith('cuda'):
        parser.error('--batch-size auto needs a GPU: a CPU that is out of memory ends')
    if args.batch_size != 'auto' and not args.batch_size.isdecimal():
        parser.error(f'--batch-size {args.batch_size}: a number or `auto`')
    return args


def add_setup(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`read_setup` reads."""
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--dtype', choices=DTYPES, default='float32')
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the whole backbone of every contender, for evaluation too',
    )
    parser.add_argument('--threads', type=int, default=1, help='of a CPU')


def read_setup(args: argparse.Namespace) -> Setup:
    """Make ready what is measured on."""
    torch.set_num_threads(args.threads)
    init_default_scope('mmaction')
    return Setup(args.device, args.dtype, args.threads, args.compile)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    setup = read_setup(args)
    if args.batch_size == 'auto':
        args.batch_size = largest_batch(args, setup)
    args.batch_size = int(args.batch_size)
    peak = matmul_peak(setup)
    result = dict(
        environment=setup.describe(),
        clip=list(args.clip),
        batch_size=args.batch_size,
        rounds=args.rounds,
        peak_tflops=round(peak / 1e12, 3),
        configs={},
    )
    for config in args.configs:
        result['configs'][str(config)] = measure(config, peak, args, setup)
        # After every config, so that a run that is interrupted leaves what it has.
        text = to_markdown(result)
        write_atomic(
            args.out.with_suffix('.json'), json.dumps(result, indent=1).encode()
        )
        write_atomic(args.out.with_suffix('.md'), text.encode())
    print(text)
    return 0


def measure(
    config: Path, peak: float, args: argparse.Namespace, setup: Setup
) -> dict[str, Any]:
    """Measure the contenders of a config."""
    names = applicable(config, args.contenders)
    # Of a model that does stock's arithmetic, whatever it does it with.
    counted = {
        name: count_flops(config, name, args.clip)
        for name in {REFERENCE if name in SAME else name for name in names}
    }
    flops = {n: counted[REFERENCE if n in SAME else n] * args.batch_size for n in names}
    contenders = {
        name: Contender(config, name, args.batch_size, args.clip, setup)
        for name in names
    }
    result: dict[str, Any] = {name: {} for name in names}
    for kind in args.passes:
        runs = {name: getattr(c, kind) for name, c in contenders.items()}
        seconds, wall = take_turns(runs, args.rounds, setup)
        for name, own in seconds.items():
            rate = PASSES[kind] * flops[name] / np.median(own)
            result[name][kind] = dict(
                entry(own, wall[name], seconds.get(REFERENCE), args.batch_size),
                tflops=round(rate / 1e12, 4),
                share_of_peak=round(rate / peak, 3),
            )
    if args.end_to_end:
        add_end_to_end(result, contenders, config, args)
    del contenders
    add_memory(result, config, args, setup)
    return result


def entry(
    own: list[float], wall: list[float], reference: list[float] | None, clips: int
) -> dict[str, Any]:
    """Sum up the seconds of one contender."""
    summary: dict[str, Any] = dict(
        seconds=summarize(own),
        wall_seconds=summarize(wall),
        clips_per_second=round(clips / float(np.median(own)), 3),
    )
    if reference:
        summary['speedup'] = summarize(np.divide(reference, own))
    return summary


def add_end_to_end(
    result: dict[str, Any],
    contenders: dict[str, Contender],
    config: Path,
    args: argparse.Namespace,
) -> None:
    """Add the wall seconds of a step with the loader, contenders in turns."""
    loader = build_loader(config, args.end_to_end, args.batch_size)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(args.rounds):
        for name, contender in contenders.items():
            seconds[name].append(contender.epoch(loader, args.steps))
        print(f'round {turn + 1} of {args.rounds}, end to end', file=sys.stderr)
    for name, own in seconds.items():
        alone = result[name]['step']['wall_seconds']['median']
        result[name]['end_to_end'] = dict(
            entry(own, own, seconds.get(REFERENCE), args.batch_size),
            share_of_step=round(alone / float(np.median(own)), 3),
        )


def largest_batch(args: argparse.Namespace, setup: Setup) -> int:
    """Double the batch for as long as every contender can train with it."""
    batch = 0
    while True:
        try:
            for config in args.configs:
                for name in applicable(config, args.contenders):
                    double = max(2 * batch, 1)
                    Contender(config, name, double, args.clip, setup).step()
                    torch.cuda.empty_cache()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            if not batch:
                raise
            return batch
        batch = max(2 * batch, 1)


def add_memory(
    result: dict[str, Any], config: Path, args: argparse.Namespace, setup: Setup
) -> None:
    """Add the peak memory of a training step."""
    batch = args.memory_batch_size
    batch = args.batch_size if batch is None else batch
    if not batch:
        return
    for name in result:
        mib = peak_memory(config, name, batch, args.clip, setup)
        result[name]['memory'] = dict(batch_size=batch, mib=round(mib, 1))
    if REFERENCE in result:
        reference = result[REFERENCE]['memory']['mib']
        for row in result.values():
            row['memory']['ratio'] = round(row['memory']['mib'] / reference, 3)


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
        for name, row in contenders.items():
            lines += [table_row(name, kind, row) for kind in KINDS if kind in row]
    return '\n'.join(lines) + '\n'


def table_row(name: str, kind: str, row: dict[str, Any]) -> str:
    """Write one pass of one contender as a row."""
    own = row[kind]
    memory = row.get('memory') if kind == 'step' else None
    if kind == 'end_to_end':
        rate = f'{own["share_of_step"]:.2f} times the step alone'
    else:
        rate = f'{own["tflops"]:.3g} ({own["share_of_peak"]:.0%})'
    cells = [
        name,
        KINDS[kind],
        spread(own['seconds']),
        f'{own["wall_seconds"]["median"]:.3g}',
        f'{own["clips_per_second"]:.3g}',
        rate,
        spread(own['speedup']) if 'speedup' in own else '',
        f'{memory["mib"]:.0f} ({memory.get("ratio", "")})' if memory else '',
    ]
    return '| ' + ' | '.join(cells) + ' |'


def spread(summary: dict[str, float]) -> str:
    """Write a median and its quartiles."""
    return '{median:.3g} ({quartile1:.3g} to {quartile3:.3g})'.format(**summary)


if __name__ == '__main__':
    sys.exit(main())
