"""The rooms and who may enter which: imports point down only, files stay small."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "exporter"
FILES = sorted(PACKAGE.rglob("*.py"))

EDGES = frozenset(
    {"sources", "receivers", "store", "web", "formats", "demo", "report"}
    | {"page", "promql", "series"}
)
KNOW_EVERYBODY = frozenset({"app", "backtest", "cli", "__main__"})
SHARED = frozenset(
    {"errors", "clock", "log", "http", "lean", "config", "sdnotify", "charts", "descriptors"}
    | {"promql_text", "memory_limit", "bodies", "inflate", "room", "headers", "printable"}
    | {"http_errors", "supervisor", "redaction", "address"}
)
"""What stands beside the core: no edge of its own, may be used by every edge."""

MOST_LINES = 300
LONGER: dict[str, str] = {
    "core/evidence.py": "one table of explanations, which are only weighed against each other",
    "core/walk.py": "one pass over the looks of a process; each of its steps reads and writes the"
    " same cursors, and apart they would be read together all the same",
}
"""Each exception with its reason; a file that has shrunk again must leave the list."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """The folder under exporter/, or the name of a file that stands there itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in a file, also late or for types only."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            module = node.module or ""
            if module in ("exporter", "exporter.core"):
                for alias in node.names:
                    yield node.lineno, f"{module}.{alias.name}"
            else:
                yield node.lineno, module


def rooms_used(path: Path) -> Iterator[tuple[int, str]]:
    for line, module in imports_of(path):
        if module.startswith("exporter."):
            yield line, module.split(".")[1]


def parametrized(*rooms: str) -> pytest.MarkDecorator:
    chosen = [path for path in FILES if not rooms or room_of(path) in rooms]
    return pytest.mark.parametrize("path", chosen, ids=name_of)


THIRD_PARTY = {
    # As pure as `re`, which has no bound of time; and what a selector takes is the core's business.
    "core/regex.py": "re2",
}
"""The one package that a file of the core may import, with the reason."""


@parametrized("core")
def test_the_core_imports_the_standard_library_and_itself(path: Path) -> None:
    for line, module in imports_of(path):
        if module == THIRD_PARTY.get(name_of(path)):
            continue
        inside = module == "exporter.core" or module.startswith("exporter.core.")
        standard = module.split(".")[0] in sys.stdlib_module_names
        assert inside or standard, f"{name_of(path)}:{line} imports {module}"


IMPURE = frozenset(
    {"asyncio", "time", "random", "secrets", "uuid", "logging", "os", "socket", "ssl", "sqlite3"}
    | {"threading", "subprocess", "pathlib", "urllib", "http", "io", "tempfile", "shutil"}
)


COMPILES = {"core/linear.py"}
"""Where Python's own engine is given an expression that was not written in the code."""
_TAKE_EXPRESSIONS = frozenset(
    {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
)


def _is_our_own(node: ast.expr) -> bool:
    """Tell whether an expression is a text of the code, a constant, or an escaped text."""
    match node:
        case ast.Constant() | ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="escape")):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
        case ast.JoinedStr(values=parts):
            return all(map(_is_our_own, parts))
        case ast.FormattedValue(value=value):
            return _is_our_own(value)
        case ast.BinOp(left=left, right=right):
            return _is_our_own(left) and _is_our_own(right)
    return False


@parametrized()
def test_an_expression_from_outside_goes_to_one_place(path: Path) -> None:
    """Python's engine may take exponential time, so it gets no expression that anybody sent."""
    tree = ast.parse(path.read_bytes())
    # What is compiled at the import comes from the code.
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in (node for function in functions for node in ast.walk(function)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=attr), args=[first, *_]
            ) if attr in _TAKE_EXPRESSIONS and name_of(path) not in COMPILES:
                assert _is_our_own(first), f"{name_of(path)}:{node.lineno}: re.{attr}()"
    assert not any(isinstance(n, ast.ImportFrom) and n.module == "re" for n in ast.walk(tree))


@parametrized("core")
def test_the_core_has_no_clock_no_randomness_and_no_io(path: Path) -> None:
    for line, module in imports_of(path):
        assert module.split(".")[0] not in IMPURE, f"{name_of(path)}:{line} imports {module}"
    calls = {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    }
    assert not calls & {"datetime.now", "datetime.utcnow", "date.today"}


@parametrized(*EDGES)
def test_an_edge_imports_no_other_edge_and_nothing_above(path: Path) -> None:
    allowed = {room_of(path), "core", "__version__"} | SHARED
    for line, room in rooms_used(path):
        assert room in allowed, f"{name_of(path)}:{line} imports exporter.{room}"


@parametrized(*SHARED)
def test_what_all_share_knows_no_edge(path: Path) -> None:
    allowed = SHARED | {"core", "__version__"}
    for line, room in rooms_used(path):
        assert room in allowed, f"{name_of(path)}:{line} imports exporter.{room}"


def test_every_room_has_a_place_in_this_order() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms <= {"core", "__init__"} | EDGES | SHARED | KNOW_EVERYBODY


@parametrized()
def test_a_file_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text("utf-8")
    long = len(text.splitlines()) > MOST_LINES
    assert long == (name_of(path) in LONGER), f"{MOST_LINES} lines at most; or give a reason above"
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "no docstring at the top"


@parametrized()
def test_nothing_is_left_for_later(path: Path) -> None:
    # Put together from halves, so that this file may look for itself too.
    left = re.search(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b", path.read_text("utf-8"))
    assert left is None
