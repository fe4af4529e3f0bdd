"""The data, a finished run, and Ctrl-C that is heard."""

import signal

import pytest

from minigpt.data import Data
from tests.training.runs import saved_run, toy_data


@pytest.fixture(scope="module")
def data() -> Data:
    return toy_data()


@pytest.fixture(autouse=True)
def a_heard_ctrl_c():
    """Whoever runs the tests in the background has Ctrl-C ignored; here it is always heard."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(scope="module")
def a_run(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    saved_run(path, data)
    return path
