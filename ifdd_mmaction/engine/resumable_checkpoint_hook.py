"""Save checkpoints that survive what happens to long runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..checkpoints import CheckpointError
from ..fileio import write_atomic
from .resumable_train_loop import ResumableTrainLoop

#: Exit code after SIGTERM: EX_TEMPFAIL of sysexits.h, call again with ``--resume``.
EXIT_PREEMPTED = 75


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` for runs that are interrupted.

    - A checkpoint is written atomically and with its hash
      (:class:`CheckpointBackend`), and an old one is removed only after that; MMEngine
      removes first, and writes in place.
    - It keeps what :class:`ResumableTrainLoop` needs to go on within an epoch.
    - After SIGTERM, the iteration is finished, a checkpoint ``iter_N.pth`` is saved
      (in validation that of the epoch is there), and the process exits with
      :data:`EXIT_PREEMPTED`.

    Args:
        max_keep_ckpts: Checkpoints to keep; -1 keeps all. With less than 2 there is
            none to go back to if the newest gets damaged.
        backend_args: See ``CheckpointHook``; the default is :class:`CheckpointBackend`.
        kwargs: Of ``CheckpointHook``.

    Raises:
        CheckpointError: If a checkpoint cannot be written, or is resumed with another
            number of batches in the epoch.
    """

    def __init__(
        self,
        *args: Any,
        max_keep_ckpts: int = -1,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        backend_args = backend_args or dict(backend='checkpoint')
        super().__init__(*args, backend_args=backend_args, **kwargs)
        self.keep = max_keep_ckpts
        self._buffers: list[dict] = []

    # --- SIGTERM ----------------------------------------------------------------

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint if one is due, or SIGTERM came."""
        super().after_train_iter(runner, *args, **kwargs)
        wrapper = runner.optim_wrapper
        # Between two updates of the weights the accumulated gradient would be lost.
        updated = wrapper._inner_count % wrapper._accumulative_counts == 0
        if updated and _sigterm_came(runner):
            self.filename_tmpl = 'iter_{}.pth'
            step = runner.iter + 1
            self._save_checkpoint_with_step(
                runner, step, meta=dict(epoch=runner.epoch, iter=step)
            )
            self._exit(runner)

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """End if SIGTERM came: the epoch before validation is saved."""
        if _sigterm_came(runner):
            self._exit(runner)

    def _exit(self, runner: Runner) -> None:
        runner.logger.warning(
            f'SIGTERM: {self.last_ckpt or "nothing"} is saved, go on with --resume'
        )
        sys.exit(EXIT_PREEMPTED)

    # --- saving and loading -----------------------------------------------------

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and that the epoch is validated."""
        runner.message_hub.update_info('last_validated_epoch', runner.epoch)
        try:
            super().after_val_epoch(runner, metrics)
        except OSError as error:
            raise self._cannot_save('the best checkpoint', error) from error

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        name = self.filename_tmpl.format(step)
        hub = runner.message_hub
        kept = list(hub.runtime_info.get('kept_checkpoints', []))
        kept = [other for other in kept if other != name] + [name]
        # Old ones stay in the list until they are gone, should the run end before.
        hub.update_info('kept_checkpoints', kept)
        hub.update_info('last_ckpt', os.path.join(self.out_dir, name))
        if get_world_size() > 1:
            self._buffers = all_gather_object(_float_buffers(runner))
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            self.last_ckpt = hub.get_info('last_ckpt')
            if is_main_process():
                pointer = Path(runner.work_dir) / 'last_checkpoint'
                write_atomic(pointer, str(self.last_ckpt).encode())
        except OSError as error:
            raise self._cannot_save(os.path.join(self.out_dir, name), error) from error
        finally:
            self._buffers = []
        if 0 < self.keep < len(kept):
            if is_main_process():
                for old in kept[: -self.keep]:
                    Path(self.out_dir, old).unlink(missing_ok=True)
            hub.update_info('kept_checkpoints', kept[-self.keep :])

    def _cannot_save(self, what: str, error: OSError) -> CheckpointError:
        before = f'{self.last_ckpt} is intact' if self.last_ckpt else 'nothing is saved'
        return CheckpointError(
            f'{what} cannot be saved: {error.strerror}. {before}: make room or let the '
            'folder be written, then go on with --resume'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the place in the epoch and what differs between ranks there."""
        checkpoint['meta']['position'] = _position(runner)
        if self._buffers:
            checkpoint['rank_buffers'] = self._buffers

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go to the place in the epoch."""
        loop = runner._train_loop
        position = (checkpoint.get('meta') or {}).get('position')
        buffers = checkpoint.pop('rank_buffers', [])
        if not runner._resume or not position:
            return
        if not isinstance(loop, ResumableTrainLoop):
            raise CheckpointError(
                f'the checkpoint was saved after batch {position[0]} of {position[1]} '
                "of an epoch: resume it with train_cfg.type='ResumableTrainLoop'"
            )
        if position[1] != len(loop.dataloader):
            raise CheckpointError(
                f'the checkpoint was saved after batch {position[0]} of {position[1]} '
                f'of an epoch, which now has {len(loop.dataloader)}: resume with the '
                'same data, batch size and number of processes, or from epoch_N.pth'
            )
        loop.batches_done = position[0]
        if get_rank() < len(buffers):
            checkpoint['state_dict'].update(buffers[get_rank()])


def _sigterm_came(runner: Runner) -> bool:
    loop = runner._train_loop
    return isinstance(loop, ResumableTrainLoop) and loop.preemption.came()


def _position(runner: Runner) -> list[int] | None:
    """Return the batches done and all batches of an epoch, or None between epochs."""
    loop = runner.train_loop
    done = getattr(loop, 'batches_done', 0)
    return [done, len(loop.dataloader)] if done else None


def _float_buffers(runner: Runner) -> dict[str, torch.Tensor]:
    """Return what batch norms have seen on this rank: they agree at times only."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    kept = model.state_dict().keys()
    return {
        name: buffer.cpu()
        for name, buffer in model.named_buffers()
        if name in kept and buffer.is_floating_point()
    }
