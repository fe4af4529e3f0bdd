"""The dependency lists agree, the package carries its files, and the way in says what is wrong."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = {"linux": "posix", "darwin": "posix", "win32": "nt"}


LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
CONSTRAINTS = [Requirement(line) for line in LINES if line and not line.startswith("#")]


@pytest.fixture(scope="module", params=[(v, s) for v in PYTHONS for s in PLATFORMS], ids=" ".join)
def pins(request):
    """The versions that constraints.txt gives each package on one Python and one system."""
    python, platform = request.param
    where = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "os_name": PLATFORMS[platform],
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
    }
    found = defaultdict(list)
    for pin in CONSTRAINTS:
        if pin.marker is None or pin.marker.evaluate(where):
            found[canonicalize_name(pin.name)].append(re.fullmatch("==(.+)", str(pin.specifier))[1])
    return found


def test_every_dependency_has_one_pin_in_its_range(pins):
    for line in WANTED:
        wanted = Requirement(line)
        found = pins[canonicalize_name(wanted.name)]
        told = f"constraints.txt: {wanted.name} {found or 'is missing'}; run `make constraints`"
        assert len(found) == 1, told
        told = f"constraints.txt: {wanted.name} {found[0]}, pyproject.toml: {wanted.specifier}"
        assert wanted.specifier.contains(found[0]), told


def test_no_package_is_pinned_twice(pins):
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


def test_torch_is_pinned_without_a_build_so_that_any_build_of_it_will_do():
    assert [str(pin) for pin in CONSTRAINTS if pin.name == "torch"] == ["torch==2.13.0"]


def test_installed_versions_are_the_tested_ones():
    """Otherwise the constraints would claim to be tested and not be."""
    wrong = []
    for pin in CONSTRAINTS:
        if pin.marker is None or pin.marker.evaluate():
            try:
                installed = metadata.version(pin.name)
            except metadata.PackageNotFoundError:
                continue  # an extra that is not installed here
            if not pin.specifier.contains(installed):
                wrong.append(f"{pin.name} is {installed}, constraints.txt says {pin.specifier}")
    assert not wrong, wrong


def test_everything_that_the_installed_dependencies_need_is_pinned():
    pinned = {canonicalize_name(pin.name) for pin in CONSTRAINTS}
    cuda = re.compile("nvidia-|cuda-|triton")
    todo, seen = [Requirement("minigpt[test]")], set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        key = (name, frozenset(wanted.extras))
        if key in seen or cuda.match(name):
            continue
        seen.add(key)
        for line in metadata.requires(name) or []:
            need = Requirement(line)
            extras = wanted.extras or {""}
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
                todo.append(need)
    missing = sorted({name for name, _ in seen} - pinned - {"minigpt"})
    assert not missing, f"constraints.txt lacks {missing}; run `make constraints`"


def test_environment_yml_installs_this_package_with_its_constraints():
    *conda, pip = ENVIRONMENT["dependencies"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[test]"]}
    python = next(Requirement(line) for line in conda if line.startswith("python "))
    told = f"environment.yml: {python}, pyproject.toml: {PROJECT['requires-python']}"
    assert python.specifier == SpecifierSet(PROJECT["requires-python"]), told
    assert [line for line in conda if not line.startswith("python ")] == ["pip"]


def test_readme_and_workflow_use_the_same_windows_and_conda_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    install = '.venv\\Scripts\\python -m pip install -c constraints.txt -e ".[test]"'
    assert install in readme and install in workflow
    assert "environment.yml" in readme and "environment-file: environment.yml" in workflow


def test_readme_links_lead_to_files_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_wheel_carries_the_assets(tmp_path):
    """Built from a copy, so that nothing is left in the tree."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "minigpt", tmp_path / "minigpt")
    code = (
        "from setuptools import setup; import sys; "
        "sys.argv = ['setup.py', '-q', 'build', '--build-base', 'out']; setup()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    built = {p.relative_to(tmp_path / "out/lib") for p in (tmp_path / "out/lib").rglob("*")}
    here = {p.relative_to(ROOT) for p in (ROOT / "minigpt").rglob("*") if p.is_file()}
    wanted = {p for p in here if "__pycache__" not in p.parts}
    assert wanted <= built, f"missing in the package: {sorted(map(str, wanted - built))}"


def test_the_command_is_installed_under_its_name():
    (script,) = (e for e in metadata.distribution("minigpt").entry_points if e.name == "minigpt")
    assert script.value == PROJECT["scripts"]["minigpt"] == "minigpt.cli:main"


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no make and no sh")


def fake_python(folder, name, version, has_venv=True):
    """Write a program that answers find_python.sh as that Python would."""
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"    *print*) echo {version};;\n"
        f"    *sys.exit*) case {version} in 3.10|3.11|3.12|3.13) exit 0;; *) exit 1;; esac;;\n"
        f"    *ensurepip*) exit {int(not has_venv)};;\n"
        "esac\n",
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def find_python(folder, *arguments):
    command = ["/bin/sh", str(ROOT / "scripts/find_python.sh"), *arguments]
    environment = {"PATH": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@posix
def test_a_python_that_is_too_old_is_passed_over(tmp_path):
    fake_python(tmp_path, "python3", "3.9")
    fake_python(tmp_path, "python3.12", "3.12")
    assert find_python(tmp_path).stdout == "python3.12\n"


@posix
def test_without_a_fitting_python_the_learner_is_told_what_was_found(tmp_path):
    fake_python(tmp_path, "python3", "3.14")
    result = find_python(tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    assert "needs Python 3.10, 3.11, 3.12 or 3.13" in result.stderr
    assert "Found: python3 is 3.14." in result.stderr


@posix
def test_without_venv_the_learner_is_told_which_package_brings_it(tmp_path):
    fake_python(tmp_path, "python3", "3.11", has_venv=False)
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "sudo apt-get install python3.11-venv" in result.stderr


@posix
def test_a_python_named_by_the_learner_is_the_only_one_tried(tmp_path):
    fake_python(tmp_path, "python3", "3.11")
    fake_python(tmp_path, "mine", "3.13")
    assert find_python(tmp_path, "mine").stdout == "mine\n"
    assert "Looked for: other" in find_python(tmp_path, "other").stderr


@posix
def test_make_alone_lists_the_targets():
    if shutil.which("make") is None:
        pytest.skip("make is not here; get it with: sudo apt-get install make")
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("help", "lab", "test", "check", "lint", "notebooks", "storyteller", "clean"):
        assert f"make {target} " in told
