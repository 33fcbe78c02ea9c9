"""Set the class counts of losses from the training set."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.class_counts import class_counts
from ..models.losses import ClassCountsLoss


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Count the training set once, before training, for every :class:`ClassCountsLoss`.

    Every rank counts the whole set. A resumed run counts again: the counts are those of
    the data, not of the checkpoint. A loss whose config gives ``class_counts`` keeps
    them.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='ClassCountsHook'))  # in custom_hooks
        >>> hook.get_triggered_stages()
        ['before_train']
    """

    def before_train(self, runner: Runner) -> None:
        """Count, log the counts, and set them.

        Raises:
            ValueError: If no loss of the model takes class counts, or a class has no
                clip.
            DatasetError: If the labels cannot be counted.
        """
        losses = [m for m in runner.model.modules() if isinstance(m, ClassCountsLoss)]
        if not losses:
            raise ValueError(
                f'ClassCountsHook: no loss of the {type(runner.model).__name__} takes '
                'class counts: use ClassWeightedLoss or LogitAdjustedLoss, or remove '
                'the hook.'
            )
        counts = class_counts(runner.train_dataloader.dataset).tolist()
        runner.logger.info(f'clips of each class in the training set: {counts}')
        for loss in losses:
            if not loss.given:
                loss.set_class_counts(counts)
