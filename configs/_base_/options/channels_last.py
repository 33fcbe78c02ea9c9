# Convolutions on channels last: for CNNs, most of all with mixed precision.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

default_hooks = dict(channels_last=dict(type='ChannelsLastHook'))
