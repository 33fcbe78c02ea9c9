"""IFDD for MMAction2: implicit disentanglement of emotion-related facial dynamics.

``import ifdd_mmaction`` applies the corrections of :mod:`.compat` and registers every
module of this package in MMAction2's registries. A config needs only this line::

    custom_imports = dict(imports=['ifdd_mmaction'], allow_failed_imports=False)
"""

from . import compat
from .version import __version__

# Before mmaction.models is imported: without the corrections that import fails.
compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402

compat.apply_to_models()

__all__ = ['__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models']
