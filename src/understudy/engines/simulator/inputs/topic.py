"""What an ask is about, without the words that only ask for it."""

from __future__ import annotations

import re
from typing import Final

_POLITE: Final = re.compile(
    r"(?i)^(?:(?:hi|hello|hey|ok|okay|please|thanks|and|then|now|also|so|first|next|finally)\b[\s,!.:]*|"
    r"(?:can|could|would|will)\s(?:you|we)\s(?:please\s)?|i(?:'d|\swould)\s(?:like|love)\s(?:you\s)?(?:to\s)?|"
    r"i\s(?:want|need)\s(?:you\s)?(?:to\s)?|let'?s\s|help\sme\s(?:to\s)?|go\sahead\sand\s)"
)
_ASKING: Final = re.compile(
    r"(?i)^(?:(?:do\s)?(?:a\s)?(?:(?:quick|web|internet|online|google)\s)*(?:search|look|hunt)(?:ing)?"
    r"(?:\s(?:up|into|for|on|through|the|our|my|web|internet|online|docs?|documentation|knowledge\sbase|database|wiki))*"
    r"(?:\s(?:for|about|on))?|find(?:\sout)?(?:\sme)?(?:\s(?:about|information|info|articles?|papers?)\b)*"
    r"(?:\s(?:on|about))?|google|query|fetch|play(?:\ssome|\sme)?|queue(?:\sup)?|listen\sto|put\son|get(?:\sme)?|show(?:\sme)?|give\sme|tell\sme(?:\sabout)?|research|"
    r"list|retrieve|explain|describe|check|what(?:'s|\sis|\sare|\swas|\swere)|who(?:'s|\sis|\sare)|"
    r"where(?:'s|\sis|\sare)|how\sdo\s(?:you|i|we)\ssay|how\s(?:do|can|to|does)(?:\s(?:i|we|you|one))?|"
    r"(?:have\s(?:you|we)\s)?got(?:\sany)?|are\sthere\sany|is\sthere(?:\san?|\sany)?|do\s(?:we|you)\shave(?:\sany)?)\s+"
)
_TAIL: Final = re.compile(
    r"(?i)(?:[\s,]*(?:please|thanks|thank\syou|for\sme|on\sthe\s(?:web|internet)|online|right\snow))+[\s.!?]*$"
)
_ABOUT: Final = re.compile(
    r"(?i)\b(?:about|regarding|concerning|on\sthe\s(?:topic|subject)\sof)\s+(?P<rest>(?!\d|an?\s\d)[^.!?\n]+)"
)


def topic(ask: str) -> str:
    """The ask without politeness and the verb of asking: `Please search for cheap flights.` → `cheap flights`."""
    text = ask.strip().split("\n\n", maxsplit=1)[0][:600].strip()
    for _ in range(4):
        shorter = _POLITE.sub("", text, count=1)
        if shorter == text:
            break
        text = shorter
    text = _TAIL.sub("", text).strip().rstrip("?.! ")
    asked = _ASKING.sub("", text, count=1)
    for article in ("the ", "a ", "an ", "any ", "some ", "for ", "about "):
        if asked.lower().startswith(article):
            asked = asked[len(article) :]
    asked = asked.strip().strip("\"'“”")
    return asked or text


def about(ask: str) -> str | None:
    """What stands after "about" and its like."""
    match = _ABOUT.search(ask)
    return None if match is None else _TAIL.sub("", match["rest"]).strip().rstrip("?.! ")
