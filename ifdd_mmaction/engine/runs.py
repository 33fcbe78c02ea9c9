"""Train and test in processes of their own: finished runs are not run again.

What makes many runs is built on it: ``apis.kfold`` and ``tools/analysis/ablate.py``.
A run has a folder of its own, with ``log.txt`` of what the tools said,
``settings.json`` of what it was started with, the dumped predictions, and, when it is
finished, ``scores.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..deprecations import former_settings
from ..fileio import write_atomic
from ..provenance import source_commit
from .load_config import load_config
from .resume import EXIT_PREEMPTED

SCORES = ('WAR', 'UAR', 'F1')
#: The checkpoints that are tested, and where their predictions go.
PREDICTIONS = {'last': 'predictions.json', 'best': 'predictions_best.json'}

_running: set[subprocess.Popen] = set()


class RunError(RuntimeError):
    """A run failed or cannot be made; the message says where to look."""


@dataclass(frozen=True)
class Run:
    """One training and its tests.

    Args:
        tools: Folder of ``train.py`` and ``test.py``.
        config: Config file.
        folder: Work dir; it belongs to this run alone.
        base: Base of a config that leaves it open; see :func:`load_config`.
        fold: Number of the fold, or None for the config's.
        seed: Random seed, or None for the config's.
        options: ``KEY=VALUE`` for ``--cfg-options`` of training and testing.
        tests: Checkpoints to test: ``'last'``, and ``'best'`` by WAR in validation.
        gpus: Processes on this machine, one for each GPU; 1 starts none.
        threads: ``OMP_NUM_THREADS``, unless the environment sets it.
    """

    tools: Path
    config: Path
    folder: Path
    base: str | None = None
    fold: int | None = None
    seed: int | None = None
    options: Sequence[str] = ()
    tests: Sequence[str] = ('last', 'best')
    gpus: int = 1
    threads: int | None = None


def claim(runs: Sequence[Run]) -> None:
    """Write what decides the results of runs into their folders, before any starts.

    Raises:
        RunError: If a folder holds a run with other settings; nothing is written then.
    """
    read = {pair: _read(*pair) for pair in {(r.config, r.base) for r in runs}}
    digests = {pair: _digest(settings) for pair, settings in read.items()}
    former = {digests[p]: _digest(former_settings(read[p])) for p in read}
    stamps: dict[Path, dict[str, Any]] = {
        run.folder / 'settings.json': dict(
            config=digests[run.config, run.base],
            fold=run.fold,
            seed=run.seed,
            options=sorted(run.options),
            gpus=run.gpus,
        )
        for run in runs
    }
    for path, settings in stamps.items():
        found = json.loads(path.read_text()) if path.is_file() else settings
        if found.get('config') == former[settings['config']]:
            found['config'] = settings['config']
        differing = [k for k, value in settings.items() if found.get(k) != value]
        if differing:
            raise RunError(
                f'{path.parent} holds a run with other settings: '
                + ', '.join(f'{k} {found.get(k)}, not {settings[k]}' for k in differing)
                + '. Choose another --work-dir, or remove that folder.'
            )
    for path, settings in stamps.items():
        write_atomic(path, json.dumps(settings, indent=1).encode())


def execute(run: Run) -> dict[str, dict[str, Any]]:
    """Train and test one run as far as that is still to be done.

    Returns:
        For each of ``run.tests``: ``epoch`` of the checkpoint, ``WAR``, ``UAR``,
        ``F1``, all of this one checkpoint. ``scores.json`` holds the same, and the
        commit of the code.

    Raises:
        RunError: If training or a test failed.
    """
    path = run.folder / 'scores.json'
    scores = json.loads(path.read_text())['scores'] if path.is_file() else {}
    if missing := [name for name in run.tests if name not in scores]:
        commit = source_commit()
        _train(run)
        for name in missing:
            scores[name] = _test(run, name)
        record = dict(fold=run.fold, seed=run.seed, commit=commit, scores=scores)
        write_atomic(path, json.dumps(record, indent=1).encode())
    return {name: scores[name] for name in run.tests}


def execute_all(
    runs: Sequence[Run], jobs: int = 1
) -> Iterator[tuple[Run, dict[str, dict[str, Any]] | RunError]]:
    """Execute runs, ``jobs`` at a time, and yield each with its scores or its error.

    An interrupt ends those that are running and starts no other, and so does SIGTERM,
    which is a ``KeyboardInterrupt`` meanwhile.
    """
    with _sigterm_interrupts(), ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(execute, run): run for run in runs}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    yield futures[future], future.result()
                elif isinstance(error, RunError):
                    yield futures[future], error
                else:
                    raise error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):  # threads change it
                process.terminate()
            raise


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Have SIGTERM do what Ctrl+C does: by default the runs would go on alone."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _read(config: Path, base: str | None) -> dict[str, Any]:
    """Return what a config and its bases say, less what changes no result."""
    settings = load_config(config, base, import_custom_modules=False).to_dict()
    settings.setdefault('randomness', dict(seed=0))  # as apis.train does
    settings.get('default_hooks', {}).pop('visualization', None)
    return settings


def _digest(settings: dict[str, Any]) -> str:
    """Return a hash of a config."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _train(run: Run) -> None:
    command = ['train.py', str(run.config), '--work-dir', str(run.folder), '--resume']
    if run.seed is not None:
        command += ['--seed', str(run.seed)]
    _call(run, command)


def _test(run: Run, name: str) -> dict[str, Any]:
    checkpoint = _checkpoint(run.folder, name)
    dump = run.folder / PREDICTIONS[name]
    command = ['test.py', str(run.config), str(checkpoint), '--dump', str(dump)]
    _call(run, [*command, '--work-dir', str(run.folder)])
    report = json.loads(dump.read_text())
    epoch = int(re.findall(r'\d+', checkpoint.stem)[-1])
    return dict(epoch=epoch, **{k: report[k] for k in SCORES})


def _checkpoint(folder: Path, name: str) -> Path:
    if name == 'last':
        # The file holds a path that is wrong once the folder has moved.
        return folder / Path((folder / 'last_checkpoint').read_text().strip()).name
    # MMEngine removes a best one when it writes a better.
    found = sorted(folder.glob('best_dfer_WAR_*.pth'), key=os.path.getmtime)
    if not found:
        raise RunError(
            f"no best_dfer_WAR_*.pth in {folder}: set save_best='dfer/WAR' of the "
            'CheckpointHook, and validate'
        )
    return found[-1]


def _call(run: Run, command: list[str]) -> None:
    """Run a tool with the options of the run and its output in ``log.txt``."""
    tool, *arguments = command
    launch = [sys.executable]
    if run.gpus > 1:
        launch += ['-m', 'torch.distributed.run', '--standalone']
        launch += [f'--nproc_per_node={run.gpus}']
        arguments += ['--launcher', 'pytorch']
    if run.base is not None:
        arguments += ['--base', run.base]
    if run.fold is not None:
        arguments += ['--fold', str(run.fold)]
    if run.options:
        arguments += ['--cfg-options', *run.options]
    line = [*launch, str(run.tools / tool), *arguments]
    env = dict(os.environ)
    if run.threads:
        env.setdefault('OMP_NUM_THREADS', str(run.threads))
    with (run.folder / 'log.txt').open('a') as log:
        print('$', shlex.join(line), file=log, flush=True)
        with subprocess.Popen(
            line, stdout=log, stderr=subprocess.STDOUT, env=env
        ) as process:
            _running.add(process)
            code = process.wait()
            _running.discard(process)
    if code == EXIT_PREEMPTED:
        raise RunError(f'{tool} was ended by SIGTERM: the same command continues')
    if code:
        raise RunError(f'{tool} failed (exit code {code}), see {log.name}')
