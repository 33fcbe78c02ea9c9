import pytest

from tests.helpers.layouts import write_frames
from tests.helpers.processes import run_script

CALLER = """
import sys, time
from pathlib import Path
import cv2
import numpy as np
from ifdd_mmaction.datasets.prepare import check_all

if __name__ == '__main__':
    cv2.setNumThreads(4)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)
    time.sleep(1)  # OpenCV's threads have gone to sleep
    root = Path(sys.argv[1])
    found = check_all([root / 'a', root / 'b'], root / 'checked.jsonl', 2)
    print([check.frames for check in found.values()], cv2.getNumThreads())
"""


@pytest.mark.slow
def test_threads_that_opencv_has_started_do_not_stop_the_workers(tmp_path):
    write_frames(tmp_path / 'a', 2)
    write_frames(tmp_path / 'b', 3)
    script = tmp_path / 'caller.py'
    script.write_text(CALLER)
    result = run_script([script, tmp_path], timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip().endswith('[2, 3] 4')
