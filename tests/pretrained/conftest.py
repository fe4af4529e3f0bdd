"""A small file of weights."""

import pytest

from tests.pretrained.files import hub_tensors, write


@pytest.fixture
def small(tmp_path):
    tensors, model = hub_tensors()
    return write(tmp_path / "small", tensors, metadata={"format": "pt"}), tensors, model
