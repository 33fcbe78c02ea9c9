"""What becomes of a loss or a gradient that is not a finite number."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .batches import between_updates, data_samples, optim_wrappers

#: So many bad batches in a row are no accident: the weights are at fault.
MAX_SKIPS = 10


class NonFiniteError(RuntimeError):
    """The loss or its gradient is NaN or infinite; the message names the clips."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop, or skip the batch, where the loss or its gradient is NaN or infinite.

    The loss is checked before the backward pass, the gradient before the optimizer's
    step, on all ranks: a value that is not finite never changes the weights. The clips
    of the batch are named. With mixed precision the
    gradient scaler skips infinite gradients by itself, as it should.

    ``grad_norm`` in the logs is the L2 norm before clipping, of several optimizers
    that of each under its name.

    Args:
        action: ``'stop'`` ends training, ``'skip'`` leaves the batch out, up to nine
            in a row, and what batch norms have seen of it. If it is the last of those
            whose gradients are accumulated, several ranks leave out all of them.

    Raises:
        ValueError: If the action is neither.
        NonFiniteError: In training.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='FiniteLossHook', action='skip'))
        >>> hook.action, hook.skipped
        ('skip', 0)
    """

    priority = 'VERY_HIGH'

    def __init__(self, action: str = 'stop') -> None:
        if action not in ('stop', 'skip'):
            raise ValueError(f"FiniteLossHook: action={action!r}, 'stop' or 'skip'")
        self.action = action
        self.skipped = 0
        self._in_a_row = 0
        self._names: list[str] = []
        self._names_of_step: list[str] = []
        self._buffers: list[tuple[Tensor, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Put the checks before the update of the weights."""
        self._runner = runner
        self._handles: list[RemovableHandle] = []
        for name, wrapper in optim_wrappers(runner).items():
            # Of the instance, before the method of the class.
            wrapper.update_params = partial(
                self._update_params, wrapper, wrapper.update_params
            )
            self._handles.append(
                wrapper.optimizer.register_step_pre_hook(
                    partial(self._before_step, name, wrapper)
                )
            )

    def after_train(self, runner: Runner) -> None:
        """Take the checks away."""
        for wrapper in optim_wrappers(runner).values():
            del wrapper.update_params
        for handle in self._handles:
            handle.remove()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Note whose loss it will be, and what a batch that is left out may change."""
        samples = data_samples(data_batch)
        self._names = [str(sample.get('video_id', '?')) for sample in samples]
        if not any(map(between_updates, optim_wrappers(runner).values())):
            self._names_of_step = []
        self._names_of_step += self._names
        if self.action == 'skip':
            self._buffers = [(b, b.clone()) for b in runner.model.buffers()]

    def _update_params(
        self,
        wrapper: OptimWrapper,
        upstream: Callable[..., None],
        loss: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Stand in for ``OptimWrapper.update_params``; the loss is a scalar."""
        finite = math.isfinite(loss.item())
        if _on_all_ranks(finite):
            return upstream(loss, *args, **kwargs)
        if torch.is_anomaly_enabled():
            loss.backward()  # names the operation that made the NaN
        # The schedule of gradient accumulation goes on without it.
        wrapper._inner_count += 1
        if wrapper.should_update():
            # Ranks share gradients in the last backward pass, which there is not; and
            # none is there if the batches before it were refused too.
            if get_world_size() == 1 and _with_gradient(wrapper.optimizer):
                wrapper.step()
            wrapper.zero_grad()
        for buffer, before in self._buffers:  # a NaN in it would stay
            buffer.copy_(before)
        self._refuse(f'the loss is {loss.item()}', finite, self._names)

    def _before_step(
        self,
        name: str,
        wrapper: OptimWrapper,
        optimizer: torch.optim.Optimizer,
        *_: Any,
    ) -> None:
        parameters = _with_gradient(optimizer)
        # Clipping to infinity changes nothing and returns the norm.
        norm = float(nn.utils.clip_grad_norm_(parameters, float('inf')))
        if not wrapper.clip_grad_kwargs:  # else MMEngine logs it
            key = f'train/{name}.grad_norm' if name else 'train/grad_norm'
            self._runner.message_hub.update_scalar(key, norm)
        if _on_all_ranks(math.isfinite(norm)):
            self._in_a_row = 0
            return
        # Without a gradient a parameter stays as it is, and so does its moment.
        optimizer.zero_grad(set_to_none=True)
        what = f'the norm of the gradient is {norm}'
        self._refuse(what, False, self._names_of_step)

    def _refuse(self, what: str, finite: bool, names: list[str]) -> None:
        self.skipped += 1
        self._in_a_row += 1
        ranks = all_gather_object((finite, what, names))
        found = [(what, names) for fine, what, names in ranks if not fine]
        named = dict.fromkeys(name for _, names in found for name in names)
        clips = f'the clips {", ".join(named)}' if named else 'clips without a name'
        message = (
            f'epoch {self._runner.epoch + 1}, iteration {self._runner.iter + 1}: '
            f'{found[0][0]} on {clips}'
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


def _with_gradient(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    groups = optimizer.param_groups
    return [p for g in groups for p in g['params'] if p.grad is not None]


def _on_all_ranks(condition: bool) -> bool:
    flag = torch.tensor(float(condition))
    all_reduce(flag, op='min')
    return bool(flag)
