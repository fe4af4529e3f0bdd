"""Two machines of our own: network namespaces, joined by a virtual cable that can be pulled.

Each has its own folder, so nothing is shared but the network. It needs root and `ip` (iproute2).
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minigpt.training.checkpoints import read_history
from tests.commands.running import TINY

pytestmark = [pytest.mark.thorough, pytest.mark.elsewhere]
ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Machines:
    """The two, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spaces = {name: f"minigpt-{os.getpid()}-{name}" for name in ADDRESSES}

    def plug_in(self) -> None:
        a, b = self.spaces.values()
        for space in (a, b):
            ip("netns", "add", space)
        ip("link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b)
        for name, address in ADDRESSES.items():
            ip("-n", self.spaces[name], "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", self.spaces[name], "link", "set", "lo", "up")
            self.cable(name, "up")
            (self.folder / name).mkdir()

    def cable(self, name: str, state: str) -> None:
        ip("-n", self.spaces[name], "link", "set", "cable", state)

    def kill_all(self, *names: str) -> None:
        for name in names:
            for pid in ip("netns", "pids", self.spaces[name]).split():
                subprocess.run(["kill", "-9", pid], capture_output=True, check=False)

    def remove(self) -> None:
        for name, space in self.spaces.items():
            try:
                self.kill_all(name)
            finally:
                subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def torchrun(self, name: str, port: int, *arguments: str) -> subprocess.Popen:
        """Start the command on one machine, as its owner would: the first one is the host."""
        conf = f"is_host={name == 'a'},join_timeout=60"
        rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES['a']}:{port}",
                      "--rdzv-id", str(port), "--rdzv-conf", conf]  # fmt: skip
        command = ["ip", "netns", "exec", self.spaces[name], sys.executable,
                   "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
                   *rendezvous, "--local-addr", ADDRESSES[name],
                   "-m", "minigpt", "train", "--out", "run", *arguments]  # fmt: skip
        # A namespace has no way out; what else pulls the plug would refuse its addresses.
        own = {"MINIGPT_UNPLUGGED": "0", "MINIGPT_TIMEOUT": "6", "OMP_NUM_THREADS": "1"}
        environment = os.environ | own | {"GLOO_SOCKET_IFNAME": "cable"}
        here = self.folder / name
        with open(self.folder / f"{name}.{port}.txt", "w", encoding="utf-8") as log:
            return subprocess.Popen(command, cwd=here, env=environment, stdout=log, stderr=log)

    def both(self, port: int, *arguments: str) -> list[subprocess.Popen]:
        return [self.torchrun(name, port, *arguments) for name in ADDRESSES]

    def said(self, name: str, port: int) -> str:
        return (self.folder / f"{name}.{port}.txt").read_text(encoding="utf-8")


@pytest.fixture
def machines(tmp_path):
    if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("two network namespaces need Linux, root and ip (iproute2)")
    both = Machines(tmp_path)
    try:
        try:
            both.plug_in()
        except OSError as error:
            pytest.skip(f"no network namespace can be made here: {error}")
        yield both
    finally:
        both.remove()


def wait_until(condition, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def steps_in(file: Path) -> int:
    return len(read_history(file)) if file.exists() else 0


def test_a_run_on_two_machines_survives_the_loss_of_one_and_goes_on(machines, text_file):
    file = machines.folder / "a" / "run" / "checkpoint.safetensors"
    # Data-parallel, and the cable is pulled.
    machines.both(29411, "--data", text_file, *TINY, "--steps", "700")
    wait_until(lambda: steps_in(file))
    machines.cable("b", "down")
    for name, other in (("a", 1), ("b", 0)):
        words = (
            f"minigpt: error: process {other} of 2 (counted from 0) is gone or cannot be reached"
        )
        wait_until(lambda name=name, words=words: words in machines.said(name, 29411))
    machines.kill_all("a", "b")  # torchrun itself would wait for a minute
    kept = steps_in(file)
    assert 100 <= kept < 700
    assert f"holds the first {kept} steps" in machines.said("a", 29411)
    assert not (machines.folder / "b" / "run").exists(), "the first process writes for all"
    # Sharded, from what is kept, and the other machine's power fails.
    machines.cable("b", "up")
    machines.both(29412, "--resume", "--sharded")
    wait_until(lambda: steps_in(file) > kept)
    machines.kill_all("b")
    wait_until(lambda: "process 1 of 2 (counted from 0) is gone" in machines.said("a", 29412))
    machines.kill_all("a")
    again = steps_in(file)
    assert kept < again < 700
    # Sharded to the end.
    last = machines.both(29413, "--resume")
    assert [process.wait(90) for process in last] == [0, 0], machines.said("a", 29413)
    assert steps_in(file) == 700
    assert "each with a part of the model" in machines.said("a", 29413)
    assert "Held-out loss" in machines.said("a", 29413)
    assert "Held-out loss" not in machines.said("b", 29413)
