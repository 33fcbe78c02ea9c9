"""Whether the modules that no metadata can require are there, and load.

``ifdd_bundled`` says why; ``ifdd doctor`` looks at more.
"""

import re
from importlib import import_module
from importlib.util import find_spec

__all__ = ['require_modules']

#: In the order in which they import each other, all the distributions of each.
_DISTRIBUTIONS = {
    'cv2': 'opencv-python opencv-contrib-python opencv-python-headless',
    'mmengine': 'mmengine onedl-mmengine',
    'mmcv': 'mmcv mmcv-lite onedl-mmcv',
}
#: Of modules whose distribution has another name.
_NAMES = {
    'PIL': 'pillow',
    'cv2': 'opencv-python-headless',
    'pkg_resources': "'setuptools<81'",
    'yaml': 'pyyaml',
}


def require_modules() -> None:
    """Import OpenCV, MMEngine and mmcv.

    Raises:
        ImportError: If one is absent, in parts, too old, or does not load; names what
            to install or uninstall.
    """
    for name in _DISTRIBUTIONS:
        _require(name)
    import mmcv

    # Versions of 1.x have other modules; MMAction2 asserts the bound, but names no way.
    if mmcv.__version__.startswith(('0.', '1.')):
        raise ImportError(
            f'mmcv {mmcv.__version__} ({mmcv.__file__}) is older than 2.1: '
            f'{_uninstall("mmcv")}, or install a newer one',
            name='mmcv',
        )


def _require(name: str) -> None:
    spec = find_spec(name)
    if spec is None:
        what = 'opencv-python-headless' if name == 'cv2' else '"ifdd-mmaction[lite]"'
        raise ImportError(f'{name} is not installed: pip install {what}', name=name)
    # Uninstalling mmcv-lite beside mmcv leaves a folder without __init__.py.
    if spec.origin is None:
        folders = ', '.join(spec.submodule_search_locations or ())
        raise ImportError(
            f'{name} is not installed, but a folder of that name is left of another '
            f'installation: remove {folders}',
            name=name,
        )
    try:
        import_module(name)
    except Exception as error:
        said = ' '.join(str(error).split())
        raise ImportError(
            f'{name} ({spec.origin}) does not load: {type(error).__name__}: {said}: '
            f'{_remedy(name, said)}',
            name=name,
        ) from error


def _remedy(name: str, said: str) -> str:
    missing = re.search(r"No module named '([\w-]+)", said)
    if missing and missing[1] != name:
        return f'pip install {_NAMES.get(missing[1], missing[1])}'
    if re.search(r'multiarray|_ARRAY_API|compiled using NumPy|dtype size', said):
        return (
            'something is built for another NumPy than the installed one, '
            "pip install 'numpy<2', or see `ifdd doctor`"
        )
    if name == 'cv2':
        # All but headless need libraries of a desktop, such as libGL.so.1.
        return f'{_uninstall(name)} and pip install opencv-python-headless'
    return _uninstall(name)


def _uninstall(name: str) -> str:
    command = f'pip uninstall -y {_DISTRIBUTIONS[name]}'
    if name == 'cv2':
        return command
    return f'{command} (then the copy in ifdd-mmaction is used)'
