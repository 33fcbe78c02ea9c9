"""The web demo in a real browser, where there is one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from contextlib import suppress

import pytest

from ifdd_mmaction.apis import DFERInferencer
from tests.helpers.checkpoints import CONFIG, DFEW, save_checkpoint
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.processes import free_port
from tests.helpers.scenes import scene, write_video
from tests.helpers.tools import run_tool

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
WAIT = 120  # seconds: machines that run tests are busy


@pytest.fixture
def page(tmp_path):
    """The demo, started as a user does, in a browser; and its folder of files."""
    pytest.importorskip('gradio')
    playwright = pytest.importorskip('playwright.sync_api')
    if CHROMIUM is None:
        pytest.skip('needs a browser: no chromium on PATH')
    port = free_port()
    files = tmp_path / 'tmp'
    files.mkdir()
    checkpoint = save_checkpoint(tmp_path / 'a.pth')
    command = [
        sys.executable, '-W', 'ignore', ROOT / 'tools' / 'demo_web.py', '--config',
        CONFIG, '--checkpoint', checkpoint, '--port', port, '--max-seconds', 1.5,
        '--window', 0.5, '--max-megabytes', 1,
    ]  # fmt: skip
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, 'TMPDIR': str(files), 'OMP_NUM_THREADS': '1'},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f'http://127.0.0.1:{port}'
    try:
        for _ in range(WAIT):
            try:
                urllib.request.urlopen(url, timeout=5)
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, process.stderr.read()
                time.sleep(1)
        with playwright.sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page()
            page.set_default_timeout(1000 * WAIT)
            page.goto(url)
            yield page, files
            browser.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
    finally:
        process.kill()
    # Nothing of what was uploaded or made is left.
    assert not list(files.glob('ifdd_demo_*'))


def upload(page, path):
    from playwright.sync_api import TimeoutError as TooLate

    # The page is there before its scripts listen, on a busy machine also after the
    # network is idle: until then a file is not noticed, so it is given again.
    page.wait_for_load_state('networkidle')
    shown = f'video[src*="{path.name}"]'
    for _ in range(WAIT // 10):
        page.set_input_files('input[type=file]', str(path))
        with suppress(TooLate):
            page.wait_for_selector(shown, timeout=10_000)
            return
    pytest.fail(f'{path.name} was not shown within {WAIT} s')


@pytest.mark.slow
def test_a_video_is_uploaded_and_its_expressions_are_seen(page, tmp_path):
    page, files = page
    frames = [scene([(160 + 2 * i, 180, 70)], smile=i / 25) for i in range(25)]
    upload(page, write_video(tmp_path / 'short.mp4', frames))
    page.get_by_role('button', name='Recognize expressions').click()
    for name in ('timeline.png', 'moments.png', 'split.png'):
        page.wait_for_selector(f'img[src*="{name}"]')
        page.wait_for_function(
            f'document.querySelector(\'img[src*="{name}"]\').naturalWidth > 100'
        )
    result = 'document.querySelector(\'video[src*="annotated.mp4"]\')'
    page.wait_for_function(f'{result} && {result}.readyState >= 2')
    assert page.evaluate(f'{result}.videoWidth') == 640
    assert 0.9 < page.evaluate(f'{result}.duration') < 1.1
    page.wait_for_selector('td:has-text("%")', state='attached')
    assert list(files.glob('ifdd_demo_*/**/annotated.mp4'))

    # A second one is too long, which is said and harms nothing.
    page.get_by_label('Clear').first.click()
    upload(page, write_video(tmp_path / 'long.mp4', frames * 2))
    page.get_by_role('button', name='Recognize expressions').click()
    page.wait_for_selector('text=the video is longer than 1.5 seconds')


def test_the_rows_of_the_page_name_no_improbable_class(tmp_path):
    pytest.importorskip('gradio')
    tool = load_tool('demo_web.py')
    frames = [scene([(160 + 2 * i, 180, 70)], smile=i / 25) for i in range(25)]
    video = write_video(tmp_path / 'a.mp4', frames)
    rows = []
    for threshold in (None, 0.99):
        inferencer = DFERInferencer(
            str(CONFIG), str(save_checkpoint(tmp_path / 'a.pth')), 'cpu',
            detector='none', show_progress=False, abstain_below=threshold,
        )  # fmt: skip
        folder = tmp_path / str(threshold)
        folder.mkdir()
        rows.append(tool.analyse(inferencer, str(video), 60, folder)['rows'])
    column = tool.COLUMNS.index('expression')
    assert {row[column] for row in rows[0]} <= set(DFEW)
    assert {row[column] for row in rows[1]} == {'not sure'}
    for named, unsure in zip(*rows, strict=True):
        del named[column], unsure[column]
        assert named == unsure  # times and probability


@pytest.mark.parametrize('threshold', [None, 0.6])
def test_the_page_says_what_is_recognized_and_where_it_is_prohibited(
    tmp_path, threshold
):
    gradio = pytest.importorskip('gradio')
    args = Namespace(
        max_seconds=60, max_megabytes=1, keep_minutes=1, abstain_below=threshold
    )
    page = load_tool('demo_web.py').build_page(gradio, None, args, tmp_path)
    text = json.dumps(page.get_config_file())
    assert 'An\\nexpression is not a feeling' in text and 'article 5(1)(f)' in text
    assert ('not sure' in text and 'is below 60%' in text) == (threshold is not None)
    assert text.lower().count('emotion') == 1  # what the law calls it


def test_a_model_that_cannot_be_used_is_said_in_one_line(tmp_path):
    model = '--config', CONFIG, '--checkpoint', tmp_path / 'absent.pth'
    result = run_tool('demo_web.py', *model, check=2)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith('demo_web: no checkpoint')


@pytest.mark.slow
def test_a_port_in_use_is_said_in_one_line(tmp_path):
    pytest.importorskip('gradio')
    checkpoint = save_checkpoint(tmp_path / 'a.pth')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_tool(
            'demo_web.py', '--config', CONFIG, '--checkpoint', checkpoint,
            '--port', port, check=2, TMPDIR=str(tmp_path),
        )  # fmt: skip
    *notice, line = result.stderr.strip().splitlines()
    assert len(notice) == 2 and 'not what a person feels' in notice[0]
    assert line.startswith('demo_web: ') and f'127.0.0.1:{port}' in line
    assert not list(tmp_path.glob('ifdd_demo_*'))


def test_what_is_old_is_removed_and_nothing_else(tmp_path):
    old, new = tmp_path / 'old' / 'timeline.png', tmp_path / 'new' / 'timeline.png'
    for path in (old, new):
        path.parent.mkdir()
        path.touch()
    os.utime(old, (0, 0))
    remove_old = load_tool('demo_web.py').remove_old
    remove_old(tmp_path, 60)
    assert not old.exists() and new.exists()
    os.utime(old.parent, (0, 0))  # emptied a while ago
    remove_old(tmp_path, 60)
    assert sorted(tmp_path.iterdir()) == [new.parent]


def test_a_threshold_is_a_probability():
    given = ['--config', 'ifdd_vit_sample', '--abstain-below', 1.5]
    result = run_tool('demo_web.py', *given, check=2)
    (line,) = result.stderr.strip().splitlines()
    assert line == 'demo_web: abstain_below=1.5: must be from 0 to 1'


@pytest.mark.parametrize('option', ['--keep-minutes', '--max-seconds'])
def test_limits_are_above_zero(option):
    given = ['--config', 'a.py', '--checkpoint', 'a.pth', option, 0]
    result = run_tool('demo_web.py', *given, check=2)
    assert f'{option} 0: must be above 0' in result.stderr
