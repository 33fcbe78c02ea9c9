"""Report what ``compile=True`` does to a training step: ``compile_report.py CONFIG``.

The model of a config trains on one batch of random clips, as it is and compiled, in
turns. Reported are the graphs, the breaks of a graph and the recompilations after the
first step, the time of the first step, compilation included, and of a later one, and
the compiled step's speed in times of the other's. On a CPU the time is that of the
process and, in the first step, of the compilers that it starts.

Writes OUT.json. Exit codes: 0 measured, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import Contender
from measuring import DTYPES, Setup, add_clip, summarize, take_turns
from mmengine.registry import init_default_scope
from torch._dynamo.utils import counters

from ifdd_mmaction.engine import compile_regions
from ifdd_mmaction.fileio import write_atomic


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--dtype', choices=DTYPES, default='float32')
    parser.add_argument('--threads', type=int, default=1, help='of a CPU')
    parser.add_argument('--batch-size', type=int, default=8)
    add_clip(parser)
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--backend', default='inductor', help='default: %(default)s')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/compile_report'))
    args = parser.parse_args(argv)
    if min(args.rounds, args.threads, args.batch_size) < 1:
        parser.error('--rounds, --threads and --batch-size must be at least 1')
    if not args.config.is_file():
        parser.error(f'{args.config}: no such config')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    init_default_scope('mmaction')
    setup = Setup(args.device, args.dtype, args.threads, compile=True)
    result = dict(
        environment=setup.describe(),
        config=str(args.config),
        clip=list(args.clip),
        batch_size=args.batch_size,
        backend=args.backend,
        **measure(args, Setup(args.device, args.dtype, args.threads)),
    )
    text = json.dumps(result, indent=1)
    write_atomic(args.out.with_suffix('.json'), text.encode())
    print(text)
    return 0


def measure(args: argparse.Namespace, setup: Setup) -> dict[str, Any]:
    """Measure the first step, and later ones in turns."""
    plain, compiled = (
        Contender(args.config, 'ours', args.batch_size, args.clip, setup)
        for _ in range(2)
    )
    regions = compile_regions(compiled.model, backend=args.backend)
    counters.clear()
    start, cpu = time.perf_counter(), cpu_seconds()
    compiled.step()
    setup.synchronize()
    first = dict(
        wall_seconds=round(time.perf_counter() - start, 1),
        cpu_seconds=round(cpu_seconds() - cpu, 1),
    )
    graphs = counters['stats']['unique_graphs']
    runs = dict(plain=plain.step, compiled=compiled.step)
    seconds, _ = take_turns(runs, args.rounds, setup)
    ratios = np.array(seconds['plain']) / np.array(seconds['compiled'])
    return dict(
        regions=regions,
        graphs=graphs,
        graph_breaks=sum(counters['graph_break'].values()),
        recompilations=counters['stats']['unique_graphs'] - graphs,
        first_step=first,
        step={name: summarize(own) for name, own in seconds.items()},
        speedup=summarize(ratios),
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it has started."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == '__main__':
    sys.exit(main())
