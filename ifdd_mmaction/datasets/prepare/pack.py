"""Pack the clips of a dataset into an archive, or verify the one that has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import DatasetError, name_some
from ..storage import PackedArchive, write_archive
from .clip_check import ClipCheck
from .progress import track
from .protocols import Lists, Protocol


def pack_clips(
    protocol: Protocol,
    lists: Lists,
    checks: dict[str, ClipCheck],
    out: Path,
    decoded: bool = False,
) -> str:
    """Pack every listed clip; where an archive of them is already, verify it.

    Args:
        protocol: The dataset.
        lists: Its lists.
        checks: What was found in each clip, by path: a bad one is not packed.
        out: The archive.
        decoded: Pack pixels, not files.

    Returns:
        What to tell the user.

    Raises:
        DatasetError: If a clip is bad or a video, or ``out`` is something else or
            damaged.
        OSError: If something cannot be read or written.
    """
    clips = lists.clips
    if lists.storage != 'frames':
        raise DatasetError(
            f'{lists.release} holds videos, and an archive holds frames: run it with '
            '--extract first'
        )
    bad = [e for clip in clips.values() for e in checks[str(clip.path)].errors]
    if bad:
        raise DatasetError(f'nothing packed, {len(bad)} errors:\n{name_some(bad)}')
    digests = ''.join(f'{n}\0{checks[str(c.path)].digest}\0' for n, c in clips.items())
    metadata = dict(
        dataset=protocol.dataset,
        release=lists.release,
        classes=list(lists.classes),
        digest=hashlib.sha256(digests.encode()).hexdigest(),
    )
    if out.exists():
        archive = PackedArchive(out)
        if (archive.metadata, archive.decoded) != (metadata, decoded):
            raise DatasetError(f'{out} holds other clips: remove it or name another')
        damaged = archive.verify(track(clips, len(clips), f'Verifying {out}'))
        if damaged:
            raise DatasetError(
                f'{out}: {len(damaged)} clips are damaged, remove it and pack again:\n'
                + name_some(list(damaged.values()))
            )
        return f'{out}: already there, {len(clips)} clips verified'
    folders = ((name, clip.path) for name, clip in clips.items())
    write_archive(out, track(folders, len(clips), f'Packing {out}'), metadata, decoded)
    size = out.stat().st_size
    return f'{out}: {len(clips)} clips, {size / 1e6:.1f} MB'
