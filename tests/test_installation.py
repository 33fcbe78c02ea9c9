"""What is absent, in parts, too old or does not load is named by the import."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from ifdd_mmaction import installation
from tests.helpers.golden import ROOT

UNINSTALL = 'pip uninstall -y mmcv mmcv-lite onedl-mmcv'
ABSENT = 'raise ModuleNotFoundError("No module named {0!r}", name={0!r})'
LIBRARY = 'raise ImportError("libGL.so.1: cannot open shared object file")'
NUMPY = 'raise ImportError("numpy.core.multiarray failed to import")'


def error_of(folder, **modules):
    """Return the last line of an import of the package with other modules."""
    for name, code in modules.items():
        (folder / name).mkdir()
        (folder / name / '__init__.py').write_text(code)
    path = [str(folder), str(ROOT), os.environ.get('PYTHONPATH', '')]
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', 'import ifdd_mmaction'],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    'code, said, remedy',
    [
        (LIBRARY, 'does not load: ImportError: libGL.so.1', 'opencv-python-headless'),
        (NUMPY, 'numpy.core.multiarray failed', "pip install 'numpy<2', or see `ifdd"),
        (ABSENT.format('numpy'), "No module named 'numpy'", 'pip install numpy'),
    ],
)
def test_an_opencv_that_does_not_load(tmp_path, code, said, remedy):
    line = error_of(tmp_path, cv2=code)
    assert line.startswith(f'ImportError: cv2 ({tmp_path}/cv2/__init__.py) does not')
    assert (said in line and line.endswith(remedy)) or remedy in line.rpartition(': ')[
        2
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, code, said, remedy',
    [
        (
            'mmcv',
            '__version__ = "1.7.2"',
            'mmcv 1.7.2 (',
            UNINSTALL,
        ),
        (
            'mmcv',
            'from . import cnn',
            "cannot import name 'cnn'",
            UNINSTALL,
        ),
        (
            'mmcv',
            'import mmcv.cnn',
            "No module named 'mmcv.cnn'",
            UNINSTALL,
        ),
        ('mmengine', 'import yaml_', "No module named 'yaml_'", 'pip install yaml_'),
        ('mmengine', ABSENT.format('yaml'), "'yaml'", 'pip install pyyaml'),
        ('mmengine', 'x = 1 +', 'SyntaxError', 'pip uninstall -y mmengine onedl-mme'),
    ],
)
def test_an_mmcv_or_mmengine_that_does_not_fit(tmp_path, name, code, said, remedy):
    line = error_of(tmp_path, **{name: code})
    assert line.startswith(f'ImportError: {name} ') and said in line
    assert line.rpartition(': ')[2].startswith(remedy)


@pytest.mark.parametrize(
    'name, remedy',
    [
        ('cv2', 'pip install opencv-python-headless'),
        ('mmcv', 'pip install "ifdd-mmaction[lite]"'),
    ],
)
def test_an_absent_module(monkeypatch, name, remedy):
    monkeypatch.setattr(
        installation,
        'find_spec',
        lambda wanted: None if wanted == name else ModuleSpec(wanted, None, origin='x'),
    )
    with pytest.raises(ImportError) as error:
        installation.require_modules()
    assert str(error.value) == f'{name} is not installed: {remedy}'
    assert error.value.name == name


def test_a_folder_that_is_left(monkeypatch):
    left = ModuleSpec('cv2', None, is_package=True)
    left.submodule_search_locations.append('/site/cv2')
    monkeypatch.setattr(installation, 'find_spec', lambda name: left)
    with pytest.raises(ImportError, match=r'another installation: remove /site/cv2$'):
        installation.require_modules()
