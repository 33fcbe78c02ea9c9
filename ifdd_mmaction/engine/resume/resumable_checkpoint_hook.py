"""Save checkpoints from which an interrupted run continues to the bit."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import (
    all_gather_object,
    barrier,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ...checkpoints import CheckpointError
from ...fileio import write_atomic
from ..batches import between_updates, is_training, optim_wrappers
from .resumable_train_loop import ResumableTrainLoop

#: Exit code after SIGTERM: EX_TEMPFAIL of sysexits.h, call again with ``--resume``.
EXIT_PREEMPTED = 75


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` for runs that are interrupted.

    - A checkpoint is written atomically and with its hash
      (:class:`CheckpointBackend`), and an old one is removed only after that, the best
      one too; MMEngine removes first, and writes in place.
    - It stores what :class:`ResumableTrainLoop` needs to continue within an epoch, and
      accumulated gradients that are not used yet.
    - After SIGTERM, the iteration is finished, a checkpoint ``iter_N.pth`` is saved,
      and the process exits with :data:`EXIT_PREEMPTED`. In validation, it exits at once
      if the checkpoint of the epoch is saved, otherwise after validation.

    Args:
        args: Of ``CheckpointHook``.
        kwargs: Of ``CheckpointHook``. With ``max_keep_ckpts`` less than 2 there is no
            earlier checkpoint if the newest is damaged. If neither ``backend_args`` nor
            ``file_client_args`` is given and ``out_dir`` is a folder,
            :class:`CheckpointBackend` writes; MMEngine's other backends write in place
            and without a hash.

    Raises:
        CheckpointError: If a checkpoint cannot be written, or is resumed with another
            number of batches in the epoch, or ranks resume from different ones.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> config = dict(type='ResumableCheckpointHook', interval=1, max_keep_ckpts=2)
        >>> hook = HOOKS.build(config)  # default_hooks.checkpoint of the config
        >>> hook.backend_args
        {'backend': 'checkpoint'}
    """

    backend_args: dict | None
    keep_ckpt_ids: deque[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.backend_args or self.file_client_args
        if not chosen and '://' not in str(self.out_dir):
            self.backend_args = dict(backend='checkpoint')
        self._buffers: list[dict] = []
        self._gradients: list[dict] = []
        self._superseded: dict[str, str | None] = {}
        self._saved_iter = -1
        self._regular_tmpl = self.filename_tmpl  # SIGTERM changes it

    def before_train(self, runner: Runner) -> None:
        """Remove partial files and restore the state of a run that was killed."""
        super().before_train(runner)
        hub = runner.message_hub
        places = all_gather_object((runner.epoch, runner.iter))
        if len(set(places)) > 1:
            raise CheckpointError(
                'the ranks resume from different checkpoints: '
                + ', '.join(
                    f'rank {i} at iteration {n}' for i, (_, n) in enumerate(places)
                )
                + '. Check that all machines see the same work dir, or resume from the '
                'path of one checkpoint'
            )
        if is_main_process():
            for pattern in ('.*.pth.*', '.last_checkpoint.*'):
                for half in Path(self.out_dir).glob(pattern):
                    half.unlink(missing_ok=True)
        if not runner._resume:
            return
        self._saved_iter = runner.iter
        # The folder may be a copy: do not change the original.
        for key, path in self._best().items():
            here = self._path(Path(path or '').name)
            self._set_best(key, here if path and self._exists(here) else None)
        name = Path(hub.runtime_info.get('last_ckpt', '')).name
        if name and is_main_process() and self._exists(self._path(name)):
            # The run may have ended before it wrote this file.
            pointer = Path(runner.work_dir, 'last_checkpoint')
            write_atomic(pointer, self._path(name).encode())

    # --- SIGTERM ----------------------------------------------------------------

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint if one is due, or after SIGTERM."""
        super().after_train_iter(runner, *args, **kwargs)
        # Between two updates of the weights the accumulated gradient would be lost.
        if not _gradients_pending(runner) and _sigterm_received(runner):
            self.filename_tmpl = 'iter_{}.pth'
            step = runner.iter + 1
            self._save_checkpoint_with_step(
                runner, step, meta=dict(epoch=runner.epoch, iter=step)
            )
            self._exit(runner)

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Exit after SIGTERM if the epoch before validation is saved."""
        if _sigterm_received(runner) and self._saved_iter == runner.iter:
            self._exit(runner)

    def _exit(self, runner: Runner) -> None:
        runner.logger.warning(
            f'SIGTERM: {self.last_ckpt or "nothing"} is saved, continue with --resume'
        )
        # A launcher ends all ranks when one exits: the main one may still be writing.
        barrier()
        sys.exit(EXIT_PREEMPTED)

    # --- saving and loading -----------------------------------------------------

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and record that the epoch is validated."""
        if not is_training(runner):
            return  # nothing to resume
        runner.message_hub.update_info('last_validated_epoch', runner.epoch)
        try:
            super().after_val_epoch(runner, metrics)
        except OSError as error:
            raise self._cannot_save('the best checkpoint', error) from error

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        # MMEngine removes the old one first, unless it does not know of it.
        self._superseded = self._best()
        for key in self._superseded:
            self._set_best(key, None)
        super()._save_best_checkpoint(runner, metrics)
        self._remove_superseded()

    def _remove_superseded(self) -> None:
        """Remove the former best checkpoints that a better one has replaced."""
        now = self._best()
        for key, path in self._superseded.items():
            if now[key] is None:
                self._set_best(key, path)
            elif path and path != now[key] and is_main_process():
                self._remove(path)
        self._superseded = {}

    def _best(self) -> dict[str, str | None]:
        if self.save_best is None:
            return {}
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, key: str, path: str | None) -> None:
        if key:
            self.best_ckpt_path_dict[key] = path
        else:
            self.best_ckpt_path = path

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # After the best one is saved; if the run ends before this one is saved, the
        # resumed run saves it again.
        self._remove_superseded()
        name = self.filename_tmpl.format(step)
        hub = runner.message_hub
        kept = [other for other in self._kept(hub) if other != name] + [name]
        # Old ones stay in the list until they are removed: the run may end before that.
        hub.update_info('kept_checkpoints', kept)
        self._write_ids(hub, step)
        hub.update_info('last_ckpt', self._path(name))
        if get_world_size() > 1:
            self._buffers = all_gather_object(_float_buffers(runner))
        if _gradients_pending(runner):
            self._gradients = all_gather_object(_gradients(runner))
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
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
            raise self._cannot_save(self._path(name), error) from error
        finally:
            self._buffers, self._gradients = [], []
        self._saved_iter = meta['iter']
        if 0 < self.max_keep_ckpts < len(kept):
            if is_main_process():
                for old in kept[: -self.max_keep_ckpts]:
                    self._remove(self._path(old))
            hub.update_info('kept_checkpoints', kept[-self.max_keep_ckpts :])

    def _kept(self, hub: MessageHub) -> list[str]:
        """Return the names of the checkpoints that are kept, the oldest first."""
        info = hub.runtime_info
        # MMEngine's hook may have saved some, before ours or in between.
        theirs = [self._regular_tmpl.format(i) for i in info.get('keep_ckpt_ids', [])]
        return list(dict.fromkeys([*info.get('kept_checkpoints', []), *theirs]))

    def _write_ids(self, hub: MessageHub, step: int) -> None:
        """Record what is kept after this step where MMEngine's hook looks for it."""
        if self.max_keep_ckpts > 0 and self.filename_tmpl == self._regular_tmpl:
            ids = [other for other in self.keep_ckpt_ids if other != step] + [step]
            self.keep_ckpt_ids = deque(ids, self.max_keep_ckpts)
            hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _path(self, name: str) -> str:
        return str(self.file_backend.join_path(self.out_dir, name))

    def _exists(self, path: str) -> bool:
        return self.file_backend.isfile(path) or self.file_backend.isdir(path)

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # a file for each rank: FSDP
            self.file_backend.rmtree(path)

    def _cannot_save(self, what: str, error: OSError) -> CheckpointError:
        before = f'{self.last_ckpt} is intact' if self.last_ckpt else 'nothing is saved'
        return CheckpointError(
            f'{what} cannot be saved: {error.strerror}. {before}: free disk space or '
            'make the folder writable, then continue with --resume'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the position in the epoch, and what differs between ranks."""
        checkpoint['meta']['position'] = _position(runner)
        if self._buffers:
            checkpoint['rank_buffers'] = self._buffers
        if self._gradients:
            checkpoint['rank_gradients'] = self._gradients

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the position in the epoch, and what differs between ranks."""
        position = (checkpoint.get('meta') or {}).get('position')
        buffers = checkpoint.pop('rank_buffers', [])
        gradients = checkpoint.pop('rank_gradients', [])
        if not runner._resume or not is_training(runner):
            return
        loop = runner._train_loop
        if len(gradients) == get_world_size():
            for name, parameter in _module(runner).named_parameters():
                if name in gradients[get_rank()]:
                    gradient = gradients[get_rank()][name]
                    parameter.grad = gradient.to(parameter.device)
        if len(buffers) == get_world_size():
            checkpoint['state_dict'].update(buffers[get_rank()])
        if not position:
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


def _sigterm_received(runner: Runner) -> bool:
    loop = runner._train_loop
    return isinstance(loop, ResumableTrainLoop) and loop.preemption.received()


def _gradients_pending(runner: Runner) -> bool:
    """Return whether accumulated gradients wait for an update of the weights."""
    return any(map(between_updates, optim_wrappers(runner).values()))


def _position(runner: Runner) -> list[int] | None:
    """Return the batches done and the number of batches, or None between epochs."""
    loop = runner._train_loop  # the public one builds the training data
    done = getattr(loop, 'batches_done', 0)
    return [done, len(loop.dataloader)] if done else None


def _float_buffers(runner: Runner) -> dict[str, torch.Tensor]:
    """Return the buffers of this rank's batch norms, which differ between ranks."""
    model = _module(runner)
    kept = model.state_dict().keys()
    return {
        name: buffer.cpu()
        for name, buffer in model.named_buffers()
        if name in kept and buffer.is_floating_point()
    }


def _gradients(runner: Runner) -> dict[str, torch.Tensor]:
    """Return the gradients that are accumulated on this rank."""
    return {
        name: parameter.grad.cpu()
        for name, parameter in _module(runner).named_parameters()
        if parameter.grad is not None
    }


def _module(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
