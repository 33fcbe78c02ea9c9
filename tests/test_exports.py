"""``from ifdd_mmaction.x import *`` gives each exported name, listed once."""

import pkgutil
from importlib import import_module

import pytest

import ifdd_mmaction

PACKAGES = [ifdd_mmaction.__name__] + [
    found.name
    for found in pkgutil.walk_packages(ifdd_mmaction.__path__, 'ifdd_mmaction.')
    if found.ispkg
]


@pytest.mark.parametrize('name', PACKAGES)
def test_each_exported_name_exists_and_is_listed_once(name):
    package = import_module(name)
    exported = getattr(package, '__all__', [])
    assert len(exported) == len(set(exported)), sorted(exported)
    assert not [n for n in exported if not hasattr(package, n)]
    names = {}
    exec(f'from {name} import *', names)
    assert set(exported) <= set(names)
