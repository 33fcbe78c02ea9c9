"""Drawing predictions."""

from collections.abc import Callable
from typing import Any

from mmengine.structures import LabelData


def draw_labels() -> None:
    """ActionVisualizer writes no class on a video (mmaction2#2859).

    It looks for ``gt_labels`` and ``pred_labels``, as data samples had them before
    MMAction2 1.2; those that have them are left as they are.
    """
    from mmaction.visualization import ActionVisualizer

    upstream: Callable[..., Any] = ActionVisualizer.add_datasample
    if upstream.__module__ == __name__:
        return

    def add_datasample(
        self: ActionVisualizer,
        name: str,
        video: Any,
        data_sample: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if data_sample is not None:
            data_sample = data_sample.clone()
            if 'gt_label' in data_sample and (data_sample.gt_label >= 0).all():
                data_sample.gt_labels = data_sample.gt_label
            if 'pred_label' in data_sample and 'pred_labels' not in data_sample:
                data_sample.pred_labels = LabelData(
                    item=data_sample.pred_label, score=data_sample.pred_score
                )
        return upstream(self, name, video, data_sample, *args, **kwargs)

    ActionVisualizer.add_datasample = add_datasample
