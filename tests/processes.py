"""Python, started anew: what an import costs or changes shows only there."""

import json
import subprocess
import sys
from pathlib import Path


def in_a_new_python(code: str, *options: str, cwd: Path | None = None):
    """Run code in a fresh interpreter and return what it prints last, read as JSON."""
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded_by(code: str) -> list[str]:
    """Return the modules that code loads, in a fresh interpreter."""
    before = "import importlib, json, sys\nbefore = set(sys.modules)\n"
    return in_a_new_python(f"{before}{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))")
