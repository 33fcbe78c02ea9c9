"""IFDD for MMAction2: implicit disentanglement of emotion-related facial dynamics.

``import ifdd_mmaction`` applies the corrections of :mod:`.compat` and registers every
module of this package in MMAction2's registries. A config needs only this line::

    custom_imports = dict(imports=['ifdd_mmaction'], allow_failed_imports=False)
"""

# First: it finds the copies of MMEngine, mmcv-lite and MMAction2.
import ifdd_bundled  # noqa: F401

from .installation import require_modules
from .version import __version__

# Before all that imports them.
require_modules()

from . import compat  # noqa: E402

# Before mmaction.models is imported: without the corrections that import fails.
compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402

compat.apply_to_models()

__all__ = ['__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models']
