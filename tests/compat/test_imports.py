"""Importing MMAction2 in the installed versions."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.compat_runs import run, with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize('version', ['2.2.0', '2.3.6', '3.0.0rc1'])
def test_a_newer_mmcv_is_accepted(tmp_path: Path, version: str) -> None:
    newer = f'import mmcv; mmcv.__version__ = {version!r}\n'
    script = 'import mmaction.models; print(mmcv.__version__)'
    corrected, broken = with_and_without(
        'accept_newer_mmcv', script, tmp_path, before=newer
    )
    assert corrected.ok, corrected.err
    assert corrected.out.splitlines()[-1] == version
    assert not broken.ok
    assert f'MMCV=={version} is used but incompatible' in broken.last


BUILD_DRN = """
import mmaction.models
from mmaction.registry import MODELS
try:
    print('built', MODELS.build(dict(type='DRN')))
except ImportError as error:
    print('refused', error)
"""


def test_models_import_without_drn(tmp_path: Path) -> None:
    corrected, broken = with_and_without('provide_missing_drn', BUILD_DRN, tmp_path)
    assert corrected.ok, corrected.err

    home = Path(find_spec('mmaction').origin).parent
    if (home / 'models/localizers/drn').exists():
        pytest.skip('this mmaction2 has drn')
    assert corrected.out.startswith('refused DRN is not available')
    assert not broken.ok
    assert "No module named 'mmaction.models.localizers.drn'" in broken.last


@pytest.mark.parametrize('imports', ['torch', 'torchvision_that_is_absent'])
def test_real_drn_is_preferred_if_it_imports(tmp_path: Path, imports: str) -> None:
    # A copy of mmaction2 as its git source has it: drn is there, without __init__.py.
    source = Path(find_spec('mmaction').origin).parent
    ignored = shutil.ignore_patterns('.mim', '__pycache__')
    shutil.copytree(source, tmp_path / 'mmaction', ignore=ignored)
    drn = tmp_path / 'mmaction/models/localizers/drn/drn.py'
    drn.parent.mkdir(exist_ok=True)
    drn.write_text(
        f'import {imports}\n'
        'from mmaction.registry import MODELS\n'
        'from ..utils import soft_nms\n'
        '@MODELS.register_module()\n'
        'class DRN:\n'
        '    def __repr__(self):\n'
        "        return 'the real one'\n"
    )
    corrected, broken = with_and_without(
        'provide_missing_drn', BUILD_DRN, tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert corrected.ok, corrected.err
    if imports == 'torch':
        assert corrected.out == broken.out == 'built the real one\n'
    else:
        assert "No module named 'torchvision_that_is_absent'" in corrected.out
        assert not broken.ok
        assert "No module named 'torchvision_that_is_absent'" in broken.last


@pytest.mark.skipif(find_spec('mmcv._ext') is not None, reason='full mmcv is installed')
def test_mmcv_lite_is_silent(tmp_path: Path) -> None:
    script = 'import mmaction.models'
    corrected, broken = with_and_without('ignore_mmcv_lite_warning', script, tmp_path)
    assert corrected.ok and broken.ok
    assert 'MultiScaleDeformableAttention' not in corrected.err
    assert 'MultiScaleDeformableAttention' in broken.err


ANY_NAME = """
def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return type(name, (), {'from_pretrained': classmethod(lambda cls: cls)})
"""
MOVED = 'apply_chunking_to_forward find_pruneable_heads_and_indices prune_linear_layer'


def fake_packages(folder: Path, *, moved: bool) -> None:
    """Write the parts of transformers, timm and torchvision that mmaction2 imports."""
    modules = ['torchvision', 'timm', 'timm/models', 'timm/models/layers']
    modules += ['transformers', 'transformers/models', 'transformers/models/beit']
    for module in modules:
        (folder / module).mkdir()
        (folder / module / '__init__.py').write_text(ANY_NAME)
    transformers = folder / 'transformers'
    for name in ('activations', 'configuration_utils', 'file_utils'):
        (transformers / f'{name}.py').write_text(ANY_NAME)
    (transformers / 'modeling_outputs.py').write_text(ANY_NAME)
    (transformers / 'models/beit/modeling_beit.py').write_text(ANY_NAME)
    names = ['PreTrainedModel'] + ([] if moved else MOVED.split())
    (transformers / 'modeling_utils.py').write_text(
        ''.join(f'class {name}: ...\n' for name in names)
    )
    metadata = folder / 'transformers-4.57.0.dist-info/METADATA'
    metadata.parent.mkdir()
    metadata.write_text('Metadata-Version: 2.1\nName: transformers\nVersion: 4.57.0\n')


@pytest.mark.parametrize(
    ('absent', 'error'),
    [
        ('timm', "No module named 'timm"),
        ('torchvision', 'import of torchvision halted'),
        ('names', "cannot import name 'apply_chunking_to_forward'"),
    ],
)
def test_models_import_with_transformers_installed(
    tmp_path: Path, absent: str, error: str
) -> None:
    fake_packages(tmp_path, moved=absent == 'names')
    before = f'import sys; sys.modules[{absent!r}] = None\n'
    if absent == 'torchvision':
        # The real timm imports it.
        (tmp_path / 'timm/__init__.py').write_text('import torchvision\n')
    script = """
import sys
import mmaction.models
from mmaction.utils.dependency import WITH_MULTIMODAL
print(WITH_MULTIMODAL, 'transformers.models' in sys.modules)
"""
    corrected, broken = with_and_without(
        'disable_broken_multimodal',
        script,
        tmp_path,
        before=before,
        PYTHONPATH=str(tmp_path),
    )
    assert corrected.ok, corrected.err
    assert corrected.out == 'False False\n'
    assert not broken.ok
    assert error in broken.last


def test_multimodal_that_can_import_stays(tmp_path: Path) -> None:
    fake_packages(tmp_path, moved=False)
    script = 'import mmaction.utils.dependency as it; print(it.WITH_MULTIMODAL)'
    corrected = run(script, tmp_path, PYTHONPATH=str(tmp_path))
    assert corrected.ok, corrected.err
    assert corrected.out == 'True\n'
