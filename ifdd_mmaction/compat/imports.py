"""Corrections of importing MMAction2 and mmcv."""

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


def accept_newer_mmcv() -> None:
    """Import MMAction2 beside mmcv 2.2 and newer, which it refuses (mmaction2#2852).

    Its bound dates from before mmcv 2.2; all that it imports of mmcv is in 2.2 and in
    onedl-mmcv 2.3 too. ``mmaction/__init__.py`` compares versions and does nothing
    else: only while it does, mmcv's version reads as one that it accepts.
    """
    import mmcv
    from mmengine.utils import digit_version

    version = mmcv.__version__
    if digit_version(version) < digit_version('2.2.0') or 'mmaction' in sys.modules:
        return
    mmcv.__version__ = '2.1.0'
    try:
        import mmaction  # noqa: F401
    finally:
        mmcv.__version__ = version


def ignore_mmcv_lite_warning() -> None:
    """Ignore the warning of mmcv-lite that it lacks an operator, which is not used."""
    warnings.filterwarnings(
        'ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning
    )


_DRN = 'mmaction.models.localizers.drn'


class _DrnFinder(MetaPathFinder, Loader):
    """Import ``drn/drn.py`` of MMAction2, or a substitute if it is absent or fails."""

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
            # A torchvision of another version than torch needs raises RuntimeError.
            try:
                return self._upstream.exec_module(module)
            except Exception as error:
                reason = error

        from mmaction.registry import MODELS

        @MODELS.register_module(force=True)
        class DRN:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    f'DRN is not available in the installed mmaction2: {reason}. '
                    'Install mmaction2 from its git source, and torchvision.'
                ) from reason

        vars(module)['DRN'] = DRN


_drn_finder = _DrnFinder()


def provide_missing_drn() -> None:
    """Provide ``localizers.drn``, which the mmaction2 wheel lacks (mmaction2#2714).

    The git source has it, but needs torchvision to import it. Where the original module
    can be imported, it is used.
    """
    if _drn_finder not in sys.meta_path:
        # First, so that it is also used where the original module exists but fails.
        sys.meta_path.insert(0, _drn_finder)


def disable_broken_multimodal() -> None:
    """Disable the multimodal models of mmaction2 where their imports fail.

    With transformers installed, mmaction2 imports them. They need timm, torchvision and
    names that transformers 4.56 moved. Where all of these exist, they stay enabled.
    """
    from mmaction.utils import dependency

    if dependency.WITH_MULTIMODAL and not _multimodal_imports():
        dependency.WITH_MULTIMODAL = False


def _multimodal_imports() -> bool:
    import mmaction

    # Find and read the files: importing these packages takes seconds.
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
