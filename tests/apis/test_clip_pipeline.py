"""The part of a test pipeline that comes after decoding."""

import subprocess
import sys

from tests.golden import ROOT


def test_it_needs_nothing_set_up_before():
    """open-mmlab/mmengine#1044: with an ONNX file nobody has named the registries."""
    script = (
        'from mmengine.config import Config\n'
        'from ifdd_mmaction.apis.clip_pipeline import ClipPipeline\n'
        f'cfg = Config.fromfile({str(ROOT / "configs/ifdd_vit_sample.py")!r})\n'
        'print(ClipPipeline(cfg).clip_len)'
    )
    result = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, cwd=ROOT
    )
    assert result.stdout.strip().endswith('16'), result.stderr
