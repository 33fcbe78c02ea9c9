"""Which decoder reads a video, and that all of them give the same frames."""

import json
import os
import re

import numpy as np
import pytest
from mmengine.logging import MMLogger

from ifdd_mmaction.decoding import (
    VideoError,
    VideoReader,
    attempts,
    built_in,
    checked,
    choose,
)
from ifdd_mmaction.decoding.decord_decoder import DecordVideo
from ifdd_mmaction.decoding.index import FOLDER, IndexCache
from ifdd_mmaction.decoding.open_video import checksum
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.scenes import numbered_frames, numbers_of, write_video
from tests.helpers.video_zoo import FFMPEG, ZOO

#: One file of each reason why decoders differ, and plain ones.
KINDS = (
    'H.264 in mp4', 'MPEG-4 ASP in avi', 'WMV2 in wmv', 'MPEG-2 in ts', 'VP9 in webm',
    'open GOP', 'varying rate', 'cut at 3.2 s', 'cut at 0.44 s',
    'HEVC 10 bit, open GOP', 'turned 90', 'mirrored', 'wide pixels',
    'odd size, 4:2:0', 'BT.709', 'full range',
    'size changes midway, mkv', 'begins between key frames', 'H.264, bare stream',
)  # fmt: skip
LONG = 'Could not load libtorchcodec. Likely causes:\n  1. FFmpeg is not\n' + 99 * 'a\n'
NVRTC = """
try:
    raise OSError('libnvrtc.so.13: cannot open shared object file: No such file')
except OSError as error:
    raise OSError('Could not load this library: libtorchcodec_image.so') from error
"""
BLACK = (
    'import numpy as np\n__version__ = "9"\n'
    'class Frame:\n'
    '    asnumpy = lambda self: np.zeros((32, 32, 3), np.uint8)\n'
    'class VideoReader:\n'
    '    def __init__(self, *_, **__): pass\n'
    '    next = lambda self: Frame()\n'
    '    def get_batch(self, which):\n'
    '        batch = Frame()\n'
    '        batch.asnumpy = lambda: np.zeros((1, 32, 32, 3), np.uint8)\n'
    '        return batch\n'
)
GLIBC = "raise OSError('/lib/libm.so.6: version `GLIBC_2.38\\' not found (required)')"


def needs(name):
    if reason := attempts.try_decoder(name).reason:
        pytest.skip(f'{name}: {reason}')


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'a.mp4', numbered_frames(36))


@pytest.fixture
def afresh(tmp_path, monkeypatch):
    """Have decoders tried again, and know no video."""
    monkeypatch.setattr('ifdd_mmaction.decoding.reader.cache', IndexCache())
    monkeypatch.setattr(checked, 'cache', IndexCache('.checked'))
    monkeypatch.setenv(FOLDER, str(tmp_path / 'cache'))
    choose._choose.cache_clear()
    yield
    choose._choose.cache_clear()


@pytest.fixture
def log(tmp_path):
    """What is logged, as lines."""
    file = tmp_path / 'log.txt'
    MMLogger.get_instance(str(tmp_path), log_file=str(file))
    return lambda: file.read_text().splitlines()


@pytest.fixture
def ask(monkeypatch, afresh):
    return lambda name: monkeypatch.setenv(choose.SETTING, name)


@pytest.fixture
def install(monkeypatch, tmp_path, afresh):
    """Put a package before the one that is installed, for child processes too."""

    def put(name, code):
        folder = tmp_path / 'site' / name
        folder.mkdir(parents=True)
        (folder / '__init__.py').write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path / 'site'))
        path = os.pathsep.join([str(tmp_path / 'site'), os.environ['PYTHONPATH']])
        monkeypatch.setenv('PYTHONPATH', path)
        attempts.try_decoder.cache_clear()

    monkeypatch.setenv('PYTHONPATH', os.environ.get('PYTHONPATH', ''))
    yield put
    attempts.try_decoder.cache_clear()


def test_pyav_is_taken_and_the_log_says_so_once(video, afresh, log):
    for _ in range(3):
        assert numbers_of(VideoReader(video).read([5])) == [5]
    (line,) = log()
    assert re.search(r'INFO - videos are read by PyAV \S+ \(libavcodec \S+\); ', line)
    assert 'not torchcodec (' in line
    assert re.search(r'not decord \((not installed|IFDD_DECODER does not ask)', line)


def test_each_run_s_log_says_so(video, afresh, log, tmp_path):
    VideoReader(video).read([0])
    other = tmp_path / 'other.txt'
    MMLogger.get_instance('another run', log_file=str(other))
    VideoReader(video).read([1])
    assert len(log()) == 1 and 'videos are read by PyAV' in other.read_text()


@pytest.mark.parametrize(
    'name, code, reason',
    [
        (
            'torchcodec',
            f'raise RuntimeError({LONG!r})',
            'does not load: Could not load',
        ),
        ('torchcodec', NVRTC, 'does not load: libnvrtc.so.13: cannot open shared'),
        ('torchcodec', 'import os\nos.kill(os.getpid(), 11)', 'crashes with SIGSEGV'),
        ('torchcodec', 'import os\nos._exit(7)', 'ends its process with code 7'),
        ('torchcodec', 'raise SystemExit("no")', 'does not load: no'),
        (
            'torchcodec',
            'import time\ntime.sleep(99)',
            'does not decode a frame within 2',
        ),
        ('decord', GLIBC, "does not load: version `GLIBC_2.38' not found"),
        ('decord', BLACK, 'decodes wrongly: frame 0 has color'),
    ],
)
def test_a_decoder_that_does_not_work_is_named_and_reading_goes_on(
    video, install, ask, log, monkeypatch, name, code, reason
):
    if 'sleep' in code:
        monkeypatch.setattr(attempts, 'PATIENCE', 2.0)
    install(name, code)
    ask(name)
    assert numbers_of(VideoReader(video).read([7, 3])) == [7, 3]
    assert VideoReader(video).decoder.startswith('PyAV')
    (line,) = log()
    assert 'WARNING - videos are read by PyAV' in line
    assert f'not {name} ({reason}' in line
    assert attempts.REMEDIES[name] in line


def test_a_name_that_is_no_decoder_is_refused(video, ask):
    ask('opencv')
    with pytest.raises(VideoError, match=r'IFDD_DECODER=opencv: want one of pyav, tor'):
        VideoReader(video).read([0])


def without_pyav(tmp_path, code, program, *words, **env):
    """Run a program where PyAV does not load."""
    (tmp_path / 'site/av').mkdir(parents=True)
    (tmp_path / 'site/av/__init__.py').write_text(code)
    path = [str(tmp_path / 'site'), str(ROOT), os.environ.get('PYTHONPATH', '')]
    env = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(path),
        'IFDD_CACHE': str(tmp_path / 'another cache'),
        **env,
    }
    result = run_python(['-W', 'ignore', '-c', program, *words], env=env)
    assert not result.returncode, result.stderr
    return result


NO_TORCHCODEC = """
import sys
sys.modules['torchcodec'] = None
from ifdd_mmaction.decoding import VideoError, VideoReader
for _ in range(2):
    try:
        VideoReader(sys.argv[1]).read([0])
    except VideoError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize('code, said', [
    ('raise ImportError("libavformat.so.61: cannot open shared object file: No")',
     'PyAV does not load: libavformat.so.61: cannot open shared object'),
    (GLIBC, "PyAV does not load: version `GLIBC_2.38' not found"),
])  # fmt: skip
def test_decord_alone_reads_nothing_and_the_remedy_is_said(video, tmp_path, code, said):
    """It tells nothing by which it could be checked."""
    result = without_pyav(tmp_path, code, NO_TORCHCODEC, video, IFDD_DECODER='decord')
    first, second = result.stdout.splitlines()
    assert first == second and said in first and 'torchcodec not installed' in first
    assert first.endswith(': pip install --force-reinstall "av>=17.1"')


READ_ALL = """
import json, sys
from ifdd_mmaction.decoding import VideoError, VideoReader
from ifdd_mmaction.decoding.open_video import checksum
found = {}
for path in sys.argv[1:]:
    video = VideoReader(path)
    try:
        prints = [checksum(image) for image in video.each(lambda s, image: image)]
        windows = [range(i, min(i + 8, len(video))) for i in range(0, len(video), 7)]
        read = {i: checksum(image) for w in reversed(windows)
                for i, image in zip(w, VideoReader(path).read(w))}
        found[path] = [prints, [read[i] for i in range(len(video))]]
    except VideoError as error:
        found[path] = str(error)
print('\\n' + json.dumps([video.decoder, found]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not FFMPEG, reason='no program ffmpeg')
def test_torchcodec_alone_gives_the_frames_of_pyav_or_refuses(tmp_path):
    needs('torchcodec')
    paths = {kind: ZOO[kind](tmp_path / f'{i}') for i, kind in enumerate(KINDS)}
    result = without_pyav(
        tmp_path, 'raise ImportError("libavformat")', READ_ALL, *paths.values()
    )
    decoder, found = json.loads(result.stdout.splitlines()[-1])
    assert decoder.startswith('torchcodec ')
    said = r'videos are read by torchcodec.*not PyAV \(does not load: libavformat: pip'
    assert re.search(said, result.stdout)
    refused = set()
    for kind, path in paths.items():
        if isinstance(said := found[str(path)], str):
            refused.add(kind)
            assert said.startswith(f'{path}: ') and '\n' not in said
            assert said.endswith('pip install --force-reinstall "av>=17.1"')
            continue
        true = list(VideoReader(path).each(lambda seconds, image: checksum(image)))
        assert said == [true, true], kind
    assert refused == {
        'HEVC 10 bit, open GOP', 'turned 90', 'mirrored', 'wide pixels',
        'odd size, 4:2:0', 'size changes midway, mkv', 'begins between key frames',
        'H.264, bare stream',
    }  # fmt: skip


@pytest.mark.slow
def test_torchcodec_alone_does_not_open_lists_of_other_files(video, tmp_path):
    needs('torchcodec')
    for name, text in (
        ('a.ffconcat', f'ffconcat version 1.0\nfile {video.name}\n'),
        ('b.m3u8', f'#EXTM3U\n#EXTINF:1,\n{video.name}\n#EXT-X-ENDLIST\n'),
    ):
        (tmp_path / name).write_text(text)
    paths = [tmp_path / 'a.ffconcat', tmp_path / 'b.m3u8', video]
    result = without_pyav(tmp_path, 'raise ImportError("a")', READ_ALL, *paths)
    found = json.loads(result.stdout.splitlines()[-1])[1]
    for path in paths[:2]:
        assert found[str(path)] == f'{path}: no video, or of an unknown kind'
    assert len(found[str(video)][0]) == 36


@pytest.mark.slow
@pytest.mark.skipif(not FFMPEG, reason='no program ffmpeg')
@pytest.mark.parametrize('name', ['torchcodec', 'decord'])
@pytest.mark.parametrize('kind', KINDS)
def test_a_decoder_gives_the_frames_of_pyav_or_is_not_chosen(
    kind, name, tmp_path, ask, log
):
    needs(name)
    path = ZOO[kind](tmp_path / 'video')
    ask(name)
    true = np.stack(list(VideoReader(path).each(lambda seconds, image: image)))
    for _ in range(2):
        for start in range(0, len(true), 5):
            window = range(start, min(start + 8, len(true)))
            images = VideoReader(path).read(window)
            assert np.array_equal(np.stack(images), true[window])
            assert all(i.flags.owndata and i.flags.writeable for i in images)
    known = checked.cache.get(VideoReader(path)._state(), choose.choose().title)
    first, *lines = log()
    assert re.search(rf'videos are read by {name} \S+ .*checked against PyAV', first)
    assert len(lines) == bool(known.refused)
    if known.refused:
        assert f'{path}: read by PyAV, not by {name}: {known.refused}' in lines[0]
    if kind in ('H.264 in mp4', 'VP9 in webm', 'varying rate', 'turned 90', 'BT.709'):
        assert not known.refused
    if kind in ('mirrored', 'wide pixels', 'MPEG-2 in ts'):
        assert known.refused


def test_a_frame_that_is_not_the_one_asked_for_is_noticed(video, ask, log, monkeypatch):
    """Whether the file was just compared, or its check is of another process."""
    needs('decord')
    ask('decord')
    at = DecordVideo.at
    right = VideoReader(video).read(range(36))
    assert numbers_of(right) == list(range(36)) and len(log()) == 1
    monkeypatch.setattr(
        DecordVideo,
        'at',
        lambda self, numbers: at(self, [min(n + 1, 35) for n in numbers]),
    )
    for _ in range(3):
        assert numbers_of(VideoReader(video).read([3, 9])) == [3, 9]
        monkeypatch.setattr(checked, 'cache', IndexCache('.checked'))  # another process
    _, line = log()
    assert line.endswith('not by decord: its frame 3 of 3 to 9 is another one')


def test_a_file_is_compared_once(video, ask, monkeypatch):
    needs('decord')
    ask('decord')
    compare, compared = checked._compare, []

    def note(path, *rest):
        compared.append(path)
        return compare(path, *rest)

    monkeypatch.setattr(checked, '_compare', note)
    for _ in range(2):
        for _ in range(2):
            assert numbers_of(VideoReader(video).read([35, 2])) == [35, 2]
        monkeypatch.setattr(checked, 'cache', IndexCache('.checked'))  # another process
    assert len(compared) == 1
    write_video(video, numbered_frames(30))
    assert numbers_of(VideoReader(video).read([29])) == [29]
    assert len(compared) == 2


@pytest.mark.slow
def test_other_decoders_are_not_imported_by_default(video):
    code = (
        'import sys\nfrom ifdd_mmaction.decoding import VideoReader\n'
        f'VideoReader({str(video)!r}).read([0])\n'
        "print(sorted({'av', 'decord', 'torchcodec'} & set(sys.modules)))"
    )
    result = run_python(['-W', 'ignore', '-c', code])
    assert result.stdout.splitlines()[-1] == "['av']", result.stderr
    assert result.stdout.count('videos are read by PyAV') == 1


def test_the_built_in_video_is_small_and_decoded():
    assert len(built_in.VIDEO) < 2000
    assert built_in.decode('pyav').startswith('PyAV ')
