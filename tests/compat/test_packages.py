"""Packages that MMEngine finds without pkg_resources, as setuptools 82 leaves it."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.compat_runs import run, with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow

# setuptools 82 and newer have no pkg_resources: here it cannot be imported either.
ABSENT = """
import importlib.abc, importlib.util, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == 'pkg_resources':
            raise ModuleNotFoundError("No module named 'pkg_resources'", name=name)

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: (
    None if name == 'pkg_resources' else found(name, *args)
)
sys.meta_path.insert(0, Absent())
"""
LOOK = """
import mmengine.hub
from mmengine.config import config
from mmengine.utils import get_installed_path, is_installed
print([is_installed(name) for name in ('mmaction2', 'mmaction', 'torch', 'absent_x')])
print(get_installed_path('mmaction2'))
print(get_installed_path('mmaction'))
print(config.get_installed_path is mmengine.hub.hub.get_installed_path)
for name in ('absent_x', 'namespace_x'):
    try:
        get_installed_path(name)
    except Exception as error:
        print(type(error).__name__)
"""


def test_packages_are_found_without_pkg_resources(tmp_path: Path) -> None:
    (tmp_path / 'namespace_x').mkdir()
    corrected, broken = with_and_without(
        'find_packages_by_metadata', LOOK, tmp_path, before=ABSENT
    )
    assert corrected.ok, corrected.err
    home = str(Path(find_spec('mmaction').origin).parent)
    assert corrected.out.splitlines() == [
        '[True, True, True, False]',
        home,
        home,
        'True',
        'PackageNotFoundError',
        'RuntimeError',
    ]
    assert not broken.ok
    assert "No module named 'pkg_resources'" in broken.last


def test_a_config_inherits_from_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / 'config.py').write_text(
        "_base_ = 'mmaction::_base_/models/tsn_r50.py'\n"
    )
    script = """
from mmengine.config import Config
print(Config.fromfile('config.py').model.type)
"""
    corrected, broken = with_and_without(
        'find_packages_by_metadata', script, tmp_path, before=ABSENT
    )
    assert corrected.ok, corrected.err
    assert corrected.out.strip() == 'Recognizer2D'
    assert not broken.ok


@pytest.mark.skipif(
    find_spec('pkg_resources') is None, reason='these setuptools lack pkg_resources'
)
def test_where_pkg_resources_exists_nothing_is_replaced(tmp_path: Path) -> None:
    script = """
from mmengine.utils import is_installed
print(is_installed.__module__)
"""
    done = run(script, tmp_path)
    assert done.ok, done.err
    assert done.out.strip() == 'mmengine.utils.package_utils'
    assert int(version('setuptools').partition('.')[0]) < 82


def test_an_optimizer_of_groups_is_built_without_find_loader(tmp_path: Path) -> None:
    """Python 3.14 has no ``pkgutil.find_loader``."""
    script = """
import torch
from mmengine.optim import build_optim_wrapper

wrapper = build_optim_wrapper(
    torch.nn.Linear(2, 2),
    dict(
        optimizer=dict(type='SGD', lr=0.1),
        paramwise_cfg=dict(bias_lr_mult=2.0),
    ),
)
print([group['lr'] for group in wrapper.param_groups])
"""
    absent = 'import pkgutil\nvars(pkgutil).pop("find_loader", None)\n'
    corrected, broken = with_and_without(
        'find_mmcv_operators', script, tmp_path, before=absent
    )
    assert corrected.ok, corrected.err
    assert '\n[0.1, 0.2' in corrected.out
    assert not broken.ok
    assert "has no attribute 'find_loader'" in broken.last
