"""Make the figures of docs/ again: data, trainings, measurements, tables.

    python tools/analysis/reproduce.py --list
    python tools/analysis/reproduce.py ablation_narrow demo
    python tools/analysis/reproduce.py                        # all of them
    python tools/analysis/reproduce.py --tables

The experiments are in experiments.py. Each runs existing tools, writes
docs/results/NAME.json with its commands and their commit, and then the tables of its
page. What is finished is not run again, and the same command continues after an
interruption; remove work_dirs/reproduce/NAME to measure again. ``--tables`` writes the
tables from the JSON alone. Exit codes: 0 made, or not run because the rendered set is
not given, 1 a command failed, 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import resource
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from experiments import SETS, WORK, Experiment
from reproduce_tables import write_tables
from temporal_reliance_tables import to_json

from ifdd_mmaction.cli import describe
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.provenance import provenance, source_commit

TOOL = 'tools/analysis/reproduce.py'


class StepError(Exception):
    """A command failed."""


class Step(NamedTuple):
    """A result of an experiment: its row, seed and folder, and what measures it."""

    row: str
    seed: int | None
    folder: Path
    command: str


class Reproduction:
    """An experiment, and how far it is.

    Args:
        name: Of the experiment.
        experiment: What it is.
        rendered: The rendered set, if it is given.
    """

    def __init__(self, name: str, experiment: Experiment, rendered: str | None) -> None:
        self.name, self.experiment = name, experiment
        self.rendered = shlex.quote(rendered) if rendered else 'ROOT'
        self.folder = Path(WORK) / name
        self.log = self.folder / 'made.json'
        #: CPU minutes so far, and what made the result in each folder.
        self.state: dict[str, Any] = dict(cpu_minutes=0.0, made={})
        if self.log.is_file():
            self.state = json.loads(self.log.read_text())
        draws = [SETS[data][1] for data in experiment.sets]
        self.before = [*filter(None, draws), *experiment.before]
        self.steps = list(self._steps())

    def _steps(self) -> Iterator[Step]:
        for row, command in self.experiment.rows.items():
            seeds = self.experiment.seeds if '{seed}' in command else (None,)
            for seed in seeds:
                folder = self.folder / re.sub(r'\W+', '_', row).strip('_')
                folder = folder if seed is None else folder / f'seed{seed}'
                yield Step(row, seed, folder, self._fill(command, folder, seed))

    def _fill(self, command: str, folder: Path | None = None, seed: Any = None) -> str:
        return command.format(folder=folder, seed=seed, rendered=self.rendered)

    def _is_made(self, step: Step) -> bool:
        """Whether the result is of this command, and of the checkpoint it names."""
        result = step.folder / self.experiment.result
        made = self.state['made'].get(str(step.folder), {})
        if made.get('command') != step.command or not result.is_file():
            return False
        read = (Path(w) for w in shlex.split(step.command) if w.endswith('.pth'))
        return all(
            path.stat().st_mtime <= result.stat().st_mtime
            for path in read
            if path.is_file() and path.parent != step.folder
        )

    def make(self) -> None:
        """Run what is not made yet.

        Raises:
            StepError: If a command failed.
        """
        todo = [step for step in self.steps if not self._is_made(step)]
        for command in self.before if todo else ():
            self._run(self._fill(command))
        for count, step in enumerate(todo, start=1):
            print(f'{self.name}: measurement {count} of {len(todo)}', flush=True)
            made = provenance() | dict(command=step.command)
            step.folder.mkdir(parents=True, exist_ok=True)
            self._run(step.command)
            self.state['made'][str(step.folder)] = made
            self._save()

    def _run(self, command: str) -> None:
        """Run a command as a user would, with this Python."""
        print(f'$ {command}', flush=True)
        folders = [str(Path(sys.executable).parent), os.environ['PATH']]
        env = dict(os.environ, PATH=os.pathsep.join(folders))
        begin = cpu_minutes()
        # In a session of its own: an interrupt reaches it once, from here.
        process = subprocess.Popen(command, shell=True, env=env, start_new_session=True)
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        finally:
            self.state['cpu_minutes'] += cpu_minutes() - begin
            self._save()
        if code:
            raise StepError(f'{self.name} failed (exit code {code}): {command}')

    def _save(self) -> None:
        write_atomic(self.log, json.dumps(self.state, indent=1).encode())

    def record(self) -> dict[str, Any]:
        """Return what docs/results gets."""
        experiment = self.experiment
        made = [self.state['made'][str(s.folder)] for s in self.steps]
        files = [step.folder / experiment.result for step in self.steps]
        results = [json.loads(file.read_text()) for file in files]
        commands = [*self.before, *experiment.rows.values()]
        words = ' '.join(commands).split()
        head = dict(
            what=experiment.what,
            command=f'python {TOOL} {self.name}',
            commands=[command.replace('{rendered}', 'ROOT') for command in commands],
            configs=sorted({word for word in words if word.startswith('configs/')}),
            commit=', '.join(sorted({m['commit'] for m in made})),
            date=max(m['date'] for m in made),
            environment=made[-1]['environment'],
            seeds=sorted({s.seed for s in self.steps if s.seed is not None}),
            cpu_minutes=round(self.state['cpu_minutes'], 1),
        )
        if experiment.columns:
            paths = {k: c.path.split('/') for k, c in experiment.columns.items()}
            runs = [
                {k: reduce(dict.__getitem__, p, result) for k, p in paths.items()}
                for result in results
            ]
            pairs = zip(self.steps, runs, strict=True)
            return head | dict(
                runs=[dict(row=s.row, seed=s.seed, **run) for s, run in pairs]
            )
        (result,) = results
        kept = ('commit', 'seeds')  # of the runs that ablate.py puts together
        return head | {k: v for k, v in result.items() if k in kept or k not in head}


def picture_stem(experiment: Experiment) -> str:
    """Return the start of the names of pictures, which an experiment has its own of."""
    return experiment.pictures.split('*')[0].removesuffix('_')


def cpu_minutes() -> float:
    """Return the CPU time of all commands so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) / 60


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('names', nargs='*', metavar='NAME', help='of experiments (all)')
    parser.add_argument('--rendered', type=Path, help='root of the rendered set')
    parser.add_argument('--list', action='store_true', help='list the experiments')
    parser.add_argument('--tables', action='store_true', help='write the tables only')
    parser.add_argument(
        '--experiments',
        type=Path,
        default=Path(__file__).with_name('experiments.py'),
        help='another file of experiments',
    )
    parser.add_argument(
        '--docs', type=Path, default=Path('docs'), help='folder of results and pages'
    )
    args = parser.parse_args(argv)
    for path in filter(None, (args.rendered, args.docs, args.experiments)):
        if not path.exists():
            parser.error(f'no {path}: run it in the clone')
    args.known = runpy.run_path(str(args.experiments))['EXPERIMENTS']
    pages = {args.docs / experiment.page for experiment in args.known.values()}
    if missing := [str(page) for page in sorted(pages) if not page.is_file()]:
        parser.error(f'no page {", ".join(missing)}: create it, or give --docs')
    for name in args.names:
        if name not in args.known:
            near = difflib.get_close_matches(name, args.known, n=1, cutoff=0)[0]
            parser.error(f'no experiment {name}, do you mean {near}?')
    args.chosen = {name: args.known[name] for name in args.names or args.known}
    return args


def show(args: argparse.Namespace) -> None:
    """List experiments: CPU minutes that they took, commit, and what they are."""
    for name, experiment in args.chosen.items():
        path = args.docs / 'results' / f'{name}.json'
        record = json.loads(path.read_text()) if path.is_file() else {}
        minutes = record.get('cpu_minutes', '?')
        commit = record.get('commit', 'not measured')
        print(f'{name:26} {minutes:>7} CPU minutes  {commit:13} {experiment.what}')


def run(args: argparse.Namespace) -> int:
    """Make the experiments one after the other; return the exit code."""
    failed = 0
    if (commit := source_commit()).endswith('dirty'):
        print(f'warning: results are marked {commit}: commit the code', file=sys.stderr)
    rendered = str(args.rendered.absolute()) if args.rendered else None
    for count, (name, experiment) in enumerate(args.chosen.items(), start=1):
        print(f'experiment {count} of {len(args.chosen)}: {name}', flush=True)
        if 'rendered' in experiment.sets and not rendered:
            print(f'{name} is not run: give --rendered ROOT')
            continue
        reproduction = Reproduction(name, experiment, rendered)
        try:
            reproduction.make()
        except StepError as error:
            print(error, file=sys.stderr)
            failed = 1
            continue
        text = to_json(reproduction.record())
        if rendered:
            text = text.replace(rendered, 'ROOT')
        write_atomic(args.docs / 'results' / f'{name}.json', text.encode())
        if experiment.pictures:
            for picture in reproduction.folder.rglob(experiment.pictures):
                own = name + picture.name.removeprefix(picture_stem(experiment))
                shutil.copy(picture, args.docs / 'results' / own)
        write_tables(args.known, args.docs)
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.list:
        show(args)
    elif args.tables:
        write_tables(args.known, args.docs)
    else:
        # The second too: whoever is started in the background of a script ignores
        # interrupts, and hands that on to the commands that are interrupted here.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        try:
            return run(args)
        except KeyboardInterrupt:
            print('interrupted: the same command continues', file=sys.stderr)
            return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
