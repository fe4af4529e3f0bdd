"""A compiler, or an honest skip."""

import pytest

from minigpt.speed import check_compiler


@pytest.fixture
def compiler():
    """Whatever torch.compile needs is here; otherwise the test is skipped."""
    try:
        check_compiler()
    except OSError as error:
        pytest.skip(str(error))
