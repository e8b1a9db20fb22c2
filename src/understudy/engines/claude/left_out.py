"""Fields of a request that ClaudeEngine does not send to its upstream, and why each may be left out.

All else is sent as it came. Paths are written as in `wire/not_prompted`. A test holds the table, and what is sent,
against the request's type.
"""

from __future__ import annotations

from typing import Final

from understudy.wire.not_prompted import NotPrompted

LEFT_OUT: Final[tuple[NotPrompted, ...]] = (
    NotPrompted("model", "The model map says what the upstream calls it."),
    NotPrompted("stream", "The upstream always streams; the answer is framed here."),
    # Done here before an engine is asked; done a second time it would be done twice.
    NotPrompted("context_management.**", "The prompt was edited before the engine was asked."),
    NotPrompted("compaction.**", "The summary is asked for here, in a message of its own."),
    NotPrompted("messages.*.clear_at", "What it clears was taken out before the engine was asked."),
    NotPrompted("diagnostics.**", "Names an answer of this server; the prompt cache here compares the prompts."),
    NotPrompted("fallback_credit_token.**", "A credit of this server: the upstream gave none for it."),
    NotPrompted("fallbacks.**", "Who answers next is decided here: the answer could not say that another model did."),
    NotPrompted("thinking.*.block_binding.**", "Signatures were checked before the engine was asked."),
    NotPrompted("billing_policy.**", "Billing is done here."),
    NotPrompted("user_profile_id", "Is an id of this server, which the upstream does not know."),
    # Signed here, so the upstream would refuse it. What it signed itself has this server's signature once it is a
    # block of ours.
    NotPrompted("messages.*.content.*.thinking.**", "Was signed here, which no upstream can check."),
    NotPrompted("messages.*.content.*.redacted_thinking.**", "Was sealed here, which no upstream can open."),
)

FIELDS: Final = frozenset(row.path.partition(".")[0] for row in LEFT_OUT if "." not in row.path.removesuffix(".**"))
"""Fields at the top of a request that are left out whole."""
