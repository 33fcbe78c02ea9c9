"""Decode a built-in video: whether a decoder works here.

That a decoder is installed does not mean that it loads, nor that it decodes: FFmpeg's
libraries or a newer system may be missing. ``python built_in.py NAME`` does it in a
process of its own, which may crash; therefore this file needs nothing of the package.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

#: Two frames of 32 x 32 pixels, H.264 in MP4: orange, then blue.
VIDEO = (
    'eNpjYGBQSCupLMgszs9lYGBiANFAbJRYlmyYW2BiyMDAzJObn1/GwMCQk1uWkcKAAphfAIkA'
    'BkYGEEIARlRV6HwHBryACYiiS4oSs4HsmJJssJ3MWEwLwNBJjL0KUMzAoJKaUlIMpGVSc4pL'
    'kHQEIPQyXs5NyUwE6chNQfe7ERCzMIQeAXN0M1JyimAyZZkpqcgqw4D8fI/EvJScVJAaxrrc'
    'zLw0IEOkLBdsKLIzVVIgcjIpRalpSI7iKS3KUYCwGe2KS5JygOx9xSXFKUhq1oEiDUdQgDyt'
    'wOABpD1gKnh8gOoVcjKTKozMTLBFhMT//0DSBKjKmTGFgev/QwbxdCC95qZnDosDKE6ABE/z'
    'kc7UBkYGtozXj08rHfj74wdIp0BBYnEB1BUgLJJUUgQNYvECCGaQKC4BBz/MtUxgBFQL9BWy'
    'OAjLAMWS0cSYkOSqUJMPgww0koFmJecj9DHbAGnb0pQSUJSa5qaCaRBQRI4+YJQXJRYU5CAH'
    'BUcmJI1wpBWlguLWJTclEcSXSO1oYdD+/+/G88+ar1/dc7z0btmraVlH9A+CHOE4SzHHaf+e'
    '9k8b3v//+COz+6yoKveDreErWm4lyAAA3ASJLA=='
)
#: The mean colors of its frames, and the largest difference from them.
COLORS, NEAR = ((200, 100, 50), (50, 100, 200)), 8
MARK = 'the built-in video: '


def pyav(path: str) -> tuple[str, list[Any]]:
    """Return PyAV with its versions, and the frames of a file."""
    import av

    version = '.'.join(map(str, av.library_versions['libavcodec']))
    with av.open(path) as container:
        frames = [f.to_ndarray(format='rgb24') for f in container.decode(video=0)]
    return f'PyAV {av.__version__} (libavcodec {version})', frames


def torchcodec(path: str) -> tuple[str, list[Any]]:
    """Return torchcodec with its versions, and the frames of a file."""
    import torchcodec
    from torchcodec import _core
    from torchcodec.decoders import VideoDecoder

    libraries = _core.ops.get_ffmpeg_library_versions()
    version = '.'.join(map(str, libraries['libavcodec']))
    video = VideoDecoder(path, dimension_order='NHWC')
    # One frame as the reader takes those in order, one as it takes those by number.
    frames = [_core.get_next_frame(video._decoder)[0], video.get_frames_at([1]).data[0]]
    title = f'torchcodec {torchcodec.__version__} (libavcodec {version})'
    return title, [frame.numpy() for frame in frames]


def decord(path: str) -> tuple[str, list[Any]]:
    """Return decord with its version, and the frames of a file."""
    import decord

    video = decord.VideoReader(path, num_threads=1)
    frames = [video.next().asnumpy(), video.get_batch([1]).asnumpy()[0]]
    return f'decord {decord.__version__}', frames


DECODERS: dict[str, Callable[[str], tuple[str, list[Any]]]] = dict(
    pyav=pyav, torchcodec=torchcodec, decord=decord
)


def decode(name: str) -> str:
    """Decode the built-in video, and return the decoder with its versions.

    Raises:
        ValueError: If its frames are wrong.
        Exception: Of any kind, if it does not load or decode.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'built-in.mp4')
        with open(path, 'wb') as file:
            file.write(zlib.decompress(base64.b64decode(VIDEO)))
        title, frames = DECODERS[name](path)
        for number, (frame, color) in enumerate(zip(frames, COLORS, strict=True)):
            seen = frame.mean((0, 1))
            if frame.shape != (32, 32, 3) or abs(seen - color).max() > NEAR:
                raise ValueError(f'decodes wrongly: frame {number} has color {seen}')
    return title


def one_line(error: BaseException) -> str:
    """Return the cause of an error: a missing library, or else its first line."""
    text, cause = '', error
    while cause is not None:
        text += f'{cause}\n'
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    library = re.search(
        r'[^\s:(]*\.so[.\d]*: cannot open shared object|undefined symbol: \S+'
        r'|version `GLIBC\S+ not found',
        text,
    )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = library[0] if library else (lines or [type(error).__name__])[0]
    return said[:200]


def main() -> None:
    """Decode with the decoder that is named, and write what came of it as JSON."""
    del sys.path[0]  # this folder, whose modules are no packages
    found: dict[str, str] = {}
    try:
        found['title'] = decode(sys.argv[1])
    except BaseException as error:
        found['error'] = one_line(error)
    print('\n' + MARK + json.dumps(found), flush=True)


if __name__ == '__main__':
    main()
