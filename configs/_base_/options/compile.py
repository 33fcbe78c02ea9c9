# torch.compile of the backbone's blocks, the neck and the head, in training.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

compile = True
