"""The cases are sharp: a solution with one thing changed by machine does not pass any more.

Every solution is changed in every place where a rule below fits: operators, comparisons, constants
(axes among them), functions (sum for mean), the order of operands, arguments and statements,
statements left out. At least 98 % of these mutants must be rejected. Those that survive are listed
as SURVIVORS in variants/, each with the reason why nothing can tell it from the solution.
"""

import ast
import copy

import pytest

from minigpt.course.building.assignments import solved
from minigpt.course.checking import fork, running
from minigpt.course.checking.diagnosing import _problem, expected_outcomes
from minigpt.course.lessons import all_exercises

WRITTEN = {
    name: exercise
    for name, exercise in all_exercises().items()
    if exercise.kind in ("function", "module", "bug", "account") and callable(exercise.reference)
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
}
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


COMMUTATIVE = (ast.Add, ast.Mult, ast.BitOr, ast.BitAnd)
PAIRS = (("tril", "triu"), ("sin", "cos"), ("max", "min"), ("sum", "mean"), ("floor", "ceil"))
TWINS = {**dict(PAIRS), **{other: one for one, other in PAIRS}}
TALLY = []  # of each solution: mutants, survivors


def changes(node: ast.AST):
    """Yield functions that each change this node, in place, in one way."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        if type(node.op) in OPERATORS:
            yield lambda n: setattr(n, "op", OPERATORS[type(n.op)]())
        if isinstance(node, ast.BinOp) and not isinstance(node.op, COMMUTATIVE):
            yield _swap_operands
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield lambda n: n.ops.__setitem__(0, COMPARISONS[type(n.ops[0])]())
    elif isinstance(node, ast.BoolOp):
        yield lambda n: setattr(n, "op", ast.Or() if isinstance(n.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda n: setattr(n, "op", ast.UAdd())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield lambda n: setattr(n, "value", n.value + 1)
        yield lambda n: setattr(n, "value", n.value - 1 if n.value else 2)
    elif isinstance(node, ast.Call) and len(node.args) >= 2 and not _in_any_order(node):
        yield lambda n: n.args.reverse()
    elif isinstance(node, ast.Attribute) and node.attr in TWINS:
        yield lambda n: setattr(n, "attr", TWINS[n.attr])
    elif isinstance(node, ast.Name) and node.id in TWINS:
        yield lambda n: setattr(n, "id", TWINS[n.id])
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        yield lambda n: n.value.elts.reverse()
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if not isinstance(block, list) or isinstance(node, (ast.Module, ast.ClassDef)):
            continue
        for place, statement in enumerate(block):
            if _does_something(statement):
                yield lambda n, f=field, p=place: getattr(n, f).__setitem__(p, ast.Pass())
                if place + 1 < len(block) and _order_matters(*block[place : place + 2]):
                    yield lambda n, f=field, p=place: _swap_statements(getattr(n, f), p)


def _in_any_order(call):
    """Say whether swapping the arguments of a call means nothing."""
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    return name in ("transpose", "min", "max")


def _does_something(statement):
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not is_text and not isinstance(statement, (ast.Return, ast.Pass))


def _order_matters(first, second):
    """Say whether the second statement reads what the first one writes, or both are bare calls."""
    if isinstance(first, ast.Expr) and isinstance(second, ast.Expr):
        return _does_something(first) and _does_something(second)
    nodes = [*ast.walk(first)]
    inner = [c.target for n in nodes for c in getattr(n, "generators", ())]  # gone afterwards
    nodes = [n for n in nodes if n not in [i for target in inner for i in ast.walk(target)]]
    written = [n for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)]
    targets = {ast.unparse(n) for n in written if isinstance(n, (ast.Name, ast.Attribute))}
    read = {ast.unparse(n) for n in ast.walk(second) if isinstance(n, (ast.Name, ast.Attribute))}
    return _does_something(second) and bool(targets & read)


def _swap_operands(node):
    node.left, node.right = node.right, node.left


def _swap_statements(block, place):
    block[place], block[place + 1] = block[place + 1], block[place]


def mutants(source: str):
    """Yield (what was changed, changed source) for every change of every node."""
    tree = ast.parse(source)
    before = ast.unparse(tree).splitlines()
    for number, node in enumerate(ast.walk(tree)):
        for which, _ in enumerate(changes(node)):
            changed = copy.deepcopy(tree)
            twin = list(ast.walk(changed))[number]
            list(changes(twin))[which](twin)
            after = ast.unparse(ast.fix_missing_locations(changed)).splitlines()
            lines = [pair for pair in zip(before, after) if pair[0] != pair[1]]
            if lines:
                yield " -> ".join(line.strip() for line in lines[0]), "\n".join(after)


def rejected(exercise, source: str, names: dict) -> bool:
    """Say whether a mutant fails to run, or fails its check under one of five seeds."""
    names = dict(names)
    try:
        exec(source, names)
    except Exception:
        return True
    for seed in range(5):
        cases = exercise.draw(seed)
        outcomes, _ = running.run(exercise.call, names[exercise.name], cases)
        if len(outcomes) < len(cases):
            return True
        expected = expected_outcomes(exercise, cases)
        if any(_problem(exercise, *pair) for pair in zip(outcomes, expected)):
            return True
    return False


@pytest.mark.parametrize("name", WRITTEN)
def test_mutants_of_the_solution_are_rejected(
    name, run_cells, variants, record_property, monkeypatch
):
    monkeypatch.setattr(fork, "SECONDS", 1)  # many mutants never end
    names, survivors, count = {"__name__": "__main__"}, [], 0
    lesson = WRITTEN[name].lesson
    explained = variants(lesson).get("SURVIVORS", {})
    for cell in run_cells(lesson, solved, names):
        if cell.id == name:
            for what, source in mutants(cell.source):
                count += 1
                if not rejected(WRITTEN[name], source, names):
                    survivors.append(what)
    record_property("mutants", (name, count, survivors))
    TALLY.append((count, len(survivors)))
    unexplained = [what for what in survivors if (name, what) not in explained]
    assert count > 0
    assert not unexplained, f"{len(unexplained)} of {count} pass:\n" + "\n".join(unexplained)


def test_at_least_98_percent_of_all_mutants_are_rejected():
    count, left = map(sum, zip(*TALLY))
    assert (count - left) / count >= 0.98, f"{left} of {count} pass"
