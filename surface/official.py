"""What the official Python SDK has: every method with its route, every type, every beta.

Taken from the installed package: routes from its source, types by introspection. Nothing of this project is imported,
so `python -m surface.official` also describes an SDK that is installed elsewhere, as JSON on standard output.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
import typing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from typing_extensions import is_typeddict

from surface.shapes import Fields, Shape, Shapes, members_of

# Arguments of every method, which are none of a route's.
_OWN_ARGUMENTS = {"self", "extra_headers", "extra_query", "extra_body", "timeout", "betas"}
_VERBS = {"get": "GET", "get_api_list": "GET", "post": "POST", "put": "PUT", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the SDK, and the route it asks. `body`, `query` and `headers` are what it sends, by wire name."""

    name: str
    verb: str
    path: str
    body: Fields
    query: Fields
    headers: list[str]
    answer: Shape


@dataclass(frozen=True, slots=True)
class Sdk:
    """The SDK as data. `models` are the types of answers; `unused` those that no method sends or answers with."""

    version: str
    methods: list[Method]
    objects: dict[str, Fields]
    models: list[str]
    unused: list[str]
    betas: list[str]
    errors: Shape

    def method(self, name: str) -> Method:
        return next(method for method in self.methods if method.name == name)


def describe() -> Sdk:
    """The SDK that is installed beside this Python."""
    anthropic = importlib.import_module("anthropic")
    shapes = Shapes(_name_of)
    methods = sorted(_methods(shapes), key=lambda method: method.name)
    errors = shapes.of(importlib.import_module("anthropic.types.shared").ErrorResponse)
    used = set(shapes.classes.values())
    unused = sorted({_name_of(cls) for cls in _classes() if cls not in used})
    betas = [str(member["value"]) for member in _literals(shapes, anthropic.types.AnthropicBetaParam)]
    return Sdk(anthropic.__version__, methods, shapes.objects, shapes.models, unused, betas, errors)


def load(text: str) -> Sdk:
    """What `main` printed."""
    data = json.loads(text)
    methods = [Method(**method) for method in data.pop("methods")]
    return Sdk(methods=methods, **data)


def _literals(shapes: Shapes, alias: Any) -> list[dict[str, Any]]:
    shape = cast("dict[str, Any]", shapes.of(alias))
    return [member for member in shape["union"] if isinstance(member, dict)]


def _name_of(cls: type) -> str:
    """`BetaMessage`, `organization.Workspace`: the class with the packages above it, without the file's own."""
    packages = cls.__module__.removeprefix("anthropic.").removeprefix("types.").split(".")[:-1]
    return ".".join([*(part for part in packages if part not in {"types", "shared"}), cls.__name__])


def _classes() -> Iterator[type]:
    """Every object type under anthropic.types; the arguments of methods (`…Params`) are taken from the methods."""
    package = importlib.import_module("anthropic.types")
    for info in pkgutil.walk_packages(package.__path__, "anthropic.types."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            is_object = is_typeddict(value) or (isinstance(value, type) and issubclass(value, BaseModel))
            if is_object and value.__module__ == info.name and not info.name.endswith("_params") and name[0] != "_":
                yield value


def _methods(shapes: Shapes) -> Iterator[Method]:
    package = importlib.import_module("anthropic.resources")
    root = Path(package.__path__[0])
    for file in sorted(root.rglob("*.py")):
        parts = list(file.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            continue
        module = importlib.import_module(".".join(["anthropic.resources", *parts]))
        names = parts[:-1] if len(parts) > 1 and parts[-1] == parts[-2] else parts
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "SyncAPIResource" for base in node.bases):
                cls = getattr(module, node.name)
                for function in node.body:
                    call = _call(function) if isinstance(function, ast.FunctionDef) else None
                    if call is not None and not _is_overload(function):
                        name = ".".join([*names, cast("ast.FunctionDef", function).name])
                        yield _method(name, function, call, getattr(cls, name.rpartition(".")[2]), shapes)


def _is_overload(function: ast.AST) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in getattr(function, "decorator_list", []))


def _call(function: ast.AST) -> ast.Call | None:
    """The one call that sends a request under the method's own name; helpers over other methods have none."""
    own = getattr(function, "name", "")
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("self._") in _VERBS:
            names = re.findall(r"span_name='([\w.]+)'", ast.unparse(node))
            if ast.unparse(node.func).startswith("self._") and (not names or names[0].endswith(f".{own}")):
                return node
    return None


def _method(name: str, function: ast.AST, call: ast.Call, bound: Any, shapes: Shapes) -> Method:
    verb = _VERBS[ast.unparse(call.func).removeprefix("self._")]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if "method" in keywords:
        verb = str(ast.literal_eval(keywords["method"])).upper()
    path, in_path = _path(call)
    in_query = _keys(keywords.get("options"), "query")
    in_body = _keys(call, "body") if isinstance(keywords.get("body"), ast.Dict) else None
    headers = _headers(function)
    hints = typing.get_type_hints(bound, include_extras=True)
    answer = shapes.of(hints.pop("return"))
    sent: Fields = {}
    for parameter in inspect.signature(bound).parameters.values():
        if parameter.name in _OWN_ARGUMENTS or parameter.name in in_path or parameter.name in headers.values():
            continue
        # What helpers take and turn into another field is no field itself.
        if in_body is not None and parameter.name not in in_body and parameter.name not in in_query.values():
            continue
        shape = shapes.of(_without_omit(hints[parameter.name]))
        sent[parameter.name] = {"required": parameter.default is inspect.Parameter.empty, "shape": shape}
    return Method(
        name=name,
        verb=verb,
        path=path,
        body={field: how for field, how in sent.items() if field not in in_query.values()},
        # Lists are written with brackets: `lifecycle[]=active&lifecycle[]=retired`.
        query={key + "[]" * _is_list(sent[argument]): sent[argument] for key, argument in in_query.items()},
        headers=sorted(headers),
        answer=answer,
    )


def _path(call: ast.Call) -> tuple[str, set[str]]:
    """The template of the path, and the arguments that fill it."""
    template = call.args[0]
    filled = {ast.unparse(keyword.value) for keyword in getattr(template, "keywords", [])}
    # The name that traces have for it: the results of a batch are read from a URL that an answer gave.
    named = re.search(r"span_route='([^']+)'", ast.unparse(call))
    written = next(node.value for node in ast.walk(template) if isinstance(node, ast.Constant)) if not named else None
    return str(written) if named is None else named[1], filled


def _keys(options: ast.expr | None, name: str) -> dict[str, str]:
    """Wire name → argument, of the dict that `options` has as its keyword `name`."""
    if not isinstance(options, ast.Call):
        return {}
    for keyword in options.keywords:
        found = next((node for node in ast.walk(keyword.value) if isinstance(node, ast.Dict)), None)
        if keyword.arg == name and found is not None and all(isinstance(key, ast.Constant) for key in found.keys):
            pairs = zip(found.keys, found.values, strict=True)
            return {str(cast("ast.Constant", key).value): ast.unparse(value) for key, value in pairs}
    return {}


def _headers(function: ast.AST) -> dict[str, str]:
    """The headers that arguments fill, by name; the value is the argument's name."""
    found: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "strip_not_given":
            filled = cast("ast.Dict", node.args[0])
            for key, value in zip(filled.keys, filled.values, strict=True):
                names = [part.id for part in ast.walk(value) if isinstance(part, ast.Name)]
                found[str(cast("ast.Constant", key).value)] = "betas" if "betas" in names else names[0]
    return found


def _is_list(how: dict[str, Any]) -> bool:
    return any(isinstance(member, dict) and "list" in member for member in members_of(how["shape"]))


def _without_omit(annotation: Any) -> Any:
    members = [member for member in typing.get_args(annotation) if getattr(member, "__name__", "") not in _NOT_SENT]
    if len(members) == len(typing.get_args(annotation)):
        return annotation
    return typing.Union[tuple(members)]  # noqa: UP007


_NOT_SENT = {"Omit", "NotGiven"}


def main() -> None:
    json.dump(asdict(describe()), sys.stdout)


if __name__ == "__main__":
    main()
