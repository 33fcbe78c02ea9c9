"""Train for hours and see what grows: ``python tools/analysis/soak.py CONFIG OUT``.

The training runs in a process of its own, with ``--workers`` data workers and the
temporary folder ``OUT/tmp``. Every few seconds the memory (PSS: pages that processes
share count by their share; USS: what only one process holds), open files, threads and
processes are read, of the main process and of all others together, and the temporary
files are counted. After the given time the training is stopped.

Growth is the Theil-Sen slope times the time, without the first quarter, in which the
allocators fill. Flat is less than 2 % and 16 MiB of memory, and less than one file,
thread, process or temporary file.

Writes OUT/soak.json and OUT/soak.png; the run is OUT/run and its log OUT/train.log.
Exit codes: 0 all is flat, 1 something grows, 2 wrong arguments, or the training ended
by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ifdd_mmaction.cli import add_cfg_options, describe
from ifdd_mmaction.fileio import write_atomic

ROOT = Path(__file__).parents[2]
#: Series of memory in MiB; the others are counts.
MEMORY = ('pss', 'uss')
COUNTS = ('files', 'threads', 'processes')
#: What counts as flat: growth below this share of the level, or below this amount.
SHARE, MIB, COUNT = 0.02, 16.0, 0.99


def measure(pid: int, temporary: Path) -> dict[str, float]:
    """Return memory in MiB and counts of a process and of those that it started.

    Raises:
        psutil.NoSuchProcess: If it has ended.
    """
    main = psutil.Process(pid)
    sample: dict[str, float] = {}
    for who, processes in (('main', [main]), ('workers', main.children(True))):
        total = dict.fromkeys((*MEMORY, *COUNTS), 0.0)
        for process in processes:
            try:
                memory = process.memory_full_info()
                found = dict(
                    pss=memory.pss / 2**20,
                    uss=memory.uss / 2**20,
                    files=process.num_fds(),
                    threads=process.num_threads(),
                    processes=1,
                )
            except psutil.NoSuchProcess:
                if process is main:
                    raise
                continue  # a worker that ended meanwhile
            for name, value in found.items():
                total[name] += value
        sample |= {f'{who}_{name}': round(v, 2) for name, v in total.items()}
    sample['temporary_files'] = sum(len(files) for *_, files in os.walk(temporary))
    return sample


def watch(
    process: subprocess.Popen, seconds: float, every: float, temporary: Path
) -> dict[str, list[float]]:
    """Measure a process until the time is over or it ends; return the series."""
    series: dict[str, list[float]] = {}
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        try:
            sample = measure(process.pid, temporary)
        except psutil.NoSuchProcess:
            break
        if process.poll() is not None:  # its remains have no memory to speak of
            break
        for name, value in {'seconds': round(passed, 1), **sample}.items():
            series.setdefault(name, []).append(value)
        print(
            f'\r{passed / 60:6.1f} min, main {sample["main_pss"]:.0f} MiB, workers '
            f'{sample["workers_pss"]:.0f} MiB, Ctrl-C ends it early',
            end='',
            file=sys.stderr,
            flush=True,
        )
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            break
    print(file=sys.stderr)
    return series


def growth(seconds: Sequence[float], values: Sequence[float]) -> float:
    """Return the Theil-Sen slope times the time: outliers do not count."""
    x, y = np.asarray(seconds, float), np.asarray(values, float)
    first, second = np.triu_indices(len(x), 1)
    steps = x[second] - x[first]
    slopes = (y[second] - y[first])[steps > 0] / steps[steps > 0]
    return float(np.median(slopes) * (x[-1] - x[0])) if len(slopes) else 0.0


def judge(series: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Say of each series how much it grows after the first quarter, and if it is flat.

    Raises:
        ValueError: If there are fewer than eight samples.
    """
    count = len(series.get('seconds', ()))
    if count < 8:
        raise ValueError(f'{count} samples are too few to judge: measure for longer')
    # At most 500 samples: the slope takes every pair of them.
    chosen = np.unique(np.linspace(count // 4, count - 1, 500).astype(int))
    seconds = np.asarray(series['seconds'])[chosen]
    verdict = {}
    for name, values in series.items():
        if name == 'seconds':
            continue
        settled = np.asarray(values)[chosen]
        level = float(np.median(settled))
        memory = name.endswith(MEMORY)
        limit = max(MIB, SHARE * level) if memory else COUNT
        grown = growth(seconds, settled)
        verdict[name] = dict(
            level=round(level, 2),
            growth=round(grown, 2),
            limit=round(limit, 2),
            flat=grown < limit,
        )
    return verdict


def plot(series: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw memory and counts over time."""
    from matplotlib.figure import Figure

    from ifdd_mmaction.visualization.style import save_figure

    figure = Figure(figsize=(7, 6), layout='constrained')
    top, bottom = figure.subplots(2, sharex=True)
    minutes = np.asarray(series['seconds']) / 60
    for name, values in series.items():
        if name != 'seconds':
            axes = top if name.endswith(MEMORY) else bottom
            axes.plot(minutes, values, label=name.replace('_', ' '), linewidth=1)
    top.set(ylabel='memory (MiB)', ylim=(0, None))
    bottom.set(ylabel='number', xlabel='time (min)', ylim=(0, None))
    for axes in (top, bottom):
        axes.legend(fontsize='small', ncols=4, loc='lower left', bbox_to_anchor=(0, 1))
    save_figure(figure, path)


def stop(process: subprocess.Popen) -> None:
    """End a training and its workers: let it save first."""
    children = (
        psutil.Process(process.pid).children(True) if process.poll() is None else []
    )
    process.terminate()
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()
    for child in children:
        if child.is_running():
            child.kill()
    process.wait()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', help='config file')
    parser.add_argument('out', type=Path, help='folder of the results')
    parser.add_argument('--minutes', type=float, default=60, help='how long to train')
    parser.add_argument('--every', type=float, default=5, help='seconds of a sample')
    parser.add_argument('--workers', type=int, default=4, help='of each data loader')
    add_cfg_options(parser, 'KEY=VALUE for tools/train.py', as_words=True)
    args = parser.parse_args(argv)
    if args.minutes <= 0 or args.every <= 0:
        parser.error(
            f'--minutes {args.minutes} and --every {args.every} must be above 0'
        )
    if not Path(args.config).is_file():
        parser.error(f'no config {args.config}')
    temporary = args.out / 'tmp'
    temporary.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, str(ROOT / 'tools' / 'train.py'), args.config),
        *('--work-dir', str(args.out / 'run'), '--cfg-options'),
        'train_cfg.max_epochs=1000000',
        'default_hooks.checkpoint.max_keep_ckpts=1',
        f'train_dataloader.num_workers={args.workers}',
        f'val_dataloader.num_workers={args.workers}',
        *args.cfg_options,
    ]
    environment = {**os.environ, 'TMPDIR': str(temporary.resolve())}
    with open(args.out / 'train.log', 'wb') as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            series = watch(process, 60 * args.minutes, args.every, temporary)
            ended = process.poll()
        finally:
            stop(process)
    if ended is not None:
        print(
            f'error: the training ended with exit code {ended} before its time, see '
            f'{args.out / "train.log"}',
            file=sys.stderr,
        )
        return 2
    try:
        verdict = judge(series)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    result = dict(command=command[1:], verdict=verdict, series=series)
    write_atomic(args.out / 'soak.json', (json.dumps(result) + '\n').encode())
    plot(series, args.out / 'soak.png')
    for name, found in verdict.items():
        state = 'flat ' if found['flat'] else 'GROWS'
        print(
            f'{state} {name:18} {found["level"]:10.2f} {found["growth"]:+9.2f} '
            f'(limit {found["limit"]:.2f})'
        )
    print(f'wrote {args.out / "soak.json"} and {args.out / "soak.png"}')
    return 0 if all(found['flat'] for found in verdict.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
