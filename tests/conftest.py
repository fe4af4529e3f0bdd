"""What every test gets: no network, a fair share of the processor, and honest skips."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["tests.browser.fixtures", "tests.machines", "tests.summary"]

UNPLUGGED = Path(__file__).parent / "unplugged"


def pytest_configure(config):
    _pull_the_plug()
    _share_the_processor()
    _hear_ctrl_c()
    # A learner's own IPython start-up files must not change what a notebook shows.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.ipython_dir = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        os.environ["IPYTHONDIR"] = config.ipython_dir.name
        config.mygpt = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        os.environ["MINIGPT_MYGPT"] = str(Path(config.mygpt.name, "mygpt"))
    config.pluginmanager.register(NobodysParts(Path(os.environ["MINIGPT_MYGPT"])))


class NobodysParts:
    """No test may touch the learner's own parts and progress; each notebook begins with none."""

    def __init__(self, tests):
        self.tests = tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        own = self.tests.parent / f"{item.path.parent.name}_{item.path.stem}" / "mygpt"
        is_notebook = item.path.suffix == ".ipynb"
        os.environ["MINIGPT_MYGPT"] = str(own if is_notebook else self.tests)


def _pull_the_plug():
    """Block all but loopback here, and in every process started from here (kernels included)."""
    if os.environ.get("MINIGPT_UNPLUGGED") == "1":
        return  # an xdist worker: Python read sitecustomize when it started
    os.environ["MINIGPT_UNPLUGGED"] = "1"
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(UNPLUGGED), inherited]))
    code = (UNPLUGGED / "sitecustomize.py").read_text(encoding="utf-8")
    exec(compile(code, str(UNPLUGGED / "sitecustomize.py"), "exec"), {"__name__": "sitecustomize"})


def _share_the_processor():
    """Give each xdist worker its share of the cores, before torch starts its threads."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)


def _hear_ctrl_c():
    """Undo what a job in the background inherits: a deaf ear for Ctrl-C, and all its processes."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and not item.get_closest_marker("elsewhere")
    ):
        _fail_if_all_is_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.skipped:
        _fail_if_all_is_required(report)
    return report


def _fail_if_all_is_required(report):
    """With MINIGPT_REQUIRE_ALL=1 (as .ci/run sets it) a test skipped for an absent part fails."""
    if os.environ.get("MINIGPT_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"MINIGPT_REQUIRE_ALL is set, and this was skipped. {reason}"
