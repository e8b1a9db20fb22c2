"""Noun phrases: parts of sentences that name something, with the word that brings them as their cue."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from . import words
from .tokens import Value

if TYPE_CHECKING:
    from .values import Text

_MOST: Final = 60
STOP: Final = "."
PAUSES: Final = frozenset(",;:!?\n.")
_JOINING: Final = frozenset("and or but then plus und et y oder".split())
_SUBJECTS: Final = frozenset("i we you he she they it who".split())
_MODALS: Final = frozenset("would will should must might may shall".split())
BREAKS: Final = words.PREPOSITIONS | frozenset(
    """and or but then so please thanks now again also too right just still yet if because while not don't can
    could would should will shall may might must do does did have has had having be been being was were am is
    are what who which where when why how whose i we you he she they it me us him them there here i'm i'd i've
    we'd it's what's where's who's let's without only around across along up off out asap today tonight tomorrow
    away back down as soon possible instead though maybe like least costs cost goes go gets needs need wants want
    makes comes says means runs keep keeps still once twice someone anyone everyone something anything whether
    actually really already lately recently yet he's she's they're we're you're that's there's isn't wasn't won't
    ich du er sie wir mir mich dir uns bitte ist sind war für von mit bei nach zu zum
    zur im am um auf aus den dem des der die das ein eine einen je tu il nous vous pour avec dans sur le la les
    un une des du est sont qui que et à de en au aux el los las por para con del al una es son y o""".split()
)
_COMMANDS: Final = frozenset(
    "put make take give show tell bring get let go add set keep send please pls plz thx".split()
)
_UNITS: Final = frozenset((*words.SECONDS, *words.UNITS.values(), "month", "year", "percent", "degree"))
_STRONG: Final = frozenset(
    "quoted code url email path datetime date time ip version phone id channel handle money percent address".split()
)


def chunks(text: Text) -> list[Value]:
    """Noun phrases without their article: of kind "phrase" after a preposition, of kind "object" elsewhere.

    `before` begins with the preposition. Numbers that count what follows, dates and other typed values end a phrase.
    """
    tokens = text.tokens
    strong, names = _spans(text)
    found: list[Value] = []
    open_at: int | None = None
    last_end = 0
    cue = ""
    beginning = True
    after_subject = False
    counted = False
    last_start = number_end = -1
    numbers = {value.start: value for value in text.values if value.kind in ("number", "expression")}
    previous = -1

    def close() -> None:
        nonlocal open_at
        if open_at is not None and last_end > open_at:
            piece = text.text[open_at:last_end].strip(" \"'“”")
            alone = open_at in numbers and numbers[open_at].end >= last_end
            command = piece.lower() in _COMMANDS and text.text[max(0, open_at - 2) : open_at] not in ("a ", "e ")
            if (
                not alone
                and not command
                and not piece.isdigit()
                and (len(piece) > 1 or piece.isupper())
                and not _only_points(piece)
            ):
                found.append(_value(text, open_at, last_end, piece, cue))
        open_at = None

    for index, (token, start, end) in enumerate(tokens):
        if len(found) >= _MOST:
            break
        lower = token.lower().replace("’", "'")
        if start < number_end:
            last_end = end if open_at is not None else last_end
            continue
        inside = strong.get(start)
        if inside is not None:
            if inside == 2 and open_at is not None and last_end == start - 1 and names.get(previous):
                # A code goes on with a name: "Nokto X2".
                last_end = end
                continue
            if inside >= 0:
                close()
                beginning = False
                cue = cue if inside == 0 else ""
            continue
        previous = start
        glued = open_at is not None and last_end == start - 1 and text.text[last_end] in "-_/&."
        if open_at is not None and not glued and text.text[last_end:start].strip():
            close()
            cue = ""
        if token in PAUSES:
            if token == STOP and text.text[end : end + 1].strip():
                continue
            close()
            cue = ""
            beginning = token not in (",", ":") or _commands(tokens, index + 1)
            continue
        within_name = names.get(start)
        if within_name:
            if open_at is None:
                open_at = start
            last_end = end
            last_start = start
            beginning = False
            continue
        if glued:
            last_end = end
            continue
        if lower in words.ARTICLES or lower in BREAKS:
            close()
            if lower in words.PREPOSITIONS:
                cue = lower
            elif lower not in words.ARTICLES:
                cue = ""
            following = _following(tokens, index)
            if lower in ("and", "then", "to"):
                beginning = _commands(tokens, index + 1)
            else:
                beginning = lower in ("please", "you", "bitte") or (beginning and lower not in words.ARTICLES)
            relative = lower == "that" and following.endswith("s") and following not in words.ARTICLES
            after_subject = lower in _SUBJECTS or lower in _MODALS or relative
            continue
        if beginning or after_subject:
            beginning = False
            if after_subject or _is_verb(text, index, lower, cue):
                after_subject = False
                cue = ""
                continue
        after_subject = False
        if counted and words.singular_unit(token) in _UNITS:
            counted = False
            continue
        counted = False
        if start in numbers and ("." in numbers[start].text or numbers[start].kind == "expression"):
            close()
            number_end = numbers[start].end
            counted = True
            continue
        number = token[0].isdigit() or lower in words.NUMBER_WORDS
        if number and index + 1 < len(tokens):
            following = tokens[index + 1][0]
            counts = following[0].islower() and following not in BREAKS and lower != "one"
            trails = open_at is not None and not names.get(last_start, False) and " " in text.text[open_at:last_end]
            if not glued and (counts or trails or "." in text.text[start : end + 1]):
                close()
                counted = True
                continue
        joined = index > 0 and tokens[index - 1][0].lower() in _JOINING
        if token.islower() and not glued and not joined and _following(tokens, index) in _DETERMINERS:
            # "Alpha needs the": a plain word before an article is what is done.
            close()
            cue = ""
            continue
        if open_at is None:
            open_at = start
        last_end = end
        last_start = start
    close()
    return found


def opens_sentence(text: Text, value: Value) -> bool:
    """Whether a name is one word with which a sentence begins: its capital then says nothing."""
    if " " in value.text or any(part[:1].isupper() for part in value.text.split("-")[1:]):
        return False
    before = text.text[max(0, value.start - 3) : value.start].rstrip()
    if before and before[-1] not in ".!?\n:¿¡":
        return False
    after = value.after[0] if value.after else ""
    return after not in words.SAYING_OF


def _commands(tokens: list[tuple[str, int, int]], index: int) -> bool:
    """Whether a command begins at a word: a known one, or a plain word before an article."""
    if index >= len(tokens):
        return False
    word = tokens[index][0]
    if word.lower() in words.STARTERS:
        return True
    return word.islower() and index + 1 < len(tokens) and tokens[index + 1][0].lower() in _DETERMINERS


_DETERMINERS: Final = frozenset("the a an my our your his her their its".split())


def _following(tokens: list[tuple[str, int, int]], index: int) -> str:
    """The word after a word, in lower case; empty at the end."""
    return tokens[index + 1][0].lower() if index + 1 < len(tokens) else ""


def _only_points(piece: str) -> bool:
    return all(word in words.POINTING or word in words.ORDINALS for word in piece.lower().split())


def _value(text: Text, start: int, end: int, piece: str, cue: str) -> Value:
    before, after = text.around(start, end)
    kept = tuple(word for word in before if word not in words.ARTICLES)
    stem = words.stem(cue)
    if cue and (not kept or kept[0] != stem):
        kept = (stem, *kept)
    return Value("phrase" if cue else "object", piece, start, end, kept, after)


def _spans(text: Text) -> tuple[dict[int, int], dict[int, bool]]:
    """Starts of tokens within typed values (1 for the first of one, -1 for others) and within names of two words."""
    strong: dict[int, int] = {}
    names: dict[int, bool] = {}
    starts = text.starts
    for value in text.values:
        if value.kind in _STRONG:
            first = bisect_left(starts, value.start)
            last = bisect_left(starts, value.end)
            for index in range(first, last):
                strong.setdefault(starts[index], (2 if value.kind == "id" else 1) if index == first else -1)
        elif value.kind == "name" and (" " in value.text or not opens_sentence(text, value)):
            first = bisect_left(starts, value.start)
            last = bisect_left(starts, value.end)
            for index in range(first, last):
                names[starts[index]] = True
    return strong, names


def _is_verb(text: Text, index: int, lower: str, cue: str) -> bool:
    """Whether the first word of a clause is what to do: no name and no noun of which something is said."""
    end = text.tokens[index][2]
    if text.text[end : end + 1] in ("-", "_", ".") and text.text[end + 1 : end + 2].isalnum():
        return False
    if lower in words.STARTERS or (lower.endswith("ing") and len(lower) > 5):
        return True
    if cue and cue != "to":
        return False
    tokens = text.tokens
    if index + 1 >= len(tokens):
        return False
    following = tokens[index + 1][0].lower()
    if tokens[index][0][0].isdigit():
        return False
    if following in PAUSES:
        # "hmm, scrap the oat milk", but "eggs, 12 of them".
        return _commands(tokens, index + 2)
    return (
        # Long words that are no known commands are seldom what to do: "meloxicam dose".
        len(lower) < 9
        and following not in words.SAYING_OF
        and following not in ("for", "of")
        and not tokens[index][0].endswith(("'s", "’s"))
    )
