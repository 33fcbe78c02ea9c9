"""The neck on every RGB backbone of MMAction2, under its stock recognizers."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict

from ifdd_mmaction.models import infer_neck
from tests.models.backbone_matrix import (
    CASES,
    FRAMES,
    LIFTINGS,
    inputs,
    levels,
    model_config,
    run,
    samples,
)


@pytest.fixture(params=CASES)
def case(request):
    case = CASES[request.param]
    if not case.available:
        pytest.skip(f'{request.param} needs {case.needs}')
    return case


def test_it_trains_predicts_and_hands_out_features(case):
    run(case, 8)
