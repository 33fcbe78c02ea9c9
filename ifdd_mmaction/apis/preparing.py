"""Check a dataset and make other forms of it: what ``tools/data/prepare.py`` calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ..datasets import DatasetError
from ..datasets.group_overlap import describe_overlap, group_overlap
from ..datasets.groups import read_groups
from ..datasets.prepare import (
    PROTOCOLS,
    check_all,
    extract_all,
    make_dataset,
    make_report,
    pack_clips,
    read_lists,
    summarize,
    write_report,
    write_val_split,
)
from ..errors import InputError


def prepare(
    dataset: str,
    root: str | Path,
    *,
    out: str | Path | None = None,
    split: str | None = None,
    fold: int | None = None,
    frame_dir: str | None = None,
    video_dir: str | None = None,
    subset: bool = False,
    workers: int | None = None,
    extract: bool = False,
    quality: int = 95,
    val_split: float | None = None,
    seed: int = 0,
    lists: str | Path | None = None,
    groups: str | Path | None = None,
    pack: str | Path | None = None,
    decoded: bool = False,
) -> dict[str, Any]:
    """Check every file of a dataset, and extract, split and pack its clips if asked.

    Interrupted, the same call continues where it stopped.

    Args:
        dataset: ``'dfew'``, ``'ferv39k'`` or ``'mafw'``.
        root: Folder of the dataset.
        out: Folder of ``report.json`` and of the work file;
            ``work_dirs/prepare_<dataset>`` by default.
        split: ``'train'`` or ``'test'``; both by default.
        fold: This one only; all by default.
        frame_dir: Release of frames below the root; the one that is found by default.
        video_dir: Folder of videos below the root to take instead.
        subset: Whether not to expect the published counts.
        workers: Processes; one a core by default.
        extract: Whether to write the frames of videos as JPEG into ``frame_dir``, and
            check those.
        quality: Of these JPEGs, 1 to 100.
        val_split: Share of each class of train that becomes a validation split.
        seed: Of the validation split.
        lists: Folder of its lists; ``<root>/ifdd_splits/seed0_10pct`` or so by default.
        groups: CSV file of ``clip,group``, such as the film of each clip: no group is
            then in both lists of the validation split, and the report has the groups
            that the official folds share.
        pack: Archive to write, or to verify if it exists.
        decoded: Whether it holds pixels in place of the files as they are.

    Returns:
        The report, as in ``report.json``. All is well if each of its ``findings`` is
        empty; ``not_extracted`` and ``not_packed`` are of clips that could not be
        extracted and of an archive that could not be packed.

    Raises:
        InputError: If options do not go together.
        DatasetError: If the lists, the groups or the place of the clips cannot be
            read, or a validation split by groups would lack a class.
        OSError: If something cannot be written.

    Example:
        >>> prepare('dfew', 'absent')
        Traceback (most recent call last):
        ...
        ifdd_mmaction.datasets.errors.DatasetError: absent: no such folder
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    _check_options(
        dataset, split, frame_dir, video_dir, workers, extract, quality, val_split
    )
    root, out = Path(root), Path(out or Path('work_dirs') / f'prepare_{dataset}')
    protocol = PROTOCOLS[dataset]
    chosen: dict[str, Any] = {}
    if split:
        chosen['splits'] = (split,)
    if fold is not None:
        chosen['folds'] = (fold,)
    failed: list[str] = []
    if extract:
        frame_dir = frame_dir or str(protocol.extracted)
        blank = make_dataset(protocol, root)
        videos = video_dir or blank.VIDEO_DIRS[0]
        clips = read_lists(protocol, root, **chosen, video_dir=videos).clips
        place = root / frame_dir
        place.mkdir(parents=True, exist_ok=True)
        folders = [place / blank.frame_folder(name) for name in clips]
        sources = [clip.path for clip in clips.values()]
        failed = extract_all(sources, folders, quality, workers)
        video_dir = None
    listed = read_lists(
        protocol, root, **chosen, frame_dir=frame_dir, video_dir=video_dir
    )
    group_of = None
    if groups:
        key = make_dataset(protocol, root).group_key
        group_of = read_groups(groups, listed.clips, key)
    if val_split:
        name = f'seed{seed}_{100 * val_split:g}pct' + ('_groups' if groups else '')
        folder = Path(lists or root / 'ifdd_splits' / name)
        print(write_val_split(protocol, listed, folder, val_split, seed, group_of))
    paths = [clip.path for clip in listed.clips.values()]
    checks = check_all(paths, out / 'checked.jsonl', workers)
    report = make_report(protocol, listed, checks, compare_counts=not subset)
    report['root'] = str(root.resolve())
    report['findings']['not_extracted'] = failed
    if group_of is not None:
        report['groups'] = group_overlap(listed.parts, group_of)
        print(describe_overlap(report['groups']))
    write_report(out / 'report.json', report)
    print(summarize(report))
    print(f'Report: {out / "report.json"}')
    if pack:
        report['findings']['not_packed'] = []
        try:
            print(pack_clips(protocol, listed, checks, Path(pack), decoded))
        except DatasetError as error:
            print(f'error: {error}', file=sys.stderr)
            report['findings']['not_packed'] = [str(error)]
    return report


def _check_options(
    dataset: str,
    split: str | None,
    frame_dir: str | None,
    video_dir: str | None,
    workers: int,
    extract: bool,
    quality: int,
    val_split: float | None,
) -> None:
    """Raise an error for options that make no sense, alone or together."""
    if dataset not in PROTOCOLS:
        raise InputError(f'no dataset {dataset}: {", ".join(sorted(PROTOCOLS))}')
    if workers < 1:
        raise InputError(f'--workers is {workers}, not at least 1')
    if not 1 <= quality <= 100:
        raise InputError(f'--quality is {quality}, not 1 to 100')
    if val_split is not None and not 0 < val_split < 1:
        raise InputError(f'--val-split is {val_split}, not between 0 and 1')
    if val_split and split == 'test':
        raise InputError(f'--val-split is carved from train, not from --split {split}')
    if extract and not PROTOCOLS[dataset].extracted:
        raise InputError(f'no release of {dataset} has videos to extract')
    if frame_dir and video_dir and not extract:
        raise InputError(
            f'give one of --frame-dir {frame_dir} and --video-dir {video_dir}'
        )
