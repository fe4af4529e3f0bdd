"""The last lines of a run: which mistakes were taken for which, and what was left out."""

from collections import Counter

import pytest

# Where a marker leaves tests out: why, and what runs them.
LEFT_OUT = {
    "slow": ("take minutes", "python -m pytest -m slow"),
    "thorough": ("take seconds or processes of their own", "make test"),
}
left_out = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[left_out] = {}


def pytest_deselected(items):
    for item in items:
        for marker in LEFT_OUT:
            if item.get_closest_marker(marker):
                item.config.stash[left_out].setdefault(marker, []).append(item.nodeid)
                break


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # in a process of xdist
        session.config.workeroutput["left_out"] = session.config.stash[left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what a process of xdist left out: each of them leaves out the same."""
    node.config.stash[left_out].update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter, config):
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    properties = [p for report in reports for p in getattr(report, "user_properties", ())]
    show_mutants(terminalreporter, [value for name, value in properties if name == "mutants"])
    show_confusions(terminalreporter, [value for name, value in properties if name == "confusion"])
    show_left_out(terminalreporter, config.stash[left_out])


def show_mutants(terminalreporter, mutants):
    if not mutants:
        return
    terminalreporter.section("mutants of the solutions that no case can tell from them")
    for exercise, _, survivors in mutants:
        for what in survivors:
            terminalreporter.line(f"{exercise}: {what}")
    count, left = sum(m[1] for m in mutants), sum(len(m[2]) for m in mutants)
    terminalreporter.line(f"{count - left} of {count} rejected, {(count - left) / count:.1%}")


def show_confusions(terminalreporter, found):
    """Show the confusion matrix: for each exercise, which wrong answer was taken for which."""
    if not found:
        return
    terminalreporter.section("confusion matrix: rows are what was wrong, columns what was named")
    for exercise, cells in found:
        right = sum(count for wrong, said, count in cells if wrong == said)
        total = sum(count for _, _, count in cells)
        kinds = len({wrong for wrong, _, _ in cells})
        terminalreporter.line(f"{exercise}: {kinds} wrong answers, {right}/{total} on the diagonal")
        for wrong, said, count in cells:
            if wrong != said:
                terminalreporter.line(f"    {wrong} was taken for {said}: {count} times")


def show_left_out(terminalreporter, deselected):
    """Name the tests that this run left out, and the command that runs them."""
    skipped = terminalreporter.getreports("skipped")  # a whole file's report has no keywords
    elsewhere = [report for report in skipped if "elsewhere" in getattr(report, "keywords", ())]
    if not deselected and not elsewhere:
        return
    terminalreporter.section("left out")
    for marker, tests in deselected.items():
        why, command = LEFT_OUT[marker]
        terminalreporter.line(
            f"{len(tests)} marked {marker}, which {why}. Run them with: {command}"
        )
        if marker == "slow":
            show_names(terminalreporter, tests)
    if elsewhere:
        terminalreporter.line(
            f"{len(elsewhere)} marked elsewhere and skipped, which need another machine or system. "
            "Run them there with: python -m pytest -m elsewhere"
        )
        show_names(terminalreporter, [report.nodeid for report in elsewhere])


def show_names(terminalreporter, tests):
    for name, count in sorted(Counter(test.partition("[")[0] for test in tests).items()):
        terminalreporter.line(f"    {name}" + (f" ({count} cases)" if count > 1 else ""))
