"""Mutation test: changes one place of a file, runs the unit tests of its room, lists what survives.

    python benchmarks/operations/mutants.py ROOM [--seed 26] [--sample 40]

Mutants exist in memory only. pytest collects the tests once; then each mutant has a child of this
process, which changes the code of the functions and the constants of one module and runs the tests
to the first failure. So a mutant costs what its tests cost, and no import. What a test starts as a
command of its own is not changed; neither are enumerations, whose values are a contract.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import os
import random
import signal
import sys
import time
import traceback
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
LEFT_OUT = "not postgresql and not two_processes"
MOST_SECONDS = 900  # for the tests of one mutant, which may never end

_UNIT = "tests/unit"
# Room -> files that are mutated, tests that must notice.
ROOMS: dict[str, tuple[list[str], list[str]]] = {
    "scrub": (
        [f"components/core/scrub/{name}.py" for name in ("__init__", "pseudonyms", "suppression")],
        [f"{_UNIT}/privacy/test_{name}.py" for name in (
            "pseudonyms", "suppression", "scrub_merging", "scrub", "scrub_cache", "languages")],
    ),
    "signing": (["components/core/bundle/signing.py"], [f"{_UNIT}/bundle/test_signing.py"]),
    "access": (
        ["serving/http/auth.py", "serving/http/api_keys.py"],
        [f"{_UNIT}/serving/test_api_keys.py", f"{_UNIT}/serving/test_gateway.py",
         f"{_UNIT}/serving/test_auth.py"],
    ),
    "gate": (
        [f"components/gate/{name}.py" for name in ("checks", "comparison", "baselines")],
        # Those that need no bundle, whose libraries take a minute.
        [*(f"{_UNIT}/stages/test_gate.py::test_{name}" for name in (
            "floors", "no_floor_is_asked_for_that_nobody_set", "leaks_and_size_have_limits",
            "a_calibration_error_that_few_documents_explain_is_no_fault", "rehearsal",
            "no_rehearsal_where_none_is_asked_for", "against_the_champion",
            "a_part_that_is_surely_lost_is_refused_though_the_whole_is_better",
            "lost_newest_labels_are_refused_though_the_test_side_is_better")),
         f"{_UNIT}/stages/test_gate_baselines.py", f"{_UNIT}/stages/test_gate_comparison.py",
         f"{_UNIT}/stages/test_gate_checks.py"],
    ),
    "ledger": (
        [f"components/core/ledger/{name}.py" for name in (
            "feedback", "labels", "windows", "trials", "deployments", "decisions", "versions")],
        [f"{_UNIT}/core/test_ledger_deployments.py", f"{_UNIT}/core/test_ledger_joins.py",
         "tests/pipeline/test_ledger_trials.py"],
    ),
    "governor": (
        ["monitoring/governor.py", "monitoring/governor_inputs.py"],
        [f"{_UNIT}/monitoring/test_governor{end}.py" for end in ("", "_inputs")],
    ),
    "spool": (
        ["serving/recording/spool.py", "serving/recording/write_ahead.py"],
        [f"{_UNIT}/serving/test_spool.py", f"{_UNIT}/serving/test_write_ahead.py"],
    ),
}  # fmt: skip

_COMPARED = {
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt], ast.In: [ast.NotIn],
    ast.NotIn: [ast.In], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is],
}  # fmt: skip
_COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}  # fmt: skip
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


@dataclass(frozen=True)
class Mutant:
    """One change: of the node with this number (in the order of ast.walk), by this rule."""

    file: str
    line: int
    node: int
    rule: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.rule}"


def _left_alone(tree: ast.Module) -> set[int]:  # noqa: PLR0912 - a table
    """Nodes whose change is no change of behaviour: docstrings, annotations, messages."""
    ids: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            ids.update(id(inner) for inner in ast.walk(node))

    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = body[0] if body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skip(first)
        if isinstance(node, ast.ClassDef) and "Enum" in ast.dump(ast.List(node.bases)):
            skip(node)
        if isinstance(node, ast.AnnAssign):
            skip(node.annotation)
        if isinstance(node, ast.arg):
            skip(node.annotation)
        if isinstance(node, ast.FunctionDef):
            skip(node.returns)
        if isinstance(node, (ast.ImportFrom, ast.Import)):
            skip(node)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            skip(node)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("cast", "TypeVar"):
            skip(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            skip(node)  # an alias of a type
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                skip(argument)
        if isinstance(node, ast.JoinedStr):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    skip(part.format_spec)
    return ids


def mutants(file: str) -> Iterator[Mutant]:  # noqa: PLR0912 - a table
    """All mutants of a file."""
    tree = _tree(file)
    alone = _left_alone(tree)
    in_strings = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        for part in node.values if isinstance(part, ast.Constant)
    }  # fmt: skip
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in alone:
            continue
        line = getattr(node, "lineno", 0)

        def made(rule: str, number: int = 0, index: int = index, line: int = line) -> Mutant:
            return Mutant(file, line, index, rule, number)

        match node:
            case ast.Compare():
                for place, operator in enumerate(node.ops):
                    for number, other in enumerate(_COMPARED[type(operator)]):
                        rule = f"{type(operator).__name__} -> {other.__name__} #{place}"
                        yield made(rule, 10 * place + number)
            case ast.BoolOp():
                yield made("and <-> or")
            case ast.BinOp() if type(node.op) in _COMPUTED:
                yield made(f"{type(node.op).__name__} -> {_COMPUTED[type(node.op)].__name__}")
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                yield made(f"without {type(node.op).__name__}")
            case ast.Constant(value=bool()):
                yield made(f"{node.value} -> {not node.value}")
            case ast.Constant(value=int() | float()):
                yield made(f"{node.value} -> {node.value + 1}")
            case ast.Constant(value=str()) if id(node) not in in_strings:
                yield made(f"{node.value!r:.20} -> other string")
            case ast.If() | ast.IfExp() | ast.While():
                yield made("condition negated")
            case ast.comprehension():
                for number in range(len(node.ifs)):
                    yield Mutant(file, node.ifs[number].lineno, index, "filter removed", number)
            case ast.Return(value=ast.expr()) if not (
                isinstance(node.value, ast.Constant) and node.value.value is None
            ):
                yield made("return None")
            case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
                yield made("statement removed")
            case ast.Continue() | ast.Break():
                yield made("continue <-> break")
            case ast.ExceptHandler(type=ast.expr()):
                yield made("handler removed")
            case ast.Call(func=ast.Name(id=name)) if name in _SWAPPED:
                yield made(f"{name} -> {_SWAPPED[name]}")
            case ast.Starred():
                pass


def _change(node: ast.AST, mutant: Mutant) -> ast.AST:  # noqa: PLR0912 - a table
    """The node that stands in place of `node`, perhaps itself, changed."""
    match node:
        case ast.Compare():
            place, number = divmod(mutant.number, 10)
            node.ops[place] = _COMPARED[type(node.ops[place])][number]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.BinOp():
            node.op = _COMPUTED[type(node.op)]()
        case ast.UnaryOp():
            return node.operand
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float()):
            node.value += 1
        case ast.Constant(value=str()):
            node.value = f"XX{node.value}"
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.comprehension():
            del node.ifs[mutant.number]
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.Continue():
            return ast.Break()
        case ast.Break():
            return ast.Continue()
        case ast.ExceptHandler():
            node.type = ast.Tuple([], ast.Load())
        case ast.Call(func=ast.Name(id=name)):
            node.func = ast.Name(_SWAPPED[name], ast.Load())
        case _:
            return ast.Pass()
    return node


class _Replacing(ast.NodeTransformer):
    def __init__(self, target: ast.AST, mutant: Mutant) -> None:
        self._target, self._mutant = target, mutant

    def visit(self, node: ast.AST) -> ast.AST:
        return _change(node, self._mutant) if node is self._target else self.generic_visit(node)


def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def changed(mutant: Mutant) -> ast.Module:
    """The tree of the mutant's file."""
    tree = _tree(mutant.file)
    target = next(node for index, node in enumerate(ast.walk(tree)) if index == mutant.node)
    return ast.fix_missing_locations(_Replacing(target, mutant).visit(copy.copy(tree)))


def _functions(value: Any) -> list[types.FunctionType]:
    """The functions that Python wrote down for `value`, behind its decorators."""
    if isinstance(value, property):
        return [part for part in (value.fget, value.fset) if isinstance(part, types.FunctionType)]
    value = getattr(value, "__func__", value)  # of a class or static method
    while not isinstance(value, types.FunctionType) and hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    found = [value] if isinstance(value, types.FunctionType) else []
    return found + (_functions(value.__wrapped__) if hasattr(value, "__wrapped__") else [])


def _transplant(old: Any, new: Any) -> None:
    """Gives the functions of `old`, which others hold, the code of `new`."""
    for ours, theirs in zip(_functions(old), _functions(new), strict=False):
        if ours.__code__.co_freevars == theirs.__code__.co_freevars:
            ours.__code__ = theirs.__code__
            ours.__defaults__, ours.__kwdefaults__ = theirs.__defaults__, theirs.__kwdefaults__


def change(mutant: Mutant) -> None:
    """Changes the module of a mutant, in this process and for all who have imported it."""
    module = importlib.import_module(_module(mutant.file))
    before = dict(vars(module))
    exec(compile(changed(mutant), module.__file__ or "", "exec"), vars(module))
    for name, new in list(vars(module).items()):
        old = before.get(name)
        if isinstance(old, type) and isinstance(new, type) and old is not new:
            for key, value in vars(new).items():
                generated = getattr(value, "__qualname__", "").startswith("__create_fn__")
                if _functions(value) and key in vars(old) and not generated:
                    _transplant(vars(old)[key], value)
                elif generated or not key.startswith("__"):
                    setattr(old, key, value)
            setattr(module, name, old)
        elif _functions(old) and _functions(new) and old is not new:
            _transplant(old, new)
            setattr(module, name, old)


class Trying:
    """A plugin of pytest that runs the collected tests once for each mutant, in a child each."""

    def __init__(self, chosen: Sequence[Mutant]) -> None:
        self._chosen = chosen
        self.results: dict[str, list[Mutant]] = {"survived": [], "killed": [], "timeout": []}

    def pytest_runtestloop(self, session: Any) -> bool:
        """Replaces pytest's loop, and returns to it in the children."""
        began = time.monotonic()
        if self._child(session, None, MOST_SECONDS) != "survived":
            raise SystemExit("the tests fail without a mutant")
        whole = time.monotonic() - began
        print(f"{len(self._chosen)} mutants; the tests take {whole:.1f} s", flush=True)
        for mutant in self._chosen:
            result = self._child(session, mutant, max(5 * whole, 60))
            self.results[result].append(mutant)
            if result != "killed":
                print(f"{result}: {mutant}", flush=True)
        return True

    def _child(self, session: Any, mutant: Mutant | None, seconds: float) -> str:
        sys.stdout.flush()
        if child := os.fork():
            return _wait(child, seconds)
        os.setsid()
        status = 1
        try:
            if mutant is not None:
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 1)
                os.dup2(silent, 2)
                change(mutant)
            from _pytest.main import pytest_runtestloop

            pytest_runtestloop(session)
            status = int(session.testsfailed > 0)
        except BaseException:  # noqa: BLE001 - a mutant that cannot be imported, or -x
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)


def _wait(child: int, seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _module(file: str) -> str:
    return ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")


def _has_examples(file: str) -> bool:
    return ">>> " in (ROOT / file).read_text(encoding="utf-8")


def _examples(file: str) -> str:
    """The test of the examples in a file's docstrings."""
    return f"{_UNIT}/core/test_docstring_examples.py::test_examples[{_module(file)}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--seed", type=int, default=26)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--only", help="part of the description of the mutants to try")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    files, tests = ROOMS[arguments.room]
    everything = [mutant for file in files for mutant in mutants(file)]
    number = min(arguments.sample, len(everything))
    chosen = random.Random(arguments.seed).sample(everything, number)
    if arguments.only:
        chosen = [mutant for mutant in everything if arguments.only in str(mutant)]
    print(f"{arguments.room}: {len(everything)} mutants", flush=True)
    given = [*map(_examples, filter(_has_examples, files)), *tests]
    import pytest

    trying = Trying(chosen)
    # What only PostgreSQL shows is left out: it takes a server.
    options = ["-x", "-q", "-s", "-p", "no:cacheprovider", "-o", "timeout=0", "-k", LEFT_OUT]
    pytest.main([*options, *given], plugins=[trying])
    counts = ", ".join(f"{len(found)} {name}" for name, found in trying.results.items())
    print(f"{arguments.room}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
