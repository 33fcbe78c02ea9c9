"""The model zoo: the configs of this package, and the checkpoints published for them.

Checkpoints are fetched once into ``$IFDD_ZOO_CACHE`` (``~/.cache/ifdd_mmaction``) and
their SHA-256 is checked at every use. ``$IFDD_ZOO_URL``, an address or a local folder,
is asked in place of the address in the metafile; with ``IFDD_ZOO_OFFLINE=1`` none is.
"""

from __future__ import annotations

import difflib
import os
import warnings
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from mmengine.config import Config

from .download import ZooError, download, is_whole

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class ZooEntry:
    """A checkpoint in the metafile.

    Attributes:
        config: Path of the config, from the root of the zoo.
        weights: Address, or path from the root of the zoo.
        sha256: Of the file, in hexadecimal digits.
    """

    config: str
    weights: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file of weights."""
        return self.weights.rsplit('/', 1)[-1]


def list_models(pattern: str = '*', pretrained: bool = False) -> list[str]:
    """Return the names of models, sorted.

    Args:
        pattern: Shell pattern, such as ``'*vit*'``.
        pretrained: Only those with a checkpoint.

    Example:
        >>> from ifdd_mmaction.apis import list_models
        >>> list_models(pretrained=True)
        ['ifdd_cnn_photo', 'ifdd_cnn_sample', 'ifdd_vit_photo', ...]
    """
    names = set(_entries()) if pretrained else {*_entries(), *_configs()}
    return sorted(name for name in names if fnmatchcase(name, pattern))


def get_config(name: str) -> Config:
    """Return the config of a model.

    Raises:
        ZooError: If there is no such model.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> get_config('ifdd_vit_dfew').model.neck.type
        'IFDDNeck'
    """
    entry = _entries().get(name)
    path = zoo_root() / entry.config if entry else _configs().get(name)
    if path is None:
        raise _unknown(name, list_models())
    return Config.fromfile(path)


def get_checkpoint(name: str) -> Path:
    """Return the file of a model's checkpoint; it is fetched if it is not here.

    Raises:
        ZooError: If there is none, it cannot be fetched, or has a wrong SHA-256.

    Example:
        >>> from ifdd_mmaction.apis import get_checkpoint
        >>> get_checkpoint('ifdd_vit_sample').name
        'ifdd_vit_sample...'
    """
    entry = _entries().get(name)
    if entry is None:
        if name in _configs():
            raise ZooError(
                f'no checkpoint is published for {name}. There are some for '
                f'{", ".join(list_models(pretrained=True)) or "none"}'
            )
        raise _unknown(name, list_models(pretrained=True))
    cached = _cache() / entry.file
    for path in (zoo_root() / 'zoo' / entry.file, cached):
        if is_whole(path, entry.sha256):
            return path
        if path.exists():
            warnings.warn(f'{path} is damaged (its SHA-256 is wrong)', stacklevel=2)
    mirror = os.environ.get('IFDD_ZOO_URL')
    if mirror and '://' not in mirror:
        path = Path(mirror).expanduser() / entry.file
        if not is_whole(path, entry.sha256):
            problem = 'has a wrong SHA-256' if path.is_file() else 'is not there'
            raise ZooError(f'of the mirror $IFDD_ZOO_URL={mirror}, {path} {problem}')
        return path
    url = f'{mirror.rstrip("/")}/{entry.file}' if mirror else entry.weights
    if os.environ.get('IFDD_ZOO_OFFLINE', '0') not in ('', '0'):
        raise ZooError(
            f'{entry.file} is not here and $IFDD_ZOO_OFFLINE is set. Fetch {url} '
            f'elsewhere and put it into {_cache()}'
        )
    download(url, cached, entry.sha256)
    return cached


def zoo_root() -> Path:
    """Return the folder of ``model-index.yml``, ``configs/`` and ``zoo/``.

    Raises:
        ZooError: If the package was installed without them.
    """
    for folder in (PACKAGE / '.mim', PACKAGE.parent):
        if (folder / 'model-index.yml').is_file():
            return folder
    raise ZooError(f'no model-index.yml in {PACKAGE / ".mim"}: install the package')


def _entries() -> dict[str, ZooEntry]:
    root = zoo_root()
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    return {
        entry['Name']: ZooEntry(entry['Config'], entry['Weights'], entry['SHA256'])
        for metafile in index['Import']
        for entry in yaml.safe_load((root / metafile).read_text())['Models']
    }


def _configs() -> dict[str, Path]:
    return {path.stem: path for path in (zoo_root() / 'configs').glob('ifdd_*.py')}


def _cache() -> Path:
    if cache := os.environ.get('IFDD_ZOO_CACHE'):
        return Path(cache).expanduser()
    parent = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(parent).expanduser() / 'ifdd_mmaction'


def _unknown(name: str, names: list[str]) -> ZooError:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names
    return ZooError(f'no model {name!r} in the zoo. There are {", ".join(near)}')
