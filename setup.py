"""Include configs, tools and the zoo in the package; metadata is in pyproject.toml.

MIM and ``ifdd_mmaction.apis`` look for them in ``ifdd_mmaction/.mim``, which, as in
MMAction2, holds links in an editable installation and copies in a wheel. MMAction2
distinguishes the two by ``sys.argv``, which pip no longer sets; here ``build_py`` does.
"""

import os
import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CONTENT = ('configs', 'tools', 'zoo', 'model-index.yml')
# The safetensors files hold the same weights as the checkpoints next to them.
EXCLUDED = shutil.ignore_patterns('__pycache__', '*.safetensors', '*_predictions.json')


class BuildWithMim(build_py):
    """Add ``.mim`` to the package."""

    def run(self) -> None:
        super().run()
        parent = ROOT if self.editable_mode else Path(self.build_lib)
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


def add_zoo_url(metafile: Path) -> None:
    """Replace ``zoo/`` by ``$IFDD_ZOO_URL``, if set, in the URLs of a metafile.

    ``mim download`` needs full URLs; the publisher of a wheel sets the variable.
    """
    if url := os.environ.get('IFDD_ZOO_URL'):
        text = metafile.read_text()
        metafile.write_text(re.sub(r'(?<=: )zoo/', f'{url.rstrip("/")}/', text))


setup(cmdclass={'build_py': BuildWithMim})
