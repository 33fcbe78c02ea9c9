"""Importing MMAction2 as it is installed."""

import re
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def require_mmcv() -> None:
    """Say what to install where mmcv, which nothing can depend on, is absent.

    Raises:
        ImportError: If there is no mmcv; it names both ways to get one.
    """
    spec = find_spec('mmcv')
    # A folder without __init__.py is what is left of mmcv after uninstalling
    # mmcv-lite next to it.
    if spec is None or spec.origin is None:
        raise ImportError(
            'ifdd_mmaction needs mmcv. Install either mmcv-lite with '
            '`pip install "ifdd-mmaction[lite]"` or the full mmcv (>=2.1,<2.2), not '
            'both: they share one import directory.',
            name='mmcv',
        )


def hush_mmcv_lite() -> None:
    """mmcv-lite says at every import that one operator, unused here, is not in it."""
    warnings.filterwarnings(
        'ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning
    )


_DRN = 'mmaction.models.localizers.drn'


class _DrnFinder(MetaPathFinder, Loader):
    """Find ``drn/drn.py`` of MMAction2 and, if that is absent or fails, stand in."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in (_DRN, f'{_DRN}.drn'):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if fullname == _DRN:
            return spec or ModuleSpec(fullname, self, is_package=True)
        spec = spec or ModuleSpec(fullname, None)
        self._upstream, spec.loader = spec.loader, self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _DRN:
            return
        reason: Exception = ModuleNotFoundError(f"No module named '{_DRN}'")
        if self._upstream is not None:
            # A torchvision that does not fit torch raises RuntimeError.
            try:
                return self._upstream.exec_module(module)
            except Exception as error:
                reason = error

        from mmaction.registry import MODELS

        @MODELS.register_module(force=True)
        class DRN:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    f'DRN is not available in the installed mmaction2: {reason}. It '
                    'needs mmaction2 from its git source, and torchvision.'
                ) from reason

        vars(module)['DRN'] = DRN


_drn_finder = _DrnFinder()


def serve_missing_drn() -> None:
    """The mmaction2 wheel imports ``localizers.drn`` but lacks it (mmaction2#2714).

    The git source has it, but needs torchvision to import it. Where the real module
    imports, it is the one that is served.
    """
    if _drn_finder not in sys.meta_path:
        # In front, to be asked also where the real module exists but fails.
        sys.meta_path.insert(0, _drn_finder)


def disable_broken_multimodal() -> None:
    """With transformers installed, mmaction2 imports models that it cannot import.

    They need timm, torchvision and names that transformers 4.56 moved. With all of
    these at hand the models stay enabled.
    """
    from mmaction.utils import dependency

    if dependency.WITH_MULTIMODAL and not _multimodal_imports():
        dependency.WITH_MULTIMODAL = False


def _multimodal_imports() -> bool:
    import mmaction

    # Looks for files and reads them: importing these packages takes seconds.
    specs = [find_spec(name) for name in ('timm', 'torchvision', 'transformers')]
    files = [Path(spec.origin) for spec in specs if spec and spec.origin]
    if len(files) < len(specs):
        return False
    bert = Path(mmaction.__path__[0]) / 'models/multimodal/vindlu/modeling_bert.py'
    statement = re.search(
        r'from transformers\.modeling_utils import \(([^)]*)\)',
        bert.read_text(encoding='utf-8'),
    )
    asked = re.findall(r'\w+', statement[1]) if statement else []
    offered = files[-1].with_name('modeling_utils.py').read_text(encoding='utf-8')
    return all(name in offered for name in asked)
