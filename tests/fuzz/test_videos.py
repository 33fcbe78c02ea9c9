"""Video files of any content: frames, the same however they are read, or a line."""

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given

from ifdd_mmaction.decoding import StuckError, VideoError, VideoReader
from tests.fuzz import draws
from tests.fuzz.test_archive import DAMAGE, damaged
from tests.helpers.video_zoo import FFMPEG, ZOO, encode, h264

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FFMPEG, reason='no program ffmpeg'),
]
SMALL = dict(seconds=0.8, size='48x32')
#: One file of each container, and of the codecs whose decoders differ most.
FILES = {
    'mp4': encode('.mp4', *h264(gop=8), **SMALL),
    'mkv': encode('.mkv', *h264(gop=8), **SMALL),
    'flv': encode('.flv', *h264(gop=8), **SMALL),
    'ts': encode('.ts', '-c:v', 'mpeg2video', '-bf', '2', '-g', '8', **SMALL),
    'avi': encode('.avi', '-c:v', 'mpeg4', '-bf', '2', '-g', '8', **SMALL),
    'wmv': encode('.wmv', '-c:v', 'wmv2', '-g', '8', **SMALL),
    'webm': encode('.webm', '-c:v', 'libvpx', '-g', '8', '-threads', '1', **SMALL),
    'gif': encode('.gif', **SMALL),
    'cut': ZOO['cut at 1.0 s'],
}


@cache
def content(kind: str) -> tuple[str, bytes]:
    with TemporaryDirectory() as folder:
        path = FILES[kind](Path(folder) / 'video')
        return path.suffix, path.read_bytes()


@pytest.mark.parametrize('kind', FILES)
@given(damage=DAMAGE)
@draws(12)
def test_a_damaged_video_is_read_right_or_refused(kind, damage, tmp_path):
    suffix, data = content(kind)
    path = tmp_path / f'video{suffix}'
    path.write_bytes(damaged(data, damage))
    try:
        in_order = list(VideoReader(path).each(lambda seconds, image: image))
    except VideoError as error:
        refused = str(error)
        assert not isinstance(error, StuckError)
        assert refused.startswith(f'{path}: ') and '\n' not in refused
        with pytest.raises(VideoError) as caught:
            VideoReader(path).read([0])
        assert str(caught.value) == refused
        return
    total = len(VideoReader(path))
    assert total == len(in_order)
    rng = random.Random(total)
    for _ in range(3):
        wanted = rng.sample(range(total), min(4, total))
        try:
            found = VideoReader(path).read(wanted)
        except VideoError as error:
            # What a decoder makes of damaged data may change each time.
            assert 'decoding it gives other frames each time' in str(error)
            return
        assert all(
            np.array_equal(image, in_order[i])
            for image, i in zip(found, wanted, strict=True)
        )
