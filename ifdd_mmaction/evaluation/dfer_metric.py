"""The metrics of DFER: WAR, UAR, macro F1, per-class recall, confusion matrix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..fileio import write_atomic
from .calibration import BINS, calibration_scores


def dfer_scores(confusion: np.ndarray, unread: np.ndarray | int = 0) -> dict[str, Any]:
    """Compute the scores of DFER from a confusion matrix.

    Args:
        confusion: ``(K, K)`` counts, rows are labels and columns predictions.
        unread: ``(K,)`` number of clips of each label without a prediction; they count
            as wrong.

    Returns:
        Fractions from 0 to 1. ``WAR``: weighted average recall, which is accuracy.
        ``UAR``: mean recall of the classes that occur as labels. ``F1``: mean F1 of the
        classes that occur as label or prediction. ``recall``: ``(K,)``, NaN for classes
        that do not occur. These are scikit-learn's ``accuracy_score``,
        ``balanced_accuracy_score`` and ``f1_score(average='macro')``.

    Example:
        >>> from ifdd_mmaction.evaluation import dfer_scores
        >>> scores = dfer_scores([[8, 0], [1, 1]])  # rows are labels
        >>> scores['WAR'], scores['UAR'], scores['recall'].tolist()
        (0.9, 0.75, [1.0, 0.5])
    """
    confusion = np.asarray(confusion, dtype=np.int64)
    hits = np.diag(confusion)
    labels, predictions = confusion.sum(axis=1) + unread, confusion.sum(axis=0)
    recall = np.full(len(confusion), np.nan)
    np.divide(hits, labels, out=recall, where=labels > 0)
    seen = labels + predictions > 0
    f1 = 2 * hits[seen] / (labels + predictions)[seen]
    return dict(
        WAR=float(hits.sum() / labels.sum()),
        UAR=float(np.nanmean(recall)),
        F1=float(f1.mean()),
        recall=recall,
    )


@METRICS.register_module()
class DFERMetric(BaseMetric):
    """The metrics of DFER, from 0 to 1, with the class names of the dataset.

    Clips that could not be read (``bad_clips='count_wrong'`` of a dataset) lower the
    recall of their class. They are not in the confusion matrix: they have no
    prediction.

    Args:
        dump: JSON file for the scores, the confusion matrix, each clip's label,
            prediction and scores, the unread clips and, of videos, the decoder;
            rewritten at every evaluation, on rank 0.
        calibration: Whether to add ``ECE``, ``classwise_ECE``, ``AURC``, ``Brier`` and
            ``NLL``; see :func:`calibration_scores`. Unread clips have no probability
            and are left out; classes without clips are left out of ``classwise_ECE``,
            and have None in the dump.
        collect_device: ``'cpu'`` or ``'gpu'``, for distributed evaluation.
        prefix: Prefix of the metric names in logs.

    Example:
        >>> from ifdd_mmaction.evaluation import DFERMetric
        >>> metric = DFERMetric()
        >>> metric.dataset_meta = dict(classes=('happy', 'sad'))
        >>> scores = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
        >>> for label, score in enumerate(scores):
        ...     sample = dict(gt_label=torch.tensor([label]), pred_score=score)
        ...     metric.process({}, [sample])
        >>> report = metric.evaluate(size=2)
        >>> report['dfer/WAR'], report['dfer/recall/happy'], report['dfer/recall/sad']
        (0.5, 1.0, 0.0)
    """

    default_prefix = 'dfer'

    def __init__(
        self,
        dump: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        calibration: bool = False,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.dump = dump
        self.calibration = calibration

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store name, label and scores of each clip.

        Raises:
            ValueError: If a clip has more than one label.
        """
        for sample in data_samples:
            label = sample['gt_label']
            if label.numel() != 1:
                raise ValueError(
                    f'DFERMetric got a label of shape {tuple(label.shape)}: use one '
                    'class index per clip (no soft labels in evaluation)'
                )
            clip = dict(
                clip=str(sample.get('video_id', len(self.results))),
                label=int(label.reshape(-1)[0]),
                scores=sample['pred_score'].float().cpu().tolist(),
            )
            # These are the scores of a substitute clip: see TolerantDataset.
            if bad := sample.get('bad_clips'):
                clip['error'] = bad[0][1]
            self.results.append(clip)

    def compute_metrics(self, results: list[dict]) -> dict[str, Any]:
        """Return WAR, UAR, F1, ``recall/<class>`` and the confusion matrix.

        With ``calibration=True`` its scores, too.

        Raises:
            ValueError: If the model and the dataset differ in the number of classes.
        """
        num_classes = len(results[0]['scores'])
        meta = self.dataset_meta or {}
        classes = meta.get('classes', range(num_classes))
        classes = [str(name) for name in classes]
        if len(classes) != num_classes:
            raise ValueError(
                f'the model has {num_classes} classes, the dataset has '
                f'{len(classes)}: {classes}. Set num_classes of the head'
            )
        confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        unread = [result for result in results if 'error' in result]
        results = [result for result in results if 'error' not in result]
        for result in results:
            result['prediction'] = int(np.argmax(result['scores']))
            confusion[result['label'], result['prediction']] += 1
        missed = np.bincount([r['label'] for r in unread], minlength=num_classes)
        scores = dfer_scores(confusion, missed)
        recall = dict(zip(classes, scores.pop('recall').tolist(), strict=True))
        present = {k: v for k, v in recall.items() if not np.isnan(v)}
        calibration = self._calibration(results) if self.calibration else {}
        errors = calibration.pop('class_errors', None)
        if self.dump:
            report = dict(
                scores,
                classes=classes,
                **{key: meta[key] for key in ('decoder',) if key in meta},
                recall={k: present.get(k) for k in classes},
                **_dumped(calibration, errors, classes),
                confusion_matrix=confusion.tolist(),
                clips=results,
                unread=[{k: r[k] for k in ('clip', 'label', 'error')} for r in unread],
            )
            write_atomic(self.dump, json.dumps(report, indent=1).encode())
        return {
            **scores,
            **calibration,
            **{f'recall/{name}': value for name, value in present.items()},
            'confusion_matrix': confusion.tolist(),
        }

    def _calibration(self, results: list[dict]) -> dict[str, Any]:
        if not results:  # all are unread
            return {}
        return calibration_scores(
            [result['scores'] for result in results],
            [result['label'] for result in results],
        )


def _dumped(
    scores: dict[str, Any], errors: np.ndarray | None, classes: list[str]
) -> dict[str, Any]:
    if errors is None:
        return {}
    named = dict(zip(classes, errors.tolist(), strict=True))
    known = {k: None if np.isnan(v) else v for k, v in named.items()}
    return dict(calibration=dict(scores, bins=BINS, class_errors=known))
