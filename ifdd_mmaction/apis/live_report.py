"""What a live session writes: a line for each prediction, and its timing."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..version import __version__
from .results import SECONDS, SHARES


class LineFile:
    """Appends JSON lines to a file, each written at once.

    Lines of earlier sessions stay. If a process is killed, or the disk is full, the
    lines before are whole; a part of a line is closed by the next session.

    Args:
        path: The file; it is created if missing, with its folder.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> from ifdd_mmaction.apis.live_report import LineFile
        >>> with LineFile('out/a.jsonl') as lines:
        ...     lines.write(dict(seconds=0.5, track=1))
        >>> open('out/a.jsonl').read().strip()
        '{"seconds": 0.5, "track": 1}'
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, 'ab+', buffering=0)  # noqa: SIM115  see __exit__
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b'\n':
                self._file.write(b'\n')

    def write(self, values: dict[str, Any]) -> None:
        """Append a line."""
        self._file.write(json.dumps(values).encode() + b'\n')

    def __enter__(self) -> LineFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def head_line(
    source: str, classes: tuple[str, ...], settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the first line of a session: start, source, classes, settings."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return dict(
        started=now.isoformat(timespec='milliseconds'),
        source=source,
        classes=list(classes),
        settings=settings,
    )


def prediction_line(
    track: int, seconds: float, expression: str, smoothed: np.ndarray, raw: np.ndarray
) -> dict[str, Any]:
    """Return the line of a prediction, with probabilities ``(K,)`` as lists."""
    return dict(
        seconds=round(seconds, SECONDS),
        track=track,
        expression=expression,
        smoothed=[round(float(p), SHARES) for p in smoothed],
        probabilities=[round(float(p), SHARES) for p in raw],
    )


#: Width of a bin and the longest delay of a histogram, in seconds.
BIN, LONGEST = 0.0005, 20.0


class Delays:
    """A histogram of delays, whose memory does not grow.

    Example:
        >>> from ifdd_mmaction.apis.live_report import Delays
        >>> delays = Delays()
        >>> for seconds in (0.010, 0.012, 0.9):
        ...     delays.add(seconds)
        >>> delays.milliseconds()
        {'count': 3, 'median': 12.0, 'p95': 900.0, 'max': 900.0}
    """

    def __init__(self) -> None:
        self._counts = np.zeros(round(LONGEST / BIN) + 1, np.int64)
        self._max = 0.0

    def add(self, seconds: float) -> None:
        """Count a delay, of up to 20 seconds with a precision of 0.5 milliseconds."""
        place = min(max(round(seconds / BIN), 0), len(self._counts) - 1)
        self._counts[place] += 1
        self._max = max(self._max, seconds)

    def milliseconds(self) -> dict[str, float | None]:
        """Return count, median, 95th percentile and maximum, in milliseconds."""
        total = np.cumsum(self._counts)
        count = int(total[-1])
        if not count:
            return dict(count=0, median=None, p95=None, max=None)
        median, p95 = (
            round(1000 * BIN * int(np.searchsorted(total, share * count)), 1)
            for share in (0.5, 0.95)
        )
        return dict(count=count, median=median, p95=p95, max=round(1000 * self._max, 1))


@dataclass
class LiveSummary:
    """What a session has done, and how fast.

    Attributes:
        source: Name of the camera or stream.
        seconds: Time from the first frame to the last.
        arrived: Number of frames that arrived.
        drawn: Number of frames that were used; the others were missed.
        reopened: How often a lost source was opened again.
        tracks: Number of faces.
        frame_delays: From the arrival of a frame until it is drawn, shown and written.
        prediction_delays: From the arrival of the newest frame of a window until its
            probabilities are drawn.
        settings: Settings of the inferencer.
        ended_by: Number of the signal that ended it, 0 if none did.
    """

    source: str
    settings: dict[str, Any]
    seconds: float = 0.0
    arrived: int = 0
    drawn: int = 0
    reopened: int = 0
    tracks: int = 0
    frame_delays: Delays = field(default_factory=Delays)
    prediction_delays: Delays = field(default_factory=Delays)
    ended_by: int = 0

    @property
    def rate(self) -> float:
        """Drawn frames per second."""
        return (self.drawn - 1) / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as numbers, strings and dicts."""
        return dict(
            source=self.source,
            seconds=round(self.seconds, 3),
            frames_arrived=self.arrived,
            frames_drawn=self.drawn,
            frames_per_second=round(self.rate, 2),
            reopened=self.reopened,
            tracks=self.tracks,
            frame_delay_ms=self.frame_delays.milliseconds(),
            prediction_delay_ms=self.prediction_delays.milliseconds(),
            settings=self.settings,
            made_by=f'ifdd_mmaction {__version__}',
        )

    def text(self) -> str:
        """Return the summary as lines."""
        frames = self.frame_delays.milliseconds()
        made = self.prediction_delays.milliseconds()
        lines = [
            f'{self.source}: {self.seconds:.1f} s, {self.drawn} of {self.arrived} '
            f'frames drawn, {self.rate:.1f} a second, faces: {self.tracks}'
        ]
        for what, delay in (('frame', frames), ('prediction', made)):
            if delay['count']:
                lines.append(
                    f'  from the arrival of a frame to the drawn {what}: '
                    f'{delay["median"]} ms (median), {delay["p95"]} ms (95 %)'
                )
        return '\n'.join(lines)
