"""Mutation test: changes one place of a file, runs the unit tests of its room, lists what survives.

    python benchmarks/operations/mutants.py ROOM [--seed 26] [--sample 40]

Mutants exist in memory only: a child of this process imports the changed module in place of the
file. The libraries are imported once, before the children are made, so that a mutant costs what its
tests cost. Code that a test starts as a command of its own is not changed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
OURS = ("components", "flows", "serving", "monitoring", "tests", "conftest")
MOST_SECONDS = 120  # for the tests of one mutant, which may never end

_UNIT = "tests/unit"
# Room -> files that are mutated, tests that must notice.
ROOMS: dict[str, tuple[list[str], list[str]]] = {
    "scrub": (
        [f"components/core/scrub/{name}.py" for name in ("__init__", "pseudonyms", "suppression")],
        [f"{_UNIT}/privacy/test_{name}.py"
         for name in ("pseudonyms", "suppression", "scrub_merging", "scrub", "scrub_cache", "languages")],
    ),
    "signing": (["components/core/bundle/signing.py"], [f"{_UNIT}/bundle/test_signing.py"]),
    "access": (
        ["serving/http/auth.py", "serving/http/api_keys.py"],
        [f"{_UNIT}/serving/test_api_keys.py", f"{_UNIT}/serving/test_gateway.py",
         f"{_UNIT}/serving/test_auth.py"],
    ),
    "gate": (
        [f"components/gate/{name}.py" for name in ("checks", "comparison", "baselines")],
        [f"{_UNIT}/stages/test_gate.py", f"{_UNIT}/stages/test_gate_baselines.py",
         f"{_UNIT}/stages/test_gate_comparison.py"],
    ),
    "ledger": (
        [f"components/core/ledger/{name}.py"
         for name in ("feedback", "labels", "windows", "trials", "deployments", "decisions", "versions")],
        [f"{_UNIT}/core/test_ledger_deployments.py", f"{_UNIT}/core/test_ledger_joins.py",
         "tests/pipeline/test_ledger.py", "tests/pipeline/test_ledger_trials.py"],
    ),
    "governor": (
        ["monitoring/governor.py", "monitoring/governor_inputs.py"],
        [f"{_UNIT}/monitoring/test_governor.py"],
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


def _left_alone(tree: ast.Module) -> set[int]:
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
        if isinstance(node, ast.AnnAssign):
            skip(node.annotation)
        if isinstance(node, ast.arg):
            skip(node.annotation)
        if isinstance(node, ast.FunctionDef):
            skip(node.returns)
        if isinstance(node, (ast.ImportFrom, ast.Import)):
            skip(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
            if node.test.id == "TYPE_CHECKING":
                skip(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("cast", "TypeVar"):
                skip(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            if any(isinstance(t, ast.Name) and t.id[:1].isupper() for t in node.targets):
                skip(node)  # an alias of a type
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                skip(argument)
        if isinstance(node, ast.JoinedStr):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    skip(part.format_spec)
    return ids


def mutants(file: str) -> Iterator[Mutant]:
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


def _change(node: ast.AST, mutant: Mutant) -> ast.AST:
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


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from a tree in place of its file."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self._path = str(ROOT / file)
        self._package = file.endswith("__init__.py")
        self._name = _module(file)
        self._tree = tree

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> object:
        if fullname != self._name:
            return None
        folder = [str(Path(self._path).parent)] if self._package else None
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=self, submodule_search_locations=folder
        )

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def get_code(self, fullname: str) -> object:
        return compile(self._tree, self._path, "exec", dont_inherit=True)


def _child(mutant: Mutant | None, tests: Sequence[str], log: Path, names: Path | None) -> int:
    """Runs the tests in a new process; returns its id."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    os.setsid()
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = 3
    try:
        if mutant is not None:
            tree = changed(mutant) if mutant.rule else _tree(mutant.file)
            sys.meta_path.insert(0, _Finder(mutant.file, tree))
        import pytest

        given = [test for test in tests if (ROOT / test.partition("::")[0]).exists()]
        # What only PostgreSQL shows is left out: it takes a server.
        status = int(
            pytest.main(
                [
                    "-x",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "-k",
                    "not postgresql",
                    "-W",
                    "ignore::pytest.PytestAssertRewriteWarning",
                    *given,
                ]
            )
        )
        if names is not None:
            names.write_text(
                "\n".join(name for name in sys.modules if name.split(".")[0] not in OURS)
            )
    except BaseException:  # noqa: BLE001 - told, and no test is run twice
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
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
    parser = argparse.ArgumentParser()
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--seed", type=int, default=26)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--only", help="part of the description of the mutants to run")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    files, tests = ROOMS[arguments.room]
    tests = [*map(_examples, filter(_has_examples, files)), *tests]
    everything = [mutant for file in files for mutant in mutants(file)]
    chosen = random.Random(arguments.seed).sample(
        everything, min(arguments.sample, len(everything))
    )
    if arguments.only:
        chosen = [mutant for mutant in everything if arguments.only in str(mutant)]
    log, names = Path(f"/tmp/mutants-{os.getpid()}.log"), Path(f"/tmp/mutants-{os.getpid()}.txt")
    began = time.monotonic()
    if _wait(_child(None, tests, log, names), 10 * MOST_SECONDS) != "survived":
        print(log.read_text()[-3000:])
        return 1
    whole = time.monotonic() - began
    for name in names.read_text().splitlines():
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - a library that only some process can import
            continue
    for file in files:  # as a mutant is made, and with no change
        if _wait(_child(Mutant(file, 0, 0, ""), tests, log, None), MOST_SECONDS) != "survived":
            print(log.read_text()[-3000:])
            return 1
    print(
        f"{arguments.room}: {len(everything)} mutants, {len(chosen)} tried; tests take {whole:.0f} s"
    )
    results: dict[str, list[Mutant]] = {"survived": [], "killed": [], "timeout": []}
    for mutant in chosen:
        result = _wait(_child(mutant, tests, log, None), max(3 * whole, 20))
        results[result].append(mutant)
        if result != "killed":
            print(f"{result}: {mutant}", flush=True)
    print(
        f"{arguments.room}: " + ", ".join(f"{len(found)} {name}" for name, found in results.items())
    )
    log.unlink(missing_ok=True)
    names.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
