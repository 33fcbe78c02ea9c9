"""IFDD for MMAction2: implicit disentanglement of emotion-related facial dynamics.

``import ifdd_mmaction`` mends the installed stack and registers every module of this
package in MMAction2's registries, so it is all that a config needs::

    custom_imports = dict(imports=['ifdd_mmaction'], allow_failed_imports=False)
"""

from . import compat
from .version import __version__

# Before anything touches mmaction.models: the mends make that import possible.
compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402

compat.apply_to_models()

__all__ = ['__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models']
