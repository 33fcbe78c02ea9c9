"""Python, the packages, and what they decode."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata

from .check import OK, PROBLEM, WARNING, Check
from .distributions import (
    PACKAGE,
    install,
    is_copy,
    numbers,
    plain,
    providers,
    requirements,
    within,
)
from .probes import MODULES, PROBES, ask

#: Of modules that no requirement names: the versions that were tested.
BOUNDS = {'cv2': '>=4.7,<6'}
#: Parts of an error and the remedy; {module} is what fails to load, {0} the match.
REMEDIES = (
    (
        r'_ARRAY_API|numpy\.(_)?core\.(_?multiarray|umath)|compiled using NumPy 1'
        r'|numpy\.dtype size changed|Numpy is not available',
        '{module} and NumPy do not fit, one is built for NumPy 1, the other is 2: '
        "pip install --upgrade {distribution}, or pip install 'numpy<2'",
    ),
    (
        r'libGL|libgthread|libglib|libxcb',
        'apt install libgl1 libglib2.0-0 libxcb1, or pip uninstall -y opencv-python '
        'opencv-contrib-python opencv-python-headless, then pip install '
        'opencv-python-headless',
    ),
    (r'pkg_resources', "pip install 'setuptools<81'"),
    (r'left of another installation: (.*)', 'remove {0[1]}'),
    (
        r'GLIBC(XX)?_',
        '{distribution} is built for a newer system: install an older version of it, '
        'or use a newer system',
    ),
)


def remedy_of(error: str, module: str, distribution: str) -> str:
    """Return what to do about an error of importing a module."""
    command = install(distribution).replace(
        'install', 'install --force-reinstall --no-deps', 1
    )
    for pattern, text in REMEDIES:
        if match := re.search(pattern, error):
            return text.format(match, module=module, distribution=distribution)
    missing = re.search(r"No module named '([\w-]+)", error)
    # A part of the module itself is missing: its files are those of several versions.
    if missing and missing[1] != module:
        name = MODULES[missing[1]][1] if missing[1] in MODULES else missing[1]
        if name in requirements() or missing[1] in MODULES:
            return install(name)
        # A distribution may have another name than its module.
        return f'pip check names the distribution of {name} that {module} needs'
    return command


def check_python() -> Check:
    """Look at the version of Python."""
    libc = ' '.join(platform.libc_ver())
    found = f'{platform.python_version()}, {platform.system()} {platform.machine()}'
    found = ', '.join(filter(None, (found, libc, sys.executable)))
    try:
        bounds = metadata.metadata(PACKAGE).get('Requires-Python') or ''
    except metadata.PackageNotFoundError:
        bounds = ''
    if not within(platform.python_version(), bounds):
        remedy = f'use a Python {bounds}'
        return Check('python', PROBLEM, f'{found}: {PACKAGE} needs {bounds}', remedy)
    return Check('python', OK, found)


def check_module(module: str) -> Check:
    """Look for a module: who installed it, its version, whether it loads."""
    name, distribution, optional = MODULES[module]
    installed = providers(module)
    facts, error = ask(PROBES[module])
    if error.startswith('ModuleNotFoundError') and f"'{module}'" in error:
        if optional:
            return Check(name, OK, f'not installed; {optional}')
        return Check(name, PROBLEM, 'not installed', install(distribution))
    version = facts.get('version') or next(iter(installed.values()), 'unknown version')
    sources = ', '.join(f'{key} {value}' for key, value in sorted(installed.items()))
    if is_copy(facts.get('file', '')):
        sources = f'the copy in {PACKAGE}'
    found = f'{version} ({sources or "not from a distribution"})'
    found += facts.get('more', '')
    own = next(iter(installed), distribution)
    if len(installed) > 1 and module != 'cv2':
        one = distribution if distribution in installed else min(installed)
        names = ' '.join(sorted(installed))
        remedy = f'pip uninstall -y {names}, then one of them: {install(one)}'
        both = 'several distributions that overwrite each other: '
        return Check(name, PROBLEM, both + sources, remedy)
    if error:
        verdict = WARNING if optional else PROBLEM
        remedy = remedy_of(error, module, own)
        if optional:
            remedy += f'; {optional}'
        return Check(
            name, verdict, f'{sources or module} does not load: {error}', remedy
        )
    if facts.get('operators'):
        found += f', but its operators do not load: {facts["operators"]}'
        remedy = (
            f'install a full mmcv that is built for torch {facts["torch"]}, or '
            f'pip uninstall -y {own} (then the copy in {PACKAGE} is used)'
        )
        return Check(name, WARNING, found, remedy)
    if module == 'cv2' and len({numbers(v) for v in installed.values()}) > 1:
        newest = max(installed.values(), key=numbers)
        same = ' '.join(f'{key}=={newest}' for key in sorted(installed))
        remedy = f'pip install --force-reinstall --no-deps {same}'
        both = f'{found}: distributions of several versions overwrite each other'
        return Check(name, WARNING, both, remedy)
    bounds = BOUNDS.get(module) or requirements().get(own, '')
    if not within(version, bounds):
        remedy = f"pip install '{own}{bounds}'"
        return Check(name, WARNING, f'{found}: tested with {bounds}', remedy)
    return Check(name, OK, found)


def check_package() -> Check:
    """Import the package, which imports and corrects MMAction2."""
    name = 'ifdd_mmaction'
    facts, error = ask(PROBES[name])
    if not error:
        return Check(name, OK, f'{facts["version"]}, {facts["place"]}')
    if f"No module named '{name}'" in error:
        remedy = f'pip install {PACKAGE}, or pip install -e . in a clone'
        return Check(name, PROBLEM, 'not installed', remedy)
    module = facts.get('where') or name
    if module == name and error.startswith('ImportError'):
        # That of ifdd_mmaction/installation.py, which ends with the remedy.
        said, _, remedy = error.rpartition(': ')
        return Check(name, PROBLEM, f'cannot be imported: {said}', remedy)
    own = next(iter(providers(module)), plain(module))
    found = f'cannot be imported, {module} fails: {error}'
    return Check(name, PROBLEM, found, remedy_of(error, module, own))


def check_by_use(name: str, needs: str, remedy: str) -> Check:
    """Use what others depend on, in a process of its own."""
    facts, error = ask(PROBES[name])
    if facts.get('skipped'):
        found = f'not checked: {needs} cannot be imported'
        return Check(name, WARNING, found, f'correct {needs} first')
    if error:
        return Check(name, PROBLEM, error, remedy)
    return Check(name, OK, facts['found'])


def check_video() -> Check:
    """Decode the frames of a built-in video with the reader of the package."""
    remedy = install('av').replace('install', 'install --force-reinstall', 1)
    return check_by_use('video decoder', 'ifdd_mmaction', remedy)


def check_jpeg() -> Check:
    """Decode a JPEG as :mod:`ifdd_mmaction.datasets.images` does."""
    facts, error = ask(PROBES['jpeg decoder'])
    if facts.get('skipped'):
        found = 'not checked: opencv cannot be imported'
        return Check('jpeg decoder', WARNING, found, 'correct opencv first')
    if not error:
        return Check('jpeg decoder', OK, facts['found'])
    found = f'simplejpeg does not load: {error}'
    remedy = remedy_of(error, 'simplejpeg', 'simplejpeg')
    return Check('jpeg decoder', PROBLEM, found, remedy)
