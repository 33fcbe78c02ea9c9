"""The page "From a notebook" runs as it stands, on a few drawn clips and faces.

Before it, the reader runs tools/data/make_sample_dfew.py, which has tests of its own.
"""

import re
from pathlib import Path

import pytest

from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew
from tests.helpers.scenes import scene, write_video


@pytest.mark.slow
def test_the_block_runs_and_leaves_its_files(tmp_path, monkeypatch, capsys):
    page = (ROOT / 'docs' / 'notebook.md').read_text()
    (code,) = re.findall(r'<!-- notebook -->\n```python\n(.*?)```', page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    make_dfew(Path('data/sample_dfew'), 3)
    write_video(Path('video.mp4'), [scene([(320, 190, 80)])] * 60)
    exec(compile(code, 'notebook.md', 'exec'), {'__name__': '__main__'})
    work = Path('work_dirs/notebook')
    assert (work / 'epoch_1.pth').is_file() and (work / 'model.onnx').is_file()
    assert (work / 'pictures' / 'annotated.mp4').is_file()
    assert ', 7)' in capsys.readouterr().out  # a row a window, seven classes
