"""Texts by template: Jinja2 in its sandbox, checked when the file is read, bounded when rendered.

A template is the operator's, but what it is filled with is not: a label may say anything. So
nothing can be reached but the variables below, they cannot be changed, and neither a loop nor a
product makes a text without end. Jinja2 is imported when there is a template, and not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from exporter.config.findings import nearest

if TYPE_CHECKING:
    from jinja2 import Environment, Template

VARIABLES = frozenset(
    {"alertname", "annotations", "ends_at", "external_url", "fingerprint", "labels", "receiver"}
    | {"service", "severity", "slo", "starts_at", "status", "text", "title"}
)
MOST = 64 * 1024
"""Characters of a rendered text."""
_WIDE = ("center", "indent", "wordwrap", "format", "slice", "batch", "random")
"""Filters that make much out of little, or another text at each attempt."""


class TemplateFault(ValueError):
    """A template that cannot be used, or rendered with what there is; one line."""


def is_template(source: str) -> bool:
    """Whether there is anything in it to fill in."""
    return any(mark in source for mark in ("{{", "{%", "{#"))


def check_template(source: str) -> None:
    """`TemplateFault` when it is no template or asks for a variable that there is not."""
    from jinja2 import TemplateError, meta

    environment = _environment()
    try:
        wanted = meta.find_undeclared_variables(environment.parse(source))
        environment.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line} of the template)" if line and "\n" in source.rstrip() else ""
        raise TemplateFault(f"not a template: {_line(error)}{where}") from None
    for name in sorted(wanted - VARIABLES):
        raise TemplateFault(f"unknown variable {name!r}{_known(name)}")


def render(source: str, variables: Mapping[str, Any]) -> str:
    """The text; `TemplateFault` where a value is missing or the text grows too long."""
    if not is_template(source):
        return source
    parts: list[str] = []
    size = 0
    try:
        for part in _compiled(source).generate(variables):
            parts.append(part)
            size += len(part)
            if size > MOST:
                raise TemplateFault(f"the text is longer than {MOST} characters")
    except TemplateFault:
        raise
    # A template can raise whatever an operation on its values raises.
    except Exception as error:  # noqa: BLE001
        raise TemplateFault(_line(error)) from None
    # Half a surrogate pair, which a template may write, could not be sent.
    return "".join(parts).encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Bounded(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            numbers = all(isinstance(v, (int, float)) and abs(v) < 1e12 for v in (left, right))
            if not numbers or operator == "**":
                raise SecurityError(f"{operator} is for numbers only, and ** for none")
            return super().call_binop(context, operator, left, right)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            # x.ljust(999999999) is a text without end, too.
            if isinstance(obj, str) and attr in _METHODS:
                return False
            return super().is_safe_attribute(obj, attr, value)

        def wrap_str_format(self, value: Any) -> Any:
            # And so is "{:>999999999}".format(x).
            if super().wrap_str_format(value) is not None:
                raise SecurityError("format is not allowed; write {{ a }} {{ b }}")

    made = Bounded(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.globals.clear()
    for name in _WIDE:
        del made.filters[name]
    return made


_METHODS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _known(name: str) -> str:
    return nearest(name, VARIABLES) or "; there is " + ", ".join(sorted(VARIABLES))
