"""Which instructions for bfloat16 a processor has."""

import pytest
import torch

from ifdd_mmaction import processor


@pytest.fixture
def of_this_process():
    processor.bf16_instructions.cache_clear()
    yield
    processor.bf16_instructions.cache_clear()


@pytest.mark.skipif(
    not hasattr(torch.cpu, 'get_capabilities'), reason='nothing to compare with'
)
def test_older_versions_of_pytorch_find_the_same_instructions(monkeypatch):
    expected = processor._capabilities() & processor.BF16
    monkeypatch.delattr(torch.cpu, 'get_capabilities')
    assert processor._capabilities() & processor.BF16 == expected
    assert {'fpu', 'fp'} & processor._capabilities()  # x86, ARM


@pytest.mark.parametrize('limit', ['avx2', 'AVX512_CORE_VNNI'])
def test_onednn_can_be_held_back_from_them(limit, monkeypatch, of_this_process):
    monkeypatch.setenv('ONEDNN_MAX_CPU_ISA', limit)
    assert processor.bf16_instructions() == frozenset()


def test_a_limit_above_them_changes_nothing(monkeypatch, of_this_process):
    monkeypatch.delenv('ONEDNN_MAX_CPU_ISA', raising=False)
    expected = processor.bf16_instructions()
    processor.bf16_instructions.cache_clear()
    monkeypatch.setenv('ONEDNN_MAX_CPU_ISA', 'AVX512_CORE_AMX')
    assert processor.bf16_instructions() == expected
