"""How much a recognizer relies on the order of frames, and on each single one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .bad_frame_shares import bad_frame_shares
from .clip_variants import VariantPlan, frozen_name, noisy_name
from .frame_orders import IN_ORDER, ORDERS
from .grouped_scores import ScoreEstimates, grouped_scores
from .variant_runs import VariantScores

BEST = 'best frame (upper bound)'
#: Rows of the report, in order.
ROWS = (*ORDERS[:3], 'first frame', 'middle frame', 'last frame', BEST, *ORDERS[3:])


def temporal_reliance(
    found: VariantScores,
    plan: VariantPlan,
    labels: Sequence[int],
    groups: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Report scores of a recognizer on other orders of frames, and with bad frames.

    Args:
        found: Probabilities of the variants of N clips.
        plan: The variants.
        labels: Class of each clip among those of the model, ``N``.
        groups: Group of each clip, ``N``, for the intervals.
        classes: Names of the model's K classes.

    Returns:
        ``num_frames``; ``orders``, for each of :data:`ROWS` WAR, UAR and recall with
        their intervals, ``minus_in_order``, the same of the paired differences, and
        ``other_prediction``, the share of clips of another prediction; ``noisy``, the
        same by kind and number of bad frames; ``indexes``, by kind and number, see
        :func:`bad_frame_shares`, None without a split; ``correct``, 1 or 0 for each
        clip, by name of the variant.

    Example:
        >>> from ifdd_mmaction.analysis import VariantPlan, VariantScores
        >>> from ifdd_mmaction.analysis import temporal_reliance
        >>> plan = VariantPlan(kinds=(), counts=())
        >>> right, wrong = np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0]] * 2)
        >>> scores = {name: right for name in plan.names(4)}
        >>> scores['reversed'] = wrong
        >>> found = VariantScores(
        ...     4, ['a', 'b'], scores, np.zeros(2, bool), ['', ''], {}, None)
        >>> report = temporal_reliance(found, plan, [0, 0], ['a', 'b'], ['joy', 'fear'])
        >>> report['orders']['reversed']['minus_in_order']['WAR']['mean']
        -1.0
    """
    predictions = {n: s.argmax(axis=1) for n, s in found.scores.items()}
    length = found.num_frames
    for name, t in (('first', 0), ('middle', length // 2), ('last', length - 1)):
        predictions[f'{name} frame'] = predictions[frozen_name(t)]
    frozen = np.stack([found.scores[frozen_name(t)] for t in range(length)], axis=1)
    clips = np.arange(len(labels))
    best = frozen[clips, :, np.asarray(labels)].argmax(axis=1)
    predictions[BEST] = frozen[clips, best].argmax(axis=1)
    # The scores of a clip that could not be read are of another one.
    read = np.array([not error for error in found.errors])
    correct = {n: (p == np.asarray(labels)) & read for n, p in predictions.items()}

    def scores(name: str) -> dict[str, Any]:
        own, base = correct[name], correct[IN_ORDER]
        size = len(classes)
        changed = predictions[name] != predictions[IN_ORDER]
        return dict(
            _named(grouped_scores(own, labels, groups, size), classes),
            minus_in_order=_named(
                grouped_scores(own, labels, groups, size, baseline=base), classes
            ),
            other_prediction=float(changed.mean()),
        )

    counts = [k for k in plan.counts if k < length]
    return dict(
        num_frames=length,
        orders={name: scores(name) for name in ROWS},
        noisy={
            kind: {k: scores(noisy_name(kind, k)) for k in counts}
            for kind in plan.kinds
        },
        indexes=None
        if found.split_frames is None
        else {
            kind: {k: bad_frame_shares(found, plan, kind, k, groups) for k in counts}
            for kind in plan.kinds
        },
        correct={name: hits.astype(int).tolist() for name, hits in correct.items()},
    )


def compare_scores(
    correct: Mapping[str, Sequence[int]],
    other: Mapping[str, Sequence[int]],
    labels: Sequence[int],
    groups: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return by how much a model is better than another on each variant.

    Args:
        correct: ``correct`` of :func:`temporal_reliance` of the one model.
        other: Of the other, on the same clips.
        labels: Class of each clip, ``N``.
        groups: Group of each clip, ``N``.
        classes: Names of the K classes.

    Returns:
        The differences of WAR, UAR and recall, paired by clip, by name of the variants
        that both have.

    Example:
        >>> from ifdd_mmaction.analysis import compare_scores
        >>> one, other = {'in order': [1, 1]}, {'in order': [1, 0]}
        >>> found = compare_scores(one, other, [0, 0], ['anna', 'ben'], ['joy', 'fear'])
        >>> found['in order']['WAR']
        {'mean': 0.5, 'low': 0.0, 'high': 1.0}
    """
    return {
        name: _named(
            grouped_scores(
                np.asarray(correct[name]),
                labels,
                groups,
                len(classes),
                baseline=np.asarray(other[name]),
            ),
            classes,
        )
        for name in correct
        if name in other
    }


def _named(found: ScoreEstimates, classes: Sequence[str]) -> dict[str, Any]:
    recall = {
        name: None if estimate is None else estimate._asdict()
        for name, estimate in zip(classes, found.recall, strict=True)
    }
    return dict(WAR=found.WAR._asdict(), UAR=found.UAR._asdict(), recall=recall)
