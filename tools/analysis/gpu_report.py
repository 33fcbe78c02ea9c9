"""Correctness and speed on a GPU in one command: ``tools/analysis/gpu_report.py OUT``.

- checks: every pooling kernel against float64, output and both gradients, in float32,
  bfloat16 and float16, for the shapes of the model; scores and gradients of the model;
- models: stock MMAction2 MViT with the neck, ours, ours checkpointed and ours compiled,
  in turns: a training step and a forward pass, at batch 32, 8, 1 and the largest that
  fits; peak memory; the share of the device's matrix peak;
- profile: the time of a step by groups of operators;
- pooling by shape: time, and the bandwidth that it reaches.

Each part runs in a process of its own, so that one that fails leaves the others alone.
Parts are in the order of their importance; what does not fit into --minutes is named
as not measured. Nothing is downloaded.

Writes OUT/gpu_report.json and OUT/gpu_report.md after each part; --resume goes on where
a run has ended. Exit codes: 0 every correctness check was made and passed, 1 not, 2
wrong arguments, or the GPU does not work, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from gpu.page import to_markdown
from gpu.parts import faults, parts_of
from gpu.poolings import load_function
from gpu.run import DONE, Context, Part, go_through, one_line, run_apart
from gpu.speed import describe
from measuring import DTYPES, Setup

from ifdd_mmaction.fileio import write_atomic

NAME, PAGE = 'gpu_report.json', 'gpu_report.md'
CONFIGS = Path(__file__).parents[2] / 'configs'
FULL = dict(config='ifdd_vit_dfew.py', clip=(16, 224, 224), batches=(32, 8, 1))
SMALL = dict(config='ifdd_vit_sample.py', clip=(16, 64, 64), batches=(2,))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, metavar='OUT', help='folder of the report')
    parser.add_argument(
        '--minutes', type=float, default=9, help='budget (default: %(default)s)'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on with the report that is in OUT'
    )
    parser.add_argument('--device', default='cuda')
    parser.add_argument(
        '--dtype', choices=DTYPES, default='bfloat16', help='of autocast, for all speed'
    )
    parser.add_argument(
        '--small',
        action='store_true',
        help='a rehearsal with small shapes, also on a CPU: no figures of a GPU',
    )
    parser.add_argument(
        '--pooling',
        metavar='FILE.py:FUNCTION',
        help='check and time one more pooling (of tokens, kernels and strides; see '
        'gpu/poolings.py)',
    )
    args = parser.parse_args(argv)
    if not args.minutes > 0:
        parser.error(f'--minutes {args.minutes}: it must be more than 0')
    if args.pooling:
        try:
            load_function(args.pooling)
        except Exception as error:  # whatever the code of the file raises
            parser.error(f'--pooling {args.pooling}: {one_line(error)}')
    if not re.fullmatch(r'cpu|cuda(:\d+)?', args.device):
        parser.error(f'--device {args.device}: cuda, cuda:N or cpu')
    if args.device == 'cpu':
        if not args.small:
            parser.error('--device cpu: only a rehearsal (--small) runs on a CPU')
    elif not torch.cuda.is_available():
        parser.error(
            f'--device {args.device}: PyTorch {torch.__version__} finds no GPU here; '
            '--device cpu --small is a rehearsal without one'
        )
    if (args.out / NAME).exists() != args.resume:
        say = 'is not there: leave out' if args.resume else 'exists: add'
        parser.error(f'{args.out / NAME} {say} --resume, or name another folder')
    return args


def read_context(args: argparse.Namespace) -> Context:
    """Return what is measured."""
    # On a GPU threads matter for the initial weights alone.
    threads = 1 if args.device == 'cpu' else min(8, os.cpu_count() or 1)
    settings: dict[str, Any] = SMALL if args.small else FULL
    return Context(
        config=CONFIGS / settings['config'],
        clip=settings['clip'],
        batches=settings['batches'],
        rounds=1 if args.small else 7,
        setup=Setup(args.device, args.dtype, threads),
        small=args.small,
        candidate=args.pooling and str(Path(args.pooling).absolute()),
    )


def settings_of(context: Context, environment: dict[str, str]) -> dict[str, Any]:
    """Return what a report that is resumed must agree on."""
    return dict(
        config=context.config.name,
        clip=list(context.clip),
        batches=list(context.batches),
        rounds=context.rounds,
        dtype=context.setup.dtype,
        small=context.small,
        pooling=context.candidate,
        device=environment['device'],
        torch=environment['torch'],
    )


def main(argv: Sequence[str] | None = None) -> int:
    start = time.monotonic()
    args = parse_args(argv)
    context = read_context(args)
    outcome = run_apart(Part('environment', describe, 0), context, 180)
    if outcome['state'] != DONE:
        print(f'{args.device} does not work: {outcome["reason"]}', file=sys.stderr)
        return 2
    environment = outcome['rows']['environment']
    parts = parts_of(context)
    report: dict[str, Any] = dict(
        settings=settings_of(context, environment),
        date=date.today().isoformat(),
        environment=environment,
        planned=[part.name for part in parts],
        parts={},
    )
    if args.resume:
        known = json.loads((args.out / NAME).read_text())
        for key, value in report['settings'].items():
            if known['settings'].get(key) != value:
                seen = known['settings'].get(key)
                print(
                    f'{args.out / NAME} has {key} {seen}, this run {value}: give '
                    'the options of that run, or another folder',
                    file=sys.stderr,
                )
                return 2
        report['parts'] = known['parts']
    try:
        go_through(
            parts,
            report['parts'],
            lambda part, left: run_apart(
                part, replace(context, found=report['parts']), left
            ),
            lambda: save(args.out, report),
            args.minutes - (time.monotonic() - start) / 60,
        )
    except KeyboardInterrupt:
        print('interrupted: --resume goes on', file=sys.stderr)
        return 130
    finally:
        save(args.out, report)
    wrong = faults(report['planned'], report['parts'])
    for line in wrong:
        print(line, file=sys.stderr)
    print(args.out / PAGE)
    return 1 if wrong else 0


def save(folder: Path, report: dict[str, Any]) -> None:
    """Write what there is of a report, and its page."""
    write_atomic(folder / NAME, json.dumps(report, indent=1).encode())
    write_atomic(folder / PAGE, to_markdown(report).encode())


if __name__ == '__main__':
    sys.exit(main())
