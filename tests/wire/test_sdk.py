"""The request types against those of the official SDK: nothing forgotten, nothing invented."""

import importlib
import pkgutil
import types
from typing import Any, Literal, Required, get_args, get_origin

import pytest
from typing_extensions import get_type_hints, is_typeddict

from understudy.wire.gates import unwrap
from understudy.wire.requests import blocks, common, media, options, results, tool_changes, tools, toolsets
from understudy.wire.requests.params import MessageCountTokensParams, MessageCreateParams

anthropic = pytest.importorskip("anthropic")
pytestmark = pytest.mark.skipif(
    not anthropic.__version__.startswith("2.12."), reason="the types were compared with SDK 2.12"
)

# The class under which the SDK has what goes by another name here.
RENAMED = {
    "TokenTaskBudgetParam": "TaskBudgetParam",
    "InputSchemaTyped": "InputSchemaTyped",
    "RequestDocumentBlockParam": "DocumentBlockParam",
    "RequestToolAdditionBlockParam": "ToolAdditionBlockParam",
    "RequestToolRemovalBlockParam": "ToolRemovalBlockParam",
    "RequestMCPToolResultBlockParam": "MCPToolResultBlockParam",
    "RequestMCPServerURLDefinitionParam": "MCPServerURLDefinitionParam",
    "RequestMCPServerToolConfigurationParam": "MCPServerToolConfigurationParam",
    "MCPToolParamParam": "MCPToolParam",
    "MCPToolDefaultConfigParam": "MCPToolConfigParam",
    "CitationsConfigParamParam": "CitationsConfigParam",
    "WebSearchToolRequestErrorObjectParam": "WebSearchToolRequestErrorParam",
    "InputTokensClearAtLeastParam": "InputTokensParam",
    "ToolUsesKeepParam": "ToolUsesParam",
    "ToolUsesTriggerParam": "ToolUsesParam",
}
# Keys that answers carry and requests therefore bring back, though no request type has them.
OURS = {"file_id", "abort_reason"}


def sdk_types() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for package, prefix in (("anthropic.types.beta", "Beta"), ("anthropic.types", "")):
        module = importlib.import_module(package)
        for info in pkgutil.iter_modules(module.__path__):
            if info.name.endswith(("_param", "_params")):
                for name, value in vars(importlib.import_module(f"{package}.{info.name}")).items():
                    if is_typeddict(value) and name.startswith(prefix) and name.endswith(("Param", "Params")):
                        found.setdefault(f"{package}.{name}", value)
    return found


def our_types() -> dict[str, Any]:
    modules = (blocks, common, media, options, results, tool_changes, tools, toolsets)
    return {name: value for module in modules for name, value in vars(module).items() if is_typeddict(value)}


def keys(cls: Any) -> set[str]:
    return set(get_type_hints(cls, include_extras=True))


def required(cls: Any) -> set[str]:
    return {name for name, hint in get_type_hints(cls, include_extras=True).items() if unwrap(hint).required}


def required_by_sdk(cls: Any) -> set[str]:
    # Its annotations are strings, so typing's own `__required_keys__` does not see what they say.
    hints = get_type_hints(cls, include_extras=True)
    wanted = {name for name, hint in hints.items() if get_origin(hint) is Required}
    return wanted | (set(hints) if cls.__total__ and not wanted else set())


def literals(annotation: Any) -> set[object]:
    unwrapped = unwrap(annotation)
    if get_origin(unwrapped.type) is Literal:
        return set(get_args(unwrapped.type))
    if isinstance(unwrapped.type, types.UnionType) or get_origin(unwrapped.type) is not None:
        return {value for inner in get_args(unwrapped.type) for value in literals(inner)}
    return set()


def nullable(annotation: Any) -> bool:
    return types.NoneType in get_args(unwrap(annotation).type)


OURS_BY_NAME = our_types()
PAIRS = {
    name: (cls, OURS_BY_NAME[RENAMED.get(short, short)])
    for name, cls in sdk_types().items()
    if RENAMED.get(short := name.rsplit(".", 1)[1].removeprefix("Beta"), short) in OURS_BY_NAME
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_object_has_the_keys_and_constants_of_the_sdk(name: str):
    theirs, ours = PAIRS[name]
    assert keys(theirs) - keys(ours) == set()
    if ".beta." in name or f"anthropic.types.beta.Beta{name.rsplit('.', 1)[1]}" not in PAIRS:
        assert keys(ours) - keys(theirs) - OURS == set()
    assert required(ours) == required_by_sdk(theirs)
    hints = get_type_hints(ours, include_extras=True)
    for key, hint in get_type_hints(theirs, include_extras=True).items():
        if key != "model":  # model names are open
            assert literals(hint) <= literals(hints[key]), key
        if key != "caller":  # null there comes from clients that dump an answer without it
            assert nullable(hint) == nullable(hints[key]), key


def test_every_type_of_ours_was_compared_or_is_a_part_of_one():
    compared = {ours.__name__ for _, ours in PAIRS.values()}
    rest = {name for name in OURS_BY_NAME if not name.startswith("_")} - compared
    assert rest == {
        "Cacheable",
        "Called",
        "ClientToolOptions",
        "ToolOptions",
        "ToolsetMemberConfigParam",
        "InputSchemaTyped",
        "CompactTriggerParam",
    }


def test_the_bodies_have_all_fields_of_the_sdk_but_those_that_travel_as_headers():
    from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams as TheirCount
    from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as TheirCreate

    assert keys(TheirCreate) - keys(MessageCreateParams) == {"betas", "workspace_id"}
    assert keys(TheirCount) - keys(MessageCountTokensParams) == {"betas", "workspace_id"}
    assert keys(MessageCreateParams) - keys(TheirCreate) == {
        "temperature",
        "top_k",
        "top_p",
        "output_format",
        "safeguards",
    }


@pytest.mark.parametrize("alias", ["BetaContentBlockParam", "BetaToolUnionParam"])
def test_a_union_has_all_members_of_the_sdk(alias: str):
    import anthropic.types.beta as sdk

    ours = {"BetaContentBlockParam": blocks.ContentBlockParam, "BetaToolUnionParam": tools.ToolUnionParam}[alias]

    def tags(annotation: Any) -> set[object]:
        unwrapped = unwrap(annotation)
        if is_typeddict(unwrapped.type):
            return literals(get_type_hints(unwrapped.type, include_extras=True)["type"])
        return {tag for inner in get_args(unwrapped.type) for tag in tags(inner)}

    assert tags(getattr(sdk, alias)) == tags(ours)
