"""timm, for tests, where the environment itself has none.

timm imports torchvision, which has no CPU build for every torch and without its
compiled half breaks the import of MMAction2. ``make test`` therefore installs both into
a folder that only the processes started here see. They define themselves what
torchvision's Python half expects of the other one: the schemas of two operators, which
nothing here calls.

    python tests/timm_site.py MODULE ARGUMENT ...   runs a module with timm
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(sys.prefix) / 'timm'


def run_with_timm(*command: str) -> subprocess.CompletedProcess:
    """Run ``python -m`` with timm: ``run_with_timm('pytest', 'tests/...')``."""
    return subprocess.run(
        [sys.executable, __file__, *command],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )


def main() -> None:
    import torch

    library = torch.library.Library('torchvision', 'DEF')
    for name in ('nms', 'qnms'):
        library.define(
            f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
        )
    sys.path[0] = str(ROOT)  # as ``python -m`` has it
    sys.path.append(str(SITE))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    main()
