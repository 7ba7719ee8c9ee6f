"""From the values of a TOML table to a frozen struct, with every error in it, not only the first.

msgspec reports the first error of a value; so it is asked field by field, and an unknown key gets
the nearest name there is.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from exporter.config.duration import parse_duration
from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.config.settings import Duration, Size

S = TypeVar("S", bound=msgspec.Struct)

_EXPECTED = re.compile(r"Expected `(?P<want>[^`]+)`, got `(?P<got>[^`]+)`")
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "",
}
_SIZE = re.compile(r"0*([1-9][0-9]{0,11}) ?(B|KiB|MiB|GiB|KB|MB|GB)")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SECRETS = ("password", "secret", "token", "bearer_token", "api_key", "routing_key", "url", "urls")


class Span(Duration):
    """A duration that remembers how the file spells it; 0 is not one."""

    label: str = ""


def span(label: str) -> Span:
    """The duration spelled like this; `ValueError` as `parse_duration`."""
    made = Span(parse_duration(label))
    made.label = label
    return made


class _Faulty:
    """Stands for a value that was reported; a field's default takes its place."""


_FAULTY = _Faulty()


def convert(
    raw: object,
    cls: type[S],
    path: Path,
    findings: Findings,
    *,
    given: Mapping[str, object] | None = None,
) -> S | None:
    """The table as `cls`; None when it cannot be made, and `findings` say why.

    `given` are fields that the file may not set. A faulty field with a default is reported and
    replaced by the default, so that the checks after this one find the other errors too.
    """
    if not isinstance(raw, dict):
        findings.error(path, f"must be a table, not {_kind(raw)}")
        return None
    given = given or {}
    fields = {key: f for key, f in _fields(cls).items() if key not in given}
    for key in raw:
        if key in given:
            findings.error((*path, key), f"stands in the table's header already; leave {key!r} out")
        elif key not in fields:
            findings.error((*path, key), _unknown(key, fields))
    values: dict[str, object] = dict(given)
    whole = True
    for key, field in fields.items():
        if key in raw:
            value = _value(raw[key], field.type, (*path, key), findings)
            if value is not _FAULTY:
                values[field.name] = value
                continue
        elif field.required:
            findings.error(path, f"the key {key!r} is missing")
        whole = whole and not field.required
    return cls(**values) if whole else None


def convert_tagged(
    raw: object,
    choices: tuple[type[S], ...],
    path: Path,
    findings: Findings,
    *,
    given: Mapping[str, object] | None = None,
) -> S | None:
    """The table as that one of `choices` which its key `type` names; None as above."""
    by_type = {str(c.__struct_config__.tag): c for c in choices}
    if not isinstance(raw, dict):
        findings.error(path, f"must be a table, not {_kind(raw)}")
        return None
    kind = raw.get("type")
    if kind is None:
        findings.error(path, f"the key 'type' is missing{nearest('', by_type)}")
        return None
    if not isinstance(kind, str) or kind not in by_type:
        findings.error((*path, "type"), f"unknown type {kind!r}{nearest(str(kind), by_type)}")
        return None
    rest = {key: value for key, value in raw.items() if key != "type"}
    return convert(rest, by_type[kind], path, findings, given=given)


@functools.cache
def _fields(cls: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    # Resolving the annotations takes longer than all the rest, and 1,000 SLOs share a few classes.
    return {field.encode_name: field for field in msgspec.structs.fields(cls)}


def _value(raw: object, kind: Any, path: Path, findings: Findings) -> Any:
    """One value as `kind`: a class, a union, `dict[str, T]`, `tuple[T, ...]` or a Literal."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        kind = _member(raw, args) or kind
        origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and isinstance(raw, dict):
        items = {k: _value(v, args[1], (*path, k), findings) for k, v in raw.items()}
        return _FAULTY if _FAULTY in items.values() else items
    if origin is tuple and isinstance(raw, list):
        values = [_value(v, args[0], (*path, i), findings) for i, v in enumerate(raw)]
        return _FAULTY if _FAULTY in values else tuple(values)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        made = convert(raw, kind, path, findings)
        return _FAULTY if made is None else made
    if isinstance(kind, type) and issubclass(kind, Duration):
        return _duration(raw, kind, path, findings)
    if kind is Size:
        return _size(raw, path, findings)
    if origin is Literal and raw not in args:
        findings.error(path, f"unknown value {raw!r}{nearest(str(raw), map(str, args))}")
        return _FAULTY
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        findings.error(path, _say(str(error)))
        return _FAULTY


def _member(raw: object, args: tuple[Any, ...]) -> Any:
    """The member of a union that this value must mean, where its shape or the union tells."""
    rest = [a for a in args if a is not type(None)]
    structs = [a for a in rest if isinstance(a, type) and issubclass(a, msgspec.Struct)]
    shaped = [a for a in rest if typing.get_origin(a) in (dict, tuple)]
    if isinstance(raw, dict) and structs:
        return structs[0]
    if isinstance(raw, list) and shaped:
        return shaped[0]
    plain = [a for a in rest if a not in structs and a not in shaped]
    if len(rest) == 1:
        return rest[0]
    if len(plain) == 1 and (isinstance(raw, str) or issubclass(plain[0], Duration)):
        return plain[0]
    return None


def _duration(raw: object, kind: type[Duration], path: Path, findings: Findings) -> Any:
    if not isinstance(raw, str):
        hint = f'; with its unit, like "{raw}s"' if type(raw) is int else ""
        findings.error(path, f"must be a duration in quotes, not {_kind(raw)}{hint}")
        return _FAULTY
    try:
        made = span(raw) if issubclass(kind, Span) else kind(parse_duration(raw))
    except ValueError as error:
        findings.error(path, str(error))
        return _FAULTY
    if isinstance(made, Span) and made <= 0:
        findings.error(path, "must be longer than 0")
        return _FAULTY
    return made


def _size(raw: object, path: Path, findings: Findings) -> Any:
    spelled = _SIZE.fullmatch(raw) if isinstance(raw, str) else None
    if spelled is not None:
        return Size(int(spelled[1]) * _UNITS[spelled[2]])
    if type(raw) is int and raw > 0:
        return Size(raw)
    findings.error(path, 'must be a size such as "64MiB", or a number of bytes')
    return _FAULTY


def _unknown(key: str, fields: Mapping[str, object]) -> str:
    safe = [f"{key}{end}" for end in ("_file", "_env") if f"{key}{end}" in fields]
    if key in _SECRETS and safe:
        return "a secret may not stand in the file; give " + " or ".join(map(repr, safe))
    if not fields:
        return f"unknown key {key!r}"
    return f"unknown key {key!r}{nearest(key, fields)}"


def _say(message: str) -> str:
    found = _EXPECTED.search(message)
    if found is None:
        return message[:1].lower() + message[1:]
    names = found["want"].split(" | ")
    if "float" in names and "int" in names:
        names.remove("int")
    wants = [word for name in names if (word := _WORDS.get(name, name))]
    return f"must be {' or '.join(wants)}, not {_WORDS.get(found['got'], found['got'])}"


def _kind(raw: object) -> str:
    names = {dict: "object", list: "array", bool: "bool", int: "int", float: "float", str: "str"}
    return _WORDS.get(names.get(type(raw), ""), type(raw).__name__)
