"""Fields of a request that say nothing to a server of this kind, and why each may be left out.

Whatever else a request holds is translated, or refused by name. Paths are written as in `wire/not_prompted`; what
stands there is not repeated. A test holds both, and what is translated, against the request's type.
"""

from __future__ import annotations

from typing import Final

from understudy.wire.not_prompted import NotPrompted

LEFT_OUT: Final[tuple[NotPrompted, ...]] = (
    # Read here, before an engine is asked.
    NotPrompted("model", "The model map says what the upstream calls it."),
    NotPrompted("stream", "The upstream always streams; the answer is framed here."),
    NotPrompted(
        "stop_sequences.*",
        "The answer is cut here: upstreams do not say which one ended it, or look for them "
        "in thinking and calls too. Cutting closes the upstream's connection.",
    ),
    NotPrompted("metadata.user_id", "Says for whom the client asks, which is not told to others."),
    NotPrompted("user_profile_id", "Says on whose behalf the client asks, which is not told to others."),
    NotPrompted("billing_policy", "Billing is done here."),
    NotPrompted("cache_control", "The upstream's cache decides by itself what it keeps."),
    NotPrompted("**.cache_control", "The upstream's cache decides by itself what it keeps."),
    NotPrompted("diagnostics.previous_message_id", "The prompt cache here compares the prompts."),
    NotPrompted("context_management", "The prompt was edited before the engine was asked."),
    NotPrompted("messages.*.clear_at", "What it clears was taken out before the engine was asked."),
    NotPrompted("fallbacks.**", "Who answers where a model declines is decided here."),
    NotPrompted("safeguards.*", "Speaks to a classifier beside the model. There is none here."),
    NotPrompted("compaction", "The summary is asked for in a message of its own."),
    NotPrompted("container", "The code execution tool uses it; what it tells the model stands in the system prompt."),
    NotPrompted("fallback_credit_token.**", "Says how the prompt is billed here; no model is told of it."),
    NotPrompted("mcp_servers", "The tools that they bring are listed among `tools` before an engine is asked."),
    NotPrompted("thread", "Not built: refused before an engine is asked."),
    # What such servers have no counterpart of.
    NotPrompted("service_tier", "There is one tier."),
    NotPrompted("inference_geo", "The model runs where the upstream stands."),
    NotPrompted("speed", "There is one speed."),
    NotPrompted("output_config.task_budget", "What is left of it stands in the messages."),
    NotPrompted("thinking.budget_tokens", "Such servers take an effort at most, and the budget tells which."),
    NotPrompted("thinking.display", "Says what the client is shown, which is decided here."),
    NotPrompted("thinking.block_binding", "Signatures are checked here."),
    NotPrompted("**.citations", "The model does not know where a text ends that it takes over, so it cites nothing."),
    NotPrompted("**.transformations", "The upstream sizes images as its model wants them."),
    NotPrompted("**.tool_result.toolset_name", "Its call says to which toolset it belongs."),
    NotPrompted("**.tool_addition.tool.tool_reference.name", "Names a tool, which then stands among the functions."),
    NotPrompted("**.tool_removal.tool.tool_reference.name", "Names a tool, which then stands there no more."),
    NotPrompted("tools.*.eager_input_streaming", "Inputs are streamed as they come."),
    NotPrompted("tools.*.allowed_callers", "Where code may call a tool, the function that runs code tells of it."),
    NotPrompted(
        "tools.**",
        "The model may call none, and the upstream has no other way to say so.",
        "tool_choice is none and the dialect has no tool_choice",
    ),
    NotPrompted(
        "messages.*.content.*.thinking.thinking",
        "Thinking is the model's own affair once it has answered.",
        "the dialect has no thinking_history",
    ),
    NotPrompted("messages.*.content.*.redacted_thinking", "Is sealed, and of use to who sealed it alone."),
)
