"""Corrections of finding packages: Python and setuptools dropped what MMEngine uses."""

import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path


def find_packages_by_metadata() -> None:
    """Find installed packages without ``pkg_resources``, which setuptools 82 dropped.

    MMEngine imports it in ``is_installed`` and ``get_installed_path``, on which
    ``_base_ = 'mmaction::...'`` and ``mmengine.hub`` depend (mmcv#3325). mmengine#1676
    is the same correction, in no release. Where ``pkg_resources`` exists, this does
    nothing, unless MMAction2 is a copy of ``ifdd_bundled``, which it does not find.
    """
    from mmengine.utils import package_utils

    spec = find_spec('mmaction')
    copy = spec is not None and '.bundled' in Path(spec.origin or '').parts
    if copy or find_spec('pkg_resources') is None:
        _replace(package_utils.is_installed, _is_installed)
        _replace(package_utils.get_installed_path, _get_installed_path)


def find_mmcv_operators() -> None:
    """Look for mmcv's compiled operators without ``pkgutil.find_loader``.

    Python 3.12 deprecated it and 3.14 dropped it, and optimizers with ``paramwise_cfg``
    could not be built; no issue of MMEngine names it.
    """
    from mmengine.utils.dl_utils import misc

    _replace(misc.mmcv_full_available, _mmcv_full_available)


def _mmcv_full_available() -> bool:
    """Return whether mmcv has compiled operators, which mmcv-lite has not."""
    return find_spec('mmcv') is not None and find_spec('mmcv._ext') is not None


def _replace(upstream: Callable, corrected: Callable) -> None:
    """Replace a function of MMEngine in every module of it that has imported it."""
    for name, module in list(sys.modules.items()):
        own = name.partition('.')[0] == 'mmengine'
        if own and getattr(module, upstream.__name__, None) is upstream:
            setattr(module, upstream.__name__, corrected)


def _is_installed(package: str) -> bool:
    """Return whether there is a distribution or a module of that name."""
    try:
        distribution(package)
    except PackageNotFoundError:
        spec = find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def _get_installed_path(package: str) -> str:
    """Return the folder of a module, given its name or that of its distribution."""
    modules = [package]
    if find_spec(package) is None:
        # mmcv-lite installs mmcv.
        modules = (distribution(package).read_text('top_level.txt') or '').split()
    for module in modules:
        spec = find_spec(module)
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent)
    raise RuntimeError(
        f'{package} has no folder of its own: it is a namespace package, or its '
        'metadata names no module'
    )
