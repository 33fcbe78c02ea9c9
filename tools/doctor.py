"""Check the installation: ``ifdd doctor``, or ``python tools/doctor.py``.

Each check is a line with its verdict (ok, warning, problem) and, unless it is ok, a
line with the remedy. This file needs nothing but Python: whatever may fail to load is
imported in a process of its own, so that no defect of an installed package, not even a
crash, ends the checks. Exit codes: 0 no problem, 1 a problem was found, 2 wrong
arguments, or FILE cannot be written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from doctor_probes import MODULES, PROBES, ask

OK, WARNING, PROBLEM = 'ok', 'warning', 'problem'
PACKAGE = 'ifdd-mmaction'
GIGABYTE = 1 << 30
#: What the workers of configs/_base_/datasets/mafw.py hold: 4 workers, 2 batches of 16
#: clips of 32 frames, 224 x 224 x 3 bytes.
SHARED_MEMORY = 4 * 2 * 16 * 32 * 224 * 224 * 3
OPEN_FILES = 1024
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


class Check(NamedTuple):
    """What a check found: its name, verdict, facts in words, and the remedy."""

    name: str
    verdict: str
    found: str
    remedy: str = ''


def plain(name: str) -> str:
    """Return the name of a distribution as package indexes compare it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def providers(module: str) -> dict[str, str]:
    """Return name and version of the installed distributions that contain a module."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        try:
            name, version = distribution.metadata['Name'], distribution.version
        except Exception:  # a folder that is left of an uninstalled package
            continue
        names = distribution.read_text('top_level.txt')
        if names is None:
            record = distribution.read_text('RECORD') or ''
            names = '\n'.join({line.split('/')[0] for line in record.splitlines()})
        copy = is_copy(distribution.locate_file(''))
        if name and module in names.split() and not copy:
            found.setdefault(plain(name), version)
    return found


def is_copy(path: os.PathLike | str) -> bool:
    """Return whether a path is in the copies that are part of the package."""
    return '.bundled' in Path(path).parts


def requirements() -> dict[str, str]:
    """Return the versions that the package declares for each distribution."""
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return {}
    always: dict[str, str] = {}
    found: dict[str, set[str]] = {}
    for line in lines:
        requirement, _, marker = line.partition(';')
        name, bounds = re.match(r'([\w.-]+)(?:\[[^]]*\])?(.*)', requirement).groups()
        bounds = bounds.strip().strip('()')
        found.setdefault(plain(name), set()).add(bounds)
        if not marker:
            always[plain(name)] = bounds
    # Several bounds that depend on the Python or the system are pip's affair.
    return {n: bounds.pop() for n, bounds in found.items() if len(bounds) == 1} | always


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, without zeros at the end."""
    found = [int(n) for n in re.match(r'[\d.]*', version)[0].split('.') if n]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def within(version: str, bounds: str) -> bool:
    """Return whether a version is within bounds such as ``>=1.23,<3``."""
    has = numbers(version)
    for sign, bound in re.findall(r'(>=|<=|==|!=|<|>)\s*([\d.]+)', bounds):
        other = numbers(bound)
        fits = {
            '>=': has >= other, '<=': has <= other, '==': has == other,
            '!=': has != other, '<': has < other, '>': has > other,
        }  # fmt: skip
        if not fits[sign]:
            return False
    return True


def install(distribution: str) -> str:
    """Return the command that installs a distribution in a version that fits."""
    return f"pip install '{distribution}{requirements().get(distribution, '')}'"


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


def check_shared_memory() -> Check:
    """Compare the free shared memory with what the workers of the configs hold."""
    name, place = 'shared memory', '/dev/shm'
    needed = f'4 workers of the configs use up to {SHARED_MEMORY / GIGABYTE:.1f} GB'
    remedy = 'docker run --shm-size=8g (or --ipc=host), or num_workers=0'
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check(name, WARNING, f'{place}: {error.strerror}', remedy)
    found = f'{free / GIGABYTE:.2f} GB free in {place}; {needed}'
    if free < SHARED_MEMORY:
        return Check(name, WARNING, found, remedy)
    return Check(name, OK, found)


def check_open_files() -> Check:
    """Look at the limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Check('open files', OK, 'unlimited')
    if 0 <= soft < OPEN_FILES:
        wanted = 4 * OPEN_FILES
        remedy = f'ulimit -n {wanted}'
        if 0 <= hard < wanted:
            remedy += ' (as root, or in /etc/security/limits.conf)'
        found = f'at most {soft}: workers may end with "Too many open files"'
        return Check('open files', WARNING, found, remedy)
    return Check('open files', OK, f'at most {soft}')


def check_cache() -> Check:
    """Write into the folders of the caches, and look at the free disk space."""
    home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    found = []
    for variable in ('IFDD_CACHE', 'IFDD_ZOO_CACHE'):
        folder = os.environ.get(variable) or f'{home}/ifdd_mmaction'
        path = Path(folder).expanduser().absolute()
        if path in [place for place, _ in found]:
            continue
        there = path
        while not there.exists() and there != there.parent:
            there = there.parent
        remedy = f'set {variable} to a folder of your own'
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free
        except OSError as error:
            said = f'{path} cannot be written: {error.strerror}'
            return Check('cache', WARNING, said, remedy)
        if free < GIGABYTE:
            said = f'{path}: {free / GIGABYTE:.2f} GB free, 1 GB is needed'
            return Check('cache', WARNING, said, f'free some space, or {remedy}')
        found.append((path, free))
    said = (f'{path} ({free / GIGABYTE:.0f} GB free)' for path, free in found)
    return Check('cache', OK, ', '.join(said))


#: The checks, in the order in which they are printed.
CHECKS: Mapping[str, Callable[[], Check]] = {
    'python': check_python,
    **{row[0]: lambda module=module: check_module(module)
       for module, row in MODULES.items()},
    'ifdd_mmaction': check_package,
    'video decoder': check_video,
    'jpeg decoder': check_jpeg,
    'gpu': check_gpu,
    'torch.compile': check_compile,
    'shared memory': check_shared_memory,
    'open files': check_open_files,
    'cache': check_cache,
}  # fmt: skip


def summary(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the checks as data."""
    verdicts = {check.verdict for check in checks}
    worst = next(v for v in (PROBLEM, WARNING, OK) if v in verdicts)
    return dict(verdict=worst, checks=[check._asdict() for check in checks])


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write data to a file, which is replaced only when all is written."""
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        part.write_text(json.dumps(data, indent=2) + '\n', 'utf-8')
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description='Check the installation')
    parser.add_argument(
        'names', nargs='*', metavar='CHECK', help='only these of ' + ', '.join(CHECKS)
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write the same as data'
    )
    args = parser.parse_args(argv)
    for name in args.names:
        if name not in CHECKS:
            parser.error(f'no check {name!r}: there are {", ".join(CHECKS)}')
    chosen = [call for name, call in CHECKS.items() if name in (args.names or CHECKS)]
    checks = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for check in pool.map(lambda call: call(), chosen):
            print(f'{check.verdict:8} {check.name:14} {check.found}', flush=True)
            if check.verdict != OK:
                print(f'{"":8} {"":14} remedy: {check.remedy}', flush=True)
            checks.append(check)
    data = summary(checks)
    counts = [f'{sum(c.verdict == v for c in checks)} {v}' for v in (WARNING, PROBLEM)]
    print(f'{len(checks)} checks: {counts[0]}(s), {counts[1]}(s)')
    if args.json:
        try:
            write_json(args.json, data)
        except OSError as error:
            print(f'{args.json} cannot be written: {error.strerror}', file=sys.stderr)
            return 2
    return int(data['verdict'] == PROBLEM)


if __name__ == '__main__':
    sys.exit(main())
