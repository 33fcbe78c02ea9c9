"""The GPU, and what ``torch.compile`` needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from .check import OK, PROBLEM, WARNING, Check
from .distributions import numbers
from .probes import PROBES, ask


def driver() -> tuple[str, str, str]:
    """Return the version of NVIDIA's driver, the newest CUDA it supports, an error."""
    program = shutil.which('nvidia-smi')
    if program is None:
        return '', '', ''
    try:
        result = subprocess.run(
            [program], capture_output=True, text=True, errors='replace', timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return '', '', f'nvidia-smi: {error}'
    said = re.search(r'Driver Version: (\S+).*CUDA Version: (\S+)', result.stdout)
    if result.returncode or not said:
        lines = (result.stdout + result.stderr).strip().splitlines() or ['no output']
        return '', '', f'nvidia-smi: {lines[-1]}'
    return said[1], said[2], ''


def check_gpu() -> Check:
    """Compare torch's build with the driver, and compute on the GPU."""
    name = 'gpu'
    facts, error = ask(PROBES[name])
    if facts.get('skipped'):
        found = 'not checked: torch cannot be imported'
        return Check(name, WARNING, found, 'correct torch first')
    version, newest, failed = driver()
    if error:
        remedy = (
            'install a torch that is built for this GPU and driver '
            '(https://pytorch.org/get-started/locally)'
        )
        return Check(name, PROBLEM, f'torch cannot compute on it: {error}', remedy)
    cuda = facts['build']
    build = f'torch is built for {"CUDA " + cuda if cuda else "CPUs"}'
    if facts['devices']:
        found = f'{", ".join(facts["devices"])}; {build}'
        return Check(name, OK, f'{found}, driver {version or "unknown"}')
    if failed:
        remedy = 'install or restart the driver (after an update: restart the machine)'
        return Check(name, WARNING if not cuda else PROBLEM, failed, remedy)
    if not version:
        return Check(name, OK, f'none, all runs on the CPU; {build}')
    found = f'{build}, the driver {version} supports CUDA {newest}'
    if not cuda:
        remedy = (
            f'for the GPU, install a torch built for CUDA {newest} or older '
            '(https://pytorch.org/get-started/locally)'
        )
        return Check(name, WARNING, found, remedy)
    if numbers(cuda) > numbers(newest):
        remedy = f'update the driver, or install a torch built for CUDA {newest}'
        return Check(name, PROBLEM, found, remedy)
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES')
    if hidden is not None:
        found += f'; CUDA_VISIBLE_DEVICES={hidden!r} hides it'
        return Check(name, WARNING, found, 'unset CUDA_VISIBLE_DEVICES')
    remedy = 'restart the machine; in a container: docker run --gpus all'
    return Check(name, PROBLEM, f'{found}, but torch sees no GPU', remedy)


def check_compile() -> Check:
    """Look for what ``torch.compile`` needs: a compiler, Python.h, Triton on GPUs."""
    name = 'torch.compile'
    facts, error = ask(PROBES[name])
    without = 'without it, train without compile=True'
    if facts.get('skipped'):
        found = 'not checked: torch cannot be imported'
        return Check(name, WARNING, found, 'correct torch first')
    if error:
        remedy = 'install the triton that torch declares' if facts.get('gpu') else ''
        remedy = f'{remedy or "use a Python that torch.compile supports"}; {without}'
        return Check(name, WARNING, error, remedy)
    named = os.environ.get('CXX')
    known = ([named] if named else []) + ['g++', 'clang++']
    compiler = next(filter(None, map(shutil.which, known)), None)
    if compiler is None:
        found = f'no C++ compiler: none of {", ".join(known)} is there'
        return Check(name, WARNING, found, f'apt install g++; {without}')
    header = Path(sysconfig.get_path('include'), 'Python.h')
    if not header.is_file():
        release = '{}.{}'.format(*sys.version_info)
        remedy = f'apt install python{release}-dev; {without}'
        return Check(name, WARNING, f'no {header}', remedy)
    return Check(name, OK, ', '.join(filter(None, (compiler, facts['found']))))
