"""Run the tests of MMEngine and MMAction2 on what this package puts in their place.

Their tests are fetched by whoever runs this, and nothing of them is kept here::

    git clone --depth 1 -b v0.10.7 https://github.com/open-mmlab/mmengine
    git clone --depth 1 -b v1.2.0 https://github.com/open-mmlab/mmaction2
    pip install parameterized lmdb
    python tests/upstream_suites.py mmengine mmaction2

Each suite runs twice in the installed packages: as it is, and with our classes and the
corrections of ``compat`` in place of theirs. A result that then differs needs a
reason in :data:`REASONS`. ``tests/upstream_suites.md`` has the table. Exit codes: 0
every difference has a reason, 1 one has none, 2 wrong arguments.

The same file is the pytest plugin that puts our classes in place.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
#: Set for the second run.
OURS = 'IFDD_IN_PLACE_OF_UPSTREAM'
#: The checkout whose tests are run.
CHECKOUT = 'IFDD_UPSTREAM_CHECKOUT'

#: Theirs, ours, and the defaults of theirs that ours differ from.
IN_PLACE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        'mmengine.hooks.CheckpointHook',
        'ifdd_mmaction.engine.ResumableCheckpointHook',
        {},
    ),
    (
        'mmengine.runner.EpochBasedTrainLoop',
        'ifdd_mmaction.engine.ResumableTrainLoop',
        {},
    ),
    (
        'mmengine.fileio.LocalBackend',
        'ifdd_mmaction.engine.resume.checkpoint_file.CheckpointBackend',
        {},
    ),
    (
        'mmaction.models.MViT',
        'ifdd_mmaction.models.backbones.PyramidMViT',
        dict(out_scales=-1, output_cls_token=True),
    ),
    (
        'mmaction.models.VisionTransformer',
        'ifdd_mmaction.models.backbones.FusedVisionTransformer',
        {},
    ),
    (
        'mmaction.models.TimeSformer',
        'ifdd_mmaction.models.backbones.TimeSformerMap',
        {},
    ),
    (
        'mmaction.models.UniFormerV2',
        'ifdd_mmaction.models.backbones.UniFormerV2Map',
        {},
    ),
    ('mmaction.models.C3D', 'ifdd_mmaction.models.backbones.C3DPyramid', {}),
    (
        'mmaction.models.ActionDataPreprocessor',
        'ifdd_mmaction.datasets.transforms.ClipDataPreprocessor',
        {},
    ),
)
#: Hooks of ours that every run gets besides its own.
HOOKS = ('FiniteLossHook', 'BadClipsHook', 'ClassNamesHook')

#: Tests of the classes above, of what builds on them, and of what compat changes.
SUITES = dict(
    mmengine=(
        'test_hooks',
        'test_runner',
        'test_fileio',
        'test_dataset/test_sampler.py',
        'test_dist/test_utils.py',
        'test_model/test_wrappers',
        'test_optim/test_optimizer/test_optimizer_wrapper.py',
        'test_optim/test_optimizer/test_optimizer_wrapper_dict.py',
        'test_strategies',
        'test_infer',
    ),
    mmaction2=(
        'models/backbones/test_mvit.py',
        'models/backbones/test_vit_mae.py',
        'models/backbones/test_timesformer.py',
        'models/backbones/test_uniformerv2.py',
        'models/backbones/test_c3d.py',
        'models/data_preprocessors',
        'models/heads',
    ),
)

#: Why a test of theirs comes out in another way: by the end of its name.
REASONS = {
    'test_ema_hook.TestEMAHook.test_with_runner': (
        'the loss of its model, a sum of signed errors, has no least value: weights '
        'and gradient overflow, and FiniteLossHook, which this script adds to every '
        'run, stops there as it should'
    ),
    'TestLocalBackend.test_name': 'the name of a backend is that of its class',
    'TestRunner.test_get_hooks_info': (
        'it lists when each hook is called: ours is also called after an iteration '
        'of validation (SIGTERM), and before and after a checkpoint is handled'
    ),
    'TestRunner.test_init': (
        'it gives the loop a data loader that is built already; ResumableTrainLoop '
        'makes the batches itself, and says so'
    ),
    'test_c3d_backbone': 'C3DPyramid returns maps and has no classifier: its purpose',
    'test_timesformer_backbone': (
        'TimeSformerMap returns a map in place of the class token: its purpose'
    ),
    'test_uniformerv2_backbone': (
        'UniFormerV2Map returns a map in place of a vector: its purpose'
    ),
}


# --- the plugin ---------------------------------------------------------------------


def pytest_configure(config: Any) -> None:
    """Put our classes in place, where this is the second run."""
    if not os.environ.get(OURS):
        _let_models_import()
    else:
        _put_in_place()
    if Path(os.environ[CHECKOUT], 'mmaction').is_dir():
        _as_in_the_checkout()


def _as_in_the_checkout() -> None:
    """Their tests count on configs beside the package, and on the scope of others."""
    from mmaction.testing import _utils
    from mmaction.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    # From where it takes its way to the configs.
    _utils.__file__ = str(Path(os.environ[CHECKOUT], 'mmaction/testing/_utils.py'))


def _put_in_place() -> None:
    import ifdd_mmaction  # noqa: F401 (applies compat)

    for name in ('mmengine.testing', 'mmengine.runner', 'mmaction.models'):
        importlib.import_module(name)
    for theirs, ours, defaults in IN_PLACE:
        _replace(_find(theirs), _with_defaults(_find(ours), defaults))
    _add_hooks()


def _let_models_import() -> None:
    """Without these two mends the wheel's models cannot be imported at all."""
    package = ModuleType('ifdd_mmaction')
    package.__path__ = [str(ROOT / 'ifdd_mmaction')]
    sys.modules['ifdd_mmaction'] = package  # empty: the real one applies them all
    compat = importlib.import_module('ifdd_mmaction.compat')
    compat.provide_missing_drn()
    compat.disable_broken_multimodal()


def _find(path: str) -> Any:
    module, name = path.rsplit('.', 1)
    return getattr(importlib.import_module(module), name)


def _with_defaults(ours: type, defaults: dict[str, Any]) -> type:
    if not defaults:
        return ours

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super(subclass, self).__init__(*args, **{**defaults, **kwargs})

    subclass = type(ours.__name__, (ours,), {'__init__': __init__})
    return subclass


def _replace(theirs: type, ours: type) -> None:
    """Have every name and registry of MMEngine and MMAction2 mean ours.

    Raises:
        RuntimeError: If nothing was replaced.
    """
    replaced = 0
    import mmaction.registry
    import mmengine.registry
    from mmengine.fileio import FileClient
    from mmengine.fileio.backends import registry_utils
    from mmengine.registry import Registry

    for name, module in tuple(sys.modules.items()):
        if name.split('.')[0] in ('mmengine', 'mmaction'):
            for key, value in tuple(vars(module).items()):
                if value is theirs:
                    setattr(module, key, ours)
                    replaced += 1
    tables = [
        found._module_dict
        for module in (mmengine.registry, mmaction.registry)
        for found in vars(module).values()
        if isinstance(found, Registry)
    ]
    tables += [FileClient._backends, FileClient._prefix_to_backends]
    tables += [registry_utils.backends, registry_utils.prefix_to_backends]
    for table in tables:
        for key, value in tuple(table.items()):
            if value is theirs:
                table[key] = ours
                replaced += 1
    if not replaced:
        raise RuntimeError(f'nothing is {theirs.__name__}')


def _add_hooks() -> None:
    from mmengine.runner import Runner

    from ifdd_mmaction import engine

    def adding(upstream: Any) -> Any:
        @functools.wraps(upstream)
        def run(self: Runner) -> Any:
            present = {type(hook).__name__ for hook in self.hooks}
            for name in HOOKS:
                if name not in present:
                    self.register_hook(getattr(engine, name)())
            return upstream(self)

        return run

    for name in ('train', 'val', 'test'):
        setattr(Runner, name, adding(getattr(Runner, name)))


# --- the script ---------------------------------------------------------------------


#: Processes that a test spawns get our classes too.
SPAWNED = """
import sys
if any('spawn_main' in argument for argument in sys.orig_argv):
    import tests.upstream_suites
    tests.upstream_suites.pytest_configure(None)
"""


def run(checkout: Path, files: str, ours: bool) -> dict[str, str]:
    """Run tests of a checkout; return the outcome of each, by file and name.

    An outcome is ``passed``, ``skipped``, or the first line of what was raised.
    """
    env = {**os.environ, 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '1', OURS: '1' * ours}
    env[CHECKOUT] = str(checkout.resolve())
    tests = checkout.resolve() / 'tests'
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'sitecustomize.py').write_text(SPAWNED)
        paths = [folder, str(ROOT), env.get('PYTHONPATH', '')]
        env['PYTHONPATH'] = os.pathsep.join(paths)
        report = Path(folder, 'report.xml')
        command = [
            sys.executable, '-P', '-m', 'pytest', '-p', 'tests.upstream_suites',
            '-p', 'no:cacheprovider', '-c', os.devnull, '--rootdir', str(tests), '-q',
            f'--junit-xml={report}', '--continue-on-collection-errors',
            str(tests / files),
        ]  # fmt: skip
        result = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True
        )
        if not report.is_file():
            sys.exit(f'pytest could not run:\n{result.stdout}\n{result.stderr}')
        cases = ElementTree.parse(report).getroot().iter('testcase')
        return {_name(case): _outcome(case) for case in cases}


def _name(case: ElementTree.Element) -> str:
    return f'{case.get("classname")}.{case.get("name")}'.lstrip('.')


def _outcome(case: ElementTree.Element) -> str:
    for child in case:
        if child.tag in ('failure', 'error'):
            lines = (child.get('message') or '').splitlines()
            return lines[0] if lines else child.tag
        if child.tag == 'skipped':
            return 'skipped'
    return 'passed'


def compare(
    stock: dict[str, str], ours: dict[str, str]
) -> tuple[list[tuple[str, int, int, int]], list[str], list[str]]:
    """Return a row of counts for each file, the differences, and those unreasoned."""
    rows: Counter = Counter()
    differences, unreasoned = [], []
    for name in sorted(stock.keys() | ours.keys()):
        before, after = stock.get(name, 'absent'), ours.get(name, 'absent')
        file = _file_of(name)
        rows[file, 'all'] += 1
        rows[file, 'stock'] += before == 'passed'
        rows[file, 'ours'] += after == 'passed'
        if (before == 'passed') == (after == 'passed'):
            continue
        reason = next((r for key, r in REASONS.items() if name.endswith(key)), None)
        differences.append(
            f'{name}: stock {before[:160]}; ours {after[:160]}. {reason or "NO REASON"}'
        )
        if reason is None and before == 'passed':
            unreasoned.append(name)
    files = sorted({file for file, _ in rows})
    table = [(f, rows[f, 'all'], rows[f, 'stock'], rows[f, 'ours']) for f in files]
    return table, differences, unreasoned


def _file_of(name: str) -> str:
    """Return the file of ``folder.test_file[.TestClass].test_name``."""
    folders = name.split('.')[:-1] or [name]
    return '.'.join(part for part in folders if not part[:1].isupper())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('mmengine', type=Path, help='checkout of mmengine 0.10.7')
    parser.add_argument('mmaction2', type=Path, help='checkout of mmaction2 1.2.0')
    parser.add_argument('--only', help='tests of theirs whose path contains this')
    parser.add_argument('--json', type=Path, help='write all outcomes to this file')
    args = parser.parse_args()
    outcomes, missing = {}, []
    for package, files in SUITES.items():
        files = [name for name in files if (args.only or '') in f'{package}/{name}']
        if not files:
            continue
        checkout = getattr(args, package)
        if not (checkout / 'tests').is_dir():
            parser.error(f'no tests in {checkout}')
        stock, ours = {}, {}
        for name in files:
            for outcome, place in ((stock, False), (ours, True)):
                outcome |= run(checkout, name, place)
                words = 'with ours in place' if place else 'as it is'
                print(f'{package}: {name} {words}', file=sys.stderr, flush=True)
        outcomes[package] = dict(stock=stock, ours=ours)
        table, differences, unreasoned = compare(stock, ours)
        missing += unreasoned
        print(f'\n{package}: file, tests, passed by stock, passed by ours')
        for row in table:
            print('  {:60} {:4} {:4} {:4}'.format(*row))
        totals = [sum(row[i] for row in table) for i in (1, 2, 3)]
        print('  {:60} {:4} {:4} {:4}'.format('all', *totals))
        for line in differences:
            print('  ' + line)
    if args.json:
        args.json.write_text(json.dumps(outcomes, indent=1))
    if missing:
        sys.exit(f'{len(missing)} differences have no reason: {", ".join(missing)}')


if __name__ == '__main__':
    main()
