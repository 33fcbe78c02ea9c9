"""What becomes of a loss or a gradient that is not a finite number."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

#: So many bad batches in a row are no accident: the weights are at fault.
MAX_SKIPS = 10


class NonFiniteError(RuntimeError):
    """The loss or its gradient is NaN or infinite; the message names the clips."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Let no NaN and no infinity reach the weights; log the norm of the gradient.

    The loss is looked at before it is propagated back, the gradient before the
    optimizer's step, of all ranks: what is not finite is not used, so that no
    checkpoint holds it. The clips of the batch are named. With mixed precision the
    gradient scaler skips infinite gradients by itself, as it should.

    ``grad_norm`` in the logs is the L2 norm before clipping.

    Args:
        action: ``'stop'`` ends training, ``'skip'`` leaves the batch out, up to ten
            in a row.

    Raises:
        ValueError: If the action is neither.
        NonFiniteError: In training.
    """

    priority = 'VERY_HIGH'

    def __init__(self, action: str = 'stop') -> None:
        if action not in ('stop', 'skip'):
            raise ValueError(f"FiniteLossHook: action={action!r}, 'stop' or 'skip'")
        self.action = action
        self.skipped = 0
        self._in_a_row = 0
        self._names: list[str] = []
        self._bad = False

    def before_train(self, runner: Runner) -> None:
        """Put the checks before the update of the weights."""
        self._runner = runner
        wrapper = runner.optim_wrapper
        self._update_params = wrapper.update_params
        wrapper.update_params = self.update_params
        self._handle = wrapper.optimizer.register_step_pre_hook(self._before_step)

    def after_train(self, runner: Runner) -> None:
        """Take the checks away."""
        del runner.optim_wrapper.update_params
        self._handle.remove()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Note whose loss it will be."""
        samples = data_batch['data_samples']
        self._names = [str(sample.get('video_id', '?')) for sample in samples]
        self._bad = False

    def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
        """Count the bad batches in a row."""
        if not self._bad:
            self._in_a_row = 0

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Stand in for ``OptimWrapper.update_params``."""
        finite = math.isfinite(loss.item())
        if _on_all_ranks(finite):
            return self._update_params(loss, *args, **kwargs)
        if torch.is_anomaly_enabled():
            loss.backward()  # names the operation that made the NaN
        # The schedule of gradient accumulation goes on without it.
        wrapper = self._runner.optim_wrapper
        wrapper._inner_count += 1
        if wrapper._accumulative_counts > 1 and wrapper.should_update():
            wrapper.step()
            wrapper.zero_grad()
        self._refuse(f'the loss is {loss.item()}', finite)

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        groups = optimizer.param_groups
        parameters = [p for g in groups for p in g['params'] if p.grad is not None]
        # Clipping to infinity changes nothing and returns the norm.
        norm = float(nn.utils.clip_grad_norm_(parameters, float('inf')))
        wrapper = self._runner.optim_wrapper
        if not wrapper.clip_grad_kwargs:  # else MMEngine logs it
            self._runner.message_hub.update_scalar('train/grad_norm', norm)
        if not _on_all_ranks(math.isfinite(norm)):
            # Without a gradient a parameter stays as it is, and so does its moment.
            optimizer.zero_grad(set_to_none=True)
            self._refuse(f'the norm of the gradient is {norm}', False)

    def _refuse(self, what: str, finite: bool) -> None:
        self._bad = True
        self.skipped += 1
        self._in_a_row += 1
        ranks = all_gather_object((finite, what, self._names))
        found = [(what, names) for fine, what, names in ranks if not fine]
        clips = ', '.join(dict.fromkeys(name for _, names in found for name in names))
        message = (
            f'epoch {self._runner.epoch + 1}, iteration {self._runner.iter + 1}: '
            f'{found[0][0]} on the clips {clips}'
        )
        if self.action == 'skip' and self._in_a_row < MAX_SKIPS:
            self._runner.logger.warning(
                f'{message}: left out, {self.skipped} batches so far'
            )
            return
        advice = (
            'look at them, lower the learning rate, clip gradients, find the operation '
            "with --detect-anomaly, or set action='skip' of the FiniteLossHook"
        )
        if self.action == 'skip':
            advice = f'{MAX_SKIPS} batches in a row: resume from an earlier checkpoint'
        raise NonFiniteError(f'training stopped in {message}: {advice}')


def _on_all_ranks(condition: bool) -> bool:
    flag = torch.tensor(float(condition))
    all_reduce(flag, op='min')
    return bool(flag)
