from .disentanglement_loss import DisentanglementLoss, global_context_loss

__all__ = ['DisentanglementLoss', 'global_context_loss']
