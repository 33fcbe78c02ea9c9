"""The parts of a report, the most important first, and the verdict on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from contenders import COMPILED, REFERENCE

from .bandwidth import measure_poolings
from .checks import check_models, check_poolings, checks_of
from .poolings import implementations
from .run import DONE, Context, Outcome, Part
from .speed import PEAK, measure_largest, measure_models, measure_peak

EAGER = (REFERENCE, 'ours', 'checkpointed')
MODEL_CHECKS, POOLINGS, PROFILE = 'checks of the model', 'pooling by shape', 'profile'
#: Seconds that a rehearsal needs for a part, at least.
SMALL = 1.0
#: Faults of a part that are written out.
SHOWN = 6
NOT_REACHED: Outcome = dict(state='not reached', reason='the run ended before', rows={})


def models_of(batch: int) -> str:
    """Return the name of the part that times models at a batch."""
    return f'models, batch {batch}'


def compiled_of(batch: int | str) -> str:
    """Return the name of the part that times the compiled model at a batch."""
    return f'compiled, batch {batch}'


def largest_of(name: str) -> str:
    """Return the name of the part that finds the largest batch of a model."""
    return f'largest batch, {name}'


def parts_of(context: Context) -> list[Part]:
    """Return the parts, with the seconds that each needs on a data-center GPU."""
    first, *others = context.batches

    def timed(batch: int, needs: float) -> Part:
        return Part(models_of(batch), partial(measure_models, EAGER, batch), needs)

    def compiled(
        batch: int | str, names: Sequence[str] = (REFERENCE, 'ours', COMPILED)
    ) -> Part:
        # A compiler that does not end leaves time for the others.
        label = 'largest' if isinstance(batch, str) else batch
        run = partial(measure_models, names, batch)
        return Part(compiled_of(label), run, 60, 180)

    profiled = partial(measure_models, EAGER[:2], first, profiled=True)
    parts = [
        Part(PEAK, measure_peak, 15),
        *(
            Part(checks_of(name), partial(check_poolings, name), 15)
            for name in implementations(context.setup, context.candidate)
        ),
        Part(MODEL_CHECKS, partial(check_models, EAGER), 20),
        timed(first, 30),
        compiled(first),
        Part(PROFILE, profiled, 15),
        Part(POOLINGS, measure_poolings, 20),
        *(timed(batch, 15) for batch in others),
        *(Part(largest_of(n), partial(measure_largest, n), 25) for n in EAGER),
        *(compiled(batch) for batch in others),
        compiled(largest_of('ours'), (COMPILED,)),
    ]
    if context.small:
        return [Part(part.name, part.run, SMALL) for part in parts]
    return parts


def checked(found: Mapping[str, Outcome]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield part, name and row of each correctness check."""
    for part, outcome in found.items():
        for name, row in outcome['rows'].items():
            if 'passed' in row:
                yield part, name, row


def faults(planned: Sequence[str], found: Mapping[str, Outcome]) -> list[str]:
    """Return, one a line, what is wrong, and which checks were not made."""
    lines = []
    for part in planned:
        outcome = found.get(part, NOT_REACHED)
        wrong = [
            f'{part}: {name}: {fault_of(row)}'
            for _, name, row in checked({part: outcome})
            if not row['passed']
        ]
        lines += wrong[:SHOWN]
        if len(wrong) > SHOWN:
            lines.append(f'{part}: {len(wrong) - SHOWN} more')
        if part.startswith('checks of') and outcome['state'] != DONE:
            lines.append(f'{part}: {outcome["state"]}: {outcome["reason"]}')
    return lines


def fault_of(row: Mapping[str, Any]) -> str:
    """Say why a check is not passed."""
    if 'reason' in row:
        return row['reason']
    return f'off by {row["error"]}, allowed are {row["limit"]}'
