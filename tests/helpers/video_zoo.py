"""Video files of every kind, made with the program ``ffmpeg``.

Small, and each picture of a file differs from the others, so that a frame that is read
in another one's place is noticed.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

FFMPEG = shutil.which('ffmpeg')
#: Frames a second of the files.
RATE = 25
#: Numbers a, b, c, d of a QuickTime header that turn and mirror a picture: a point
#: (x, y) is shown at (a x + c y, b x + d y).
UPRIGHT = (1, 0, 0, 1)
MATRICES = {
    'turned 90': (0, 1, -1, 0),
    'turned 180': (-1, 0, 0, -1),
    'turned 270': (0, -1, 1, 0),
    'mirrored': (-1, 0, 0, 1),
    'upside down': (1, 0, 0, -1),
    'transposed': (0, 1, 1, 0),
    'transposed the other way': (0, -1, -1, 0),
}


def run_ffmpeg(*arguments: object) -> bytes:
    """Run ffmpeg and return what it writes to its output.

    Raises:
        RuntimeError: If it fails; the message is its last line.
    """
    command = [str(FFMPEG), '-hide_banner', '-nostdin', '-y', '-loglevel', 'error']
    result = subprocess.run([*command, *map(str, arguments)], capture_output=True)
    if result.returncode:
        lines = result.stderr.decode(errors='replace').strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f'exit code {result.returncode}')
    return result.stdout


@functools.cache
def encoders() -> set[str]:
    """Return the names of the encoders that ffmpeg has."""
    lines = run_ffmpeg('-encoders').decode().splitlines()
    return {line.split()[1] for line in lines if line.startswith(' V')}


def source(seconds: float = 2, size: str = '96x64', rate: int = RATE) -> list[str]:
    """Return the arguments that make ffmpeg draw a moving picture."""
    return [
        '-f',
        'lavfi',
        '-t',
        str(seconds),
        '-i',
        f'testsrc2=size={size}:rate={rate}',
    ]


def encode(suffix: str, *options: str, **drawn) -> Callable[[Path], Path]:
    """Return what writes one file with these options of ffmpeg."""

    def make(stem: Path) -> Path:
        path = stem.with_suffix(suffix)
        run_ffmpeg(*source(**drawn), *options, f'file:{path}')
        return path

    return make


def h264(*options: str, bframes: int = 2, gop: int = 12, extra: str = '') -> tuple:
    """Return the options of H.264 of a given structure."""
    return (
        *('-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'),
        *('-g', str(gop), '-bf', str(bframes)),
        *('-x264-params', ':'.join(filter(None, ('scenecut=0', 'threads=1', extra)))),
        *options,
    )


def cut(start: float) -> Callable[[Path], Path]:
    """Cut a long video without re-encoding it: the file gets an edit list."""

    def make(stem: Path) -> Path:
        whole, path = stem.with_suffix('.whole.mp4'), stem.with_suffix('.mp4')
        run_ffmpeg(*source(5.76), *h264(gop=250, bframes=3), whole)
        run_ffmpeg('-ss', start, '-i', whole, '-t', '1.2', '-c', 'copy', path)
        whole.unlink()
        return path

    return make


def turned(matrix: tuple[int, int, int, int], sar: str = '') -> Callable[[Path], Path]:
    """Write a display matrix into the header of an mp4."""

    def make(stem: Path) -> Path:
        filters = ('-vf', f'setsar={sar}') if sar else ()
        path = encode('.mp4', *h264(*filters), seconds=1)(stem)
        set_matrix(path, matrix)
        return path

    return make


def matrix_bytes(matrix: tuple[float, float, float, float]) -> bytes:
    """Return a display matrix as it stands in a header."""
    a, b, c, d = (round(number * (1 << 16)) for number in matrix)
    return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], '>i4').tobytes()


def set_matrix(path: Path, matrix: tuple[float, float, float, float]) -> None:
    """Replace the display matrix of the first track of an mp4."""
    data = path.read_bytes()
    old = matrix_bytes(UPRIGHT)
    at = data.index(old, data.index(b'tkhd'))
    path.write_bytes(data[:at] + matrix_bytes(matrix) + data[at + len(old) :])


def with_cover(stem: Path) -> Path:
    """A picture as the first stream of an mkv, larger than the film."""
    cover, film, path = (stem.with_suffix(s) for s in ('.png', '.in.mp4', '.mkv'))
    run_ffmpeg(*source(1, '200x200'), '-frames:v', '1', cover)
    run_ffmpeg(*source(1), *h264(), film)
    run_ffmpeg(
        *('-i', cover, '-i', film, '-map', '0:v', '-map', '1:v', '-c', 'copy'),
        *('-disposition:v:0', 'attached_pic', path),
    )
    cover.unlink(), film.unlink()
    return path


def with_attachment(stem: Path) -> Path:
    """A cover as an attachment of an mkv."""
    cover, path = stem.with_suffix('.jpg'), stem.with_suffix('.mkv')
    run_ffmpeg(*source(1, '200x200'), '-frames:v', '1', cover)
    run_ffmpeg(
        *(*source(1), *h264(), '-attach', cover),
        *('-metadata:s:t', 'mimetype=image/jpeg', path),
    )
    cover.unlink()
    return path


def mp4_with_cover(stem: Path) -> Path:
    """A cover picture as it is in mp4, larger than the film."""
    cover, film, path = (stem.with_suffix(s) for s in ('.png', '.in.mp4', '.mp4'))
    run_ffmpeg(*source(1, '200x200'), '-frames:v', '1', cover)
    run_ffmpeg(*source(1), *h264(), film)
    run_ffmpeg(
        *('-i', cover, '-i', film, '-map', '0:v', '-map', '1:v', '-c', 'copy'),
        *('-disposition:v:0', 'attached_pic', '-disposition:v:1', 'default', path),
    )
    cover.unlink(), film.unlink()
    return path


def with_sound(stem: Path) -> Path:
    """Sound that begins earlier and lasts longer than the picture."""
    path = stem.with_suffix('.mp4')
    run_ffmpeg(
        *('-f', 'lavfi', '-t', '3', '-i', 'sine'),
        *('-itsoffset', '0.5', *source(1.5)),
        *(*h264(), '-c:a', 'aac', path),
    )
    return path


def two_sizes(suffix: str) -> Callable[[Path], Path]:
    """Two parts of other sizes, one behind the other: the size changes midway."""

    def make(stem: Path) -> Path:
        parts = []
        for size in ('96x64', '160x120'):
            part = stem.with_suffix(f'.{size}.ts')
            run_ffmpeg(*source(1, size), *h264(), part)
            parts.append(part)
        joined = stem.with_suffix('.ts')
        joined.write_bytes(b''.join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()
        if suffix == '.ts':
            return joined
        path = stem.with_suffix(suffix)
        run_ffmpeg('-i', joined, '-c', 'copy', '-bsf:v', 'dump_extra', path)
        joined.unlink()
        return path

    return make


def begins_late(stem: Path) -> Path:
    """A transport stream that begins between two key frames."""
    whole, path = stem.with_suffix('.whole.ts'), stem.with_suffix('.ts')
    run_ffmpeg(*source(3), *h264(), whole)
    data = whole.read_bytes()
    packets = len(data) // 188
    # The tables of streams stand in the first packets.
    path.write_bytes(data[: 3 * 188] + data[packets // 4 * 188 :])
    whole.unlink()
    return path


VARIABLE = ('-vf', "setpts='(N+0.4*mod(N,3))/25/TB'", '-vsync', 'vfr')
#: What is made, by what is unusual about it.
ZOO: dict[str, Callable[[Path], Path]] = {
    # Containers
    'H.264 in mp4': encode('.mp4', *h264()),
    'H.264 in mov': encode('.mov', *h264()),
    'H.264 in mkv': encode('.mkv', *h264()),
    'H.264 in avi': encode('.avi', *h264()),
    'H.264 in flv': encode('.flv', *h264()),
    'H.264 in 3gp': encode('.3gp', *h264()),
    'H.264 in ts': encode('.ts', *h264()),
    'H.264 in m2ts': encode('.m2ts', *h264()),
    'H.264 in m4v': encode('.m4v', *h264()),
    'H.264, bare stream': encode('.mpg', *h264('-f', 'h264')),
    'fragmented mp4': encode('.mp4', *h264('-movflags', 'frag_keyframe+empty_moov')),
    'mp4, header in front': encode('.mp4', *h264('-movflags', 'faststart')),
    # Codecs
    'HEVC in mp4': encode(
        '.mp4', '-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p',
        '-x265-params', 'log-level=none:keyint=12:bframes=3:pools=1',
    ),
    'HEVC 10 bit, open GOP': encode(
        '.mkv', '-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le',
        '-x265-params',
        'log-level=none:keyint=10:min-keyint=10:bframes=3:open-gop=1:scenecut=0:pools=1',
    ),
    'VP8 in webm': encode(
        '.webm', '-c:v', 'libvpx', '-g', '15', '-auto-alt-ref', '1',
        '-lag-in-frames', '10', '-b:v', '200k', '-threads', '1',
    ),
    'VP9 in webm': encode(
        '.webm', '-c:v', 'libvpx-vp9', '-g', '15', '-auto-alt-ref', '1',
        '-lag-in-frames', '10', '-b:v', '200k', '-cpu-used', '8', '-threads', '1',
    ),
    'VP9 with alpha': encode(
        '.webm', '-vf', 'format=yuva420p', '-c:v', 'libvpx-vp9', '-auto-alt-ref', '0',
        '-pix_fmt', 'yuva420p', '-b:v', '200k', '-cpu-used', '8', '-threads', '1',
        seconds=1,
    ),
    'AV1 in mp4': encode(
        '.mp4', '-c:v', 'libaom-av1', '-cpu-used', '8', '-usage', 'realtime',
        '-g', '15', '-row-mt', '0', '-threads', '1', seconds=1,
    ),
    'MPEG-2 in mpg': encode('.mpg', '-c:v', 'mpeg2video', '-bf', '2', '-g', '12'),
    'MPEG-2 in ts': encode('.ts', '-c:v', 'mpeg2video', '-bf', '2', '-g', '12'),
    'MPEG-4 ASP in avi': encode('.avi', '-c:v', 'mpeg4', '-bf', '2', '-g', '12'),
    'MPEG-4 ASP in mp4': encode('.mp4', '-c:v', 'mpeg4', '-bf', '2', '-g', '12'),
    'MPEG-4 in 3gp': encode('.3gp', '-c:v', 'mpeg4', '-g', '12'),
    'H.263 in 3gp': encode('.3gp', '-c:v', 'h263', '-s', '176x144', seconds=1),
    'MJPEG in avi': encode('.avi', '-c:v', 'mjpeg', '-q:v', '3'),
    'ProRes in mov': encode('.mov', '-c:v', 'prores_ks', seconds=1),
    'ProRes with alpha': encode(
        '.mov', '-vf', 'format=yuva444p10le', '-c:v', 'prores_ks', '-profile:v', '4',
        '-pix_fmt', 'yuva444p10le', seconds=1,
    ),
    'WMV2 in wmv': encode('.wmv', '-c:v', 'wmv2', '-g', '12', '-b:v', '300k'),
    'WMV1 in wmv': encode('.wmv', '-c:v', 'wmv1', '-g', '12', '-b:v', '300k'),
    'Theora in ogv': encode('.ogv', '-c:v', 'libtheora', '-g', '12', '-q:v', '7'),
    'Sorenson in flv': encode('.flv', '-c:v', 'flv', '-g', '12'),
    'FFV1 in mkv': encode('.mkv', '-c:v', 'ffv1', seconds=1),
    'QuickTime animation with alpha': encode(
        '.mov', '-c:v', 'qtrle', '-pix_fmt', 'argb', seconds=1
    ),
    'raw RGB in avi': encode(
        '.avi', '-c:v', 'rawvideo', '-pix_fmt', 'bgr24', seconds=1
    ),
    'GIF': encode('.gif', seconds=1),
    # Structure
    'closed GOP': encode('.mp4', *h264(bframes=3, extra='open-gop=0')),
    'open GOP': encode('.mp4', *h264(gop=10, bframes=3, extra='open-gop=1')),
    'open GOP in ts': encode('.ts', *h264(gop=10, bframes=3, extra='open-gop=1')),
    'one key frame': encode('.mp4', *h264(gop=250)),
    'intra refresh': encode('.mp4', *h264(gop=12, bframes=0, extra='intra-refresh=1')),
    'every frame a key frame': encode('.mp4', *h264(gop=1, bframes=0)),
    'varying rate': encode('.mp4', *h264(*VARIABLE)),
    'varying rate in mkv': encode('.mkv', *h264(*VARIABLE)),
    'begins at 7 s': encode('.mp4', *h264('-output_ts_offset', '7')),
    'begins at 7 s in mkv': encode('.mkv', *h264('-output_ts_offset', '7')),
    'cut at 3.2 s': cut(3.2),
    'cut at 2.48 s': cut(2.48),
    'cut at 1.0 s': cut(1.0),
    'cut at 0.44 s': cut(0.44),
    'fields, H.264': encode('.mp4', *h264('-flags', '+ildct+ilme', extra='tff=1')),
    'fields, H.264 in ts': encode('.ts', *h264('-flags', '+ildct+ilme', extra='tff=1')),
    'fields, MPEG-2 in ts': encode(
        '.ts', '-c:v', 'mpeg2video', '-flags', '+ildct+ilme', '-bf', '2', '-g', '12'
    ),
    'one frame': encode('.mp4', *h264('-frames:v', '1')),
    'two frames': encode('.mkv', *h264('-frames:v', '2')),
    'begins between key frames': begins_late,
    # Picture
    **{name: turned(matrix) for name, matrix in MATRICES.items()},
    'turned 90, pixels not square': turned(MATRICES['turned 90'], '4/3'),
    'odd width and height': encode(
        '.mkv', '-c:v', 'libx264', '-pix_fmt', 'yuv444p', '-vf', 'scale=95:63,setsar=1'
    ),
    'odd size, 4:2:0': encode(
        '.avi', '-c:v', 'mpeg4', '-vf', 'scale=93:61,setsar=1', '-g', '12'
    ),
    'wide pixels': encode('.mp4', *h264('-vf', 'setsar=64/45')),
    'narrow pixels in mkv': encode('.mkv', *h264('-vf', 'setsar=8/9')),
    '10 bit': encode(
        '.mp4', '-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p10le',
        '-g', '12', seconds=1,
    ),
    '4:2:2': encode('.mov', '-c:v', 'libx264', '-pix_fmt', 'yuv422p', '-g', '12'),
    'gray': encode('.mp4', '-c:v', 'libx264', '-pix_fmt', 'gray', '-g', '12'),
    'BT.709': encode(
        '.mp4', *h264('-vf', 'scale=out_color_matrix=bt709', '-colorspace', 'bt709',
                      '-color_primaries', 'bt709', '-color_trc', 'bt709'),
    ),
    'full range': encode(
        '.mp4', *h264('-vf', 'scale=out_range=pc', '-color_range', 'pc')
    ),
    'size changes midway, ts': two_sizes('.ts'),
    'size changes midway, mkv': two_sizes('.mkv'),
    # Streams
    'cover picture first, mkv': with_cover,
    'cover picture attached, mkv': with_attachment,
    'cover picture first, mp4': mp4_with_cover,
    'sound earlier and longer': with_sound,
}  # fmt: skip

#: Kinds that are cut off at every tenth of their bytes: those of different containers.
CUT_OFF = (
    'H.264 in mp4', 'mp4, header in front', 'fragmented mp4', 'H.264 in mov',
    'H.264 in mkv', 'VP8 in webm', 'MPEG-4 ASP in avi', 'WMV2 in wmv', 'H.264 in flv',
    'MPEG-4 in 3gp', 'H.264 in ts', 'Theora in ogv', 'MPEG-2 in mpg', 'GIF',
)  # fmt: skip

#: Names that some program has stumbled over.
NAMES = (
    'with spaces .mp4', 'hundred%percent%03d.mp4', '2024-05-01T10:11:12.mp4', '#1.mp4',
    '[a]{b}(c)*?.mp4', 'Müller 王.mp4', '-i.mp4', '\'"`$&;|<>!.mp4', 'x' * 196 + '.mp4',
    'pipe:1.mp4', 'file:a.mp4', 'concat:a|b.mp4', 'a.b.c.MP4', 'a\\b.mp4', 'a\nb.mp4',
)  # fmt: skip


def true_frames(path: Path, *filters: str) -> np.ndarray | None:
    """Decode a file with ffmpeg: ``(T, H, W, 3)`` uint8 RGB in the display's shape.

    Returns None where ffmpeg refuses the file.
    """
    shape = ','.join((*filters, 'scale=iw*sar:ih:flags=bicubic', 'setsar=1'))
    try:
        data = run_ffmpeg(
            *('-i', f'file:{path}', '-vsync', '0', '-vf', shape),
            *('-pix_fmt', 'rgb24', '-f', 'image2pipe', '-c:v', 'ppm', '-'),
        )
    except RuntimeError:
        return None
    frames = []
    while data:
        _, size, _, rest = data.split(b'\n', 3)
        width, height = map(int, size.split())
        pixels = rest[: 3 * width * height]
        frames.append(np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
        data = rest[len(pixels) :]
    return np.stack(frames) if frames else None
