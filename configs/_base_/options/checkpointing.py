# Transformer blocks run again in the backward pass instead of storing all they make.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

activation_checkpointing = 'backbone.blocks'
