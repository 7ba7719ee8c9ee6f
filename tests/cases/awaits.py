"""Throws an exception at any await of slod: every `await`, `async with` and `async for` of its
shells is found in the source and rewritten, in place, to ask here first.

The list is made from the syntax trees, so that an await written tomorrow is in it.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Iterator
from inspect import iscoroutine
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import exporter

ROOMS = ("app", "sources", "receivers", "store", "web", "page", "supervisor", "sdnotify", "clock")
_NAME = "__throws__"


class Unforeseen(Exception):
    """Nobody expects it."""


class Throws:
    """Throws once, at the place that is armed. `seen`: the places that were passed."""

    def __init__(self) -> None:
        self.places: set[str] = set()
        self.seen: set[str] = set()
        self.thrown = False
        self._armed: str | None = None
        self._error: type[BaseException] = Unforeseen
        self._before: list[tuple[FunctionType, CodeType]] = []

    def arm(self, place: str, error: type[BaseException]) -> None:
        """Throw at the next passage of the place."""
        self._armed, self._error, self.thrown = place, error, False

    def disarm(self) -> None:
        """Throw nowhere."""
        self._armed = None

    def _pass(self, place: str, awaited: object = None) -> None:
        self.seen.add(place)
        if self._armed == place:
            self._armed, self.thrown = None, True
            if iscoroutine(awaited):
                awaited.close()
            raise self._error(f"thrown at {place}")

    async def awaited(self, place: str, awaited: Awaitable[Any]) -> Any:
        """In the place of an awaitable."""
        self._pass(place, awaited)
        return await awaited

    def entered(self, place: str, context: Any) -> Any:
        """In the place of an asynchronous context manager."""
        self._pass(place)
        return context

    async def iterated(self, place: str, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """In the place of an asynchronous iterable."""
        async for item in items:
            self._pass(place)
            yield item

    # --- rewriting ------------------------------------------------------------------------------

    def install(self) -> None:
        """Rewrite all modules of the shells."""
        for module in _modules():
            self._rewrite(module)

    def remove(self) -> None:
        """Undo it."""
        for function, code in self._before:
            function.__code__ = code
        self._before.clear()

    def _rewrite(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        tree = ast.parse(Path(module.__file__).read_bytes())
        short = module.__name__.removeprefix("exporter.")
        rewriter = _Rewriter(short)
        new = ast.fix_missing_locations(rewriter.visit(tree))
        if not rewriter.places:
            return
        self.places |= rewriter.places
        codes = dict(_codes(compile(new, module.__file__, "exec", dont_inherit=True)))
        vars(module)[_NAME] = self
        for function in _functions(module):
            code = codes.get((function.__qualname__, function.__code__.co_firstlineno))
            if code is not None and code.co_freevars == function.__code__.co_freevars:
                self._before.append((function, function.__code__))
                function.__code__ = code


class _Rewriter(ast.NodeTransformer):
    def __init__(self, module: str) -> None:
        self.places: set[str] = set()
        self._module = module

    def visit_Await(self, node: ast.Await) -> ast.Await:
        place = self._place(node.value)
        self.generic_visit(node)
        node.value = self._call("awaited", place, node.value)
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AsyncWith:
        places = [self._place(item.context_expr) for item in node.items]
        self.generic_visit(node)
        for place, item in zip(places, node.items, strict=True):
            item.context_expr = self._call("entered", place, item.context_expr)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AsyncFor:
        place = self._place(node.iter)
        self.generic_visit(node)
        node.iter = self._call("iterated", place, node.iter)
        return node

    def _place(self, value: ast.expr) -> str:
        place = f"{self._module}:{value.lineno} {ast.unparse(value)[:60]}"
        self.places.add(place)
        return place

    def _call(self, method: str, place: str, value: ast.expr) -> ast.expr:
        call = ast.Call(
            ast.Attribute(ast.Name(_NAME, ast.Load()), method, ast.Load()),
            [ast.Constant(place), value],
            [],
        )
        return ast.copy_location(call, value)


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(exporter.__path__, "exporter."):
        room = found.name.split(".")[1]
        if room in ROOMS:
            yield importlib.import_module(found.name)


def _codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield (const.co_qualname, const.co_firstlineno), const
            yield from _codes(const)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """Functions and methods of a module that can be called by others: nested ones are made anew by
    the code around them."""
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        members = vars(value).values() if isinstance(value, type) else [value]
        for member in members:
            yield from _plain(member)


def _plain(member: object) -> Iterator[FunctionType]:
    if isinstance(member, property):
        member = member.fget
    member = getattr(member, "__func__", member)
    member = getattr(member, "__wrapped__", member)
    if isinstance(member, FunctionType):
        yield member
