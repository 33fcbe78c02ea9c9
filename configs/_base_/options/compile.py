# torch.compile of the training step.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

compile = True
