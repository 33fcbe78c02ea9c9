"""Property tests: what is read from outside fails with the error meant for it.

They draw some 10,000 inputs, the same ones every time. ``make fuzz`` draws a hundred
times as many, others each time, and keeps what fails in ``.hypothesis``;
``FUZZ_FACTOR`` sets another number. A crash found that way stays here as an
``@example``.
"""

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get('FUZZ_FACTOR', '1'))


def draws(count: int) -> settings:
    """Return how a test of so many inputs runs."""
    return settings(
        max_examples=count * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        # The folder that a fixture makes is shared by the inputs of a test.
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
