"""Installed distributions, and the versions that the package declares."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path

PACKAGE = 'ifdd-mmaction'


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
