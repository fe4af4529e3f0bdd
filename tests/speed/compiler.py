"""Tests that compile: only where there is a compiler, and not in a quick check."""

import pytest


def needs_compiler(test):
    """Skip the test where there is no compiler; `make check` leaves it out."""
    return pytest.mark.thorough(pytest.mark.usefixtures("compiler")(test))
