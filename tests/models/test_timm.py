"""All tests that need timm, in a process that has it."""

from importlib.util import find_spec

import pytest

from tests.timm_site import SITE, run_with_timm


@pytest.mark.slow
@pytest.mark.skipif(find_spec('timm') is not None, reason='timm is there for all tests')
def test_what_needs_timm_passes_with_it():
    if not (SITE / 'timm').is_dir():
        pytest.skip('no timm; `make test` installs it for the tests')
    result = run_with_timm(
        'pytest', '-p', 'no:cacheprovider', '-k', 'timm_models or Timm or convnext',
        'tests/models/backbones/test_map_adapters.py', 'tests/models/test_backbones.py',
        'tests/test_configs.py',
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'skipped' not in result.stdout.splitlines()[-1], result.stdout
