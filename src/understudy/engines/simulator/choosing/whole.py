"""A turn read as a whole, where none of its clauses alone asks for a call: the story and its values together do."""

from __future__ import annotations

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.fit import fits, speaks_of_another_thing
from understudy.engines.simulator.choosing.gated import Gated, words_in
from understudy.engines.simulator.choosing.hearing import Fit, Heard, heard_of
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.moods import Mood
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.serving import at_home, homeless

_SILENT = frozenset({Mood.NEGATED, Mood.SOCIAL, Mood.META})
_TALK = frozenset({Mood.EXPLAIN, Mood.COMPOSE, Mood.META})
_ASKS = frozenset({Mood.REQUEST, Mood.WISH})
_MARGIN = 0.08
# Words that tie a question to the here and now of the one who asks; the world at large has no "my" and no "tonight".
_HERE = frozenset(
    "my our mine ours i we me us today tonight tomorrow now currently yet still this next here mein meine unser mon ma "
    "mes notre nos mi mis nuestro heute hoy".split()
)
_STRONG_VALUES = frozenset({"id", "email", "url", "path", "date", "time", "quoted", "code", "number", "money"})


# Of a very long turn the clauses that ask most likely for something are looked at.
_MOST_ASKING = 10
_LIKELY = (Mood.REQUEST, Mood.QUESTION, Mood.WISH, Mood.FRAGMENT, Mood.EXPLAIN, Mood.STATEMENT)


def likeliest(clauses: list[Clause]) -> list[Clause]:
    """The clauses that are worth being compared with the tools, in order; what is not to be done is kept."""
    if len(clauses) <= _MOST_ASKING:
        return clauses
    asking = [number for number, clause in enumerate(clauses) if clause.mood in _LIKELY]
    kept = set(sorted(asking, key=lambda number: _LIKELY.index(clauses[number].mood))[:_MOST_ASKING])
    return [clause for number, clause in enumerate(clauses) if number in kept or clause.mood not in _LIKELY]


def joined(texts: list[str]) -> str:
    """Clauses as sentences after one another."""
    sentences = [text if text[-1:] in "?!" else text.rstrip(" .") + "." for text in texts[:-1]]
    return " ".join([*sentences, *texts[-1:]])


def heard_whole(clauses: list[Clause]) -> Heard | None:
    """All that is said in the clauses that may ask for something, as if it were one request."""
    kept = [clause for clause in clauses if clause.mood not in _SILENT]
    if not kept:
        return None
    acts: dict[str, float] = {}
    for clause in kept:
        for act, weight in clause.acts.items():
            acts[act] = max(acts.get(act, 0.0), weight)
    tokens = [token for clause in kept for token in clause.tokens]
    moods = {clause.mood for clause in kept}
    mood = Mood.QUESTION if Mood.QUESTION in moods and not moods & _ASKS else Mood.REQUEST
    text = joined([clause.text for clause in kept])
    return heard_of(Clause(text, tokens, mood, acts, None))


# What is told as over and done asks for nothing.
DONE = Gated(
    r"\b(?:already|just so you know|for your information|fyi|no need|nothing (?:left|else"
    r"|more)(?: for you)? to do|taken care of"
    r"|no action|sorted (?:it|that)|all sorted|was (?:too|so|very|really))\b"
)
# What one who talks does himself with the words he is given.
_REWORDING = frozenset("proofread rewrite rephrase paraphrase reword".split())
_TALKING = frozenset("summarize translate draw analyze recommend compare calculate rate sort merge".split())


# What is done with things that are only told.
_NOTING = frozenset("save record create report update track send close move cancel delete remind refund".split())


def _wants_talk(clauses: list[Clause], fit: Fit, offer: Offer) -> bool:
    """Whether a clause asks for something that is done in words, and the tool is not for that."""
    for clause in clauses:
        if clause.head is None or clause.mood is not Mood.REQUEST:
            continue
        acts = set(clause.head.acts)
        if speaks_of_another_thing(clause, fit.offered.profile.index):
            return True
        if clause.head.low in _REWORDING and "=" + clause.head.stem not in fit.offered.profile.acts:
            return True
        if acts & _TALKING and not acts & set(fit.offered.profile.acts):
            return True
        known = lexicon()
        near = max((known.likeness(act, offered) for act in acts for offered in fit.offered.profile.acts), default=1.0)
        if near < 0.3 and fit.things < 0.4:
            return True
        if acts and near < 0.7 and len(clause.tokens) > 3 and not clause.refers_back:
            own = next(one for one in fits(heard_of(clause), offer) if one.offered is fit.offered)
            if own.things < 0.1 and not own.offered.profile.executes:
                # Something else is asked for; only the story before it speaks of what the tool is about.
                return True
    return False


def whole_fit(clauses: list[Clause], heard: Heard, offer: Offer, *, lacking: bool = False) -> Fit | None:
    """The tool that the whole turn speaks of, where one stands out and has all it needs, or may lack some."""
    if any(clause.mood in _TALK for clause in clauses):
        return None
    found = fits(heard, offer)
    best = found[0]
    second = found[1].rank if len(found) > 1 else best.rank - 1.0
    profile = best.offered.profile
    known = lexicon()
    strong = sum(token.kind in _STRONG_VALUES for token in heard.values)
    if _wants_talk(clauses, best, offer) or (
        Mood.REQUEST not in {clause.mood for clause in clauses}
        and DONE.search(heard.clause.text, words_in(heard.clause.text))
    ):
        return None
    if (best.missing and not lacking) or (best.rank - second < _MARGIN and best.things < 0.6):
        return None
    moods = {clause.mood for clause in clauses}
    reads = profile.act in known.reading
    at = at_home(profile, heard.counted)
    if homeless(profile, heard.counted) > 1:
        return None
    if (
        Mood.WISH in moods
        and Mood.REQUEST not in moods
        and not any(
            at_home(profile, wished.counted) or (fit.offered is best.offered and fit.things > 0.1)
            for wished in (heard_of(clause) for clause in clauses if clause.mood is Mood.WISH)
            for fit in fits(wished, offer)
        )
    ):
        return None
    if moods & _ASKS:
        asks = best.things >= 0.5 or (best.things >= 0.3 and bool(heard.values)) or (best.things >= 0.2 and at > 0)
    elif Mood.QUESTION in moods:
        here = any(token.low in _HERE for token in heard.clause.tokens) or any(
            token.kind in {"id", "path", "email", "url"} for token in heard.values
        )
        asks = reads and here and best.things >= 0.3 and (strong > 0 or bool(heard.values))
    else:
        clear = best.things >= 0.4 or (best.things >= 0.25 and best.rank - second > 0.3)
        coded = any(token.kind in {"id", "code"} for token in heard.values) and best.things >= 0.5
        notes = not _NOTING.isdisjoint(profile.acts)
        asks = (
            not reads
            and notes
            and _texts_said(profile, heard, loosely=False)
            and ((at > 0 and clear) or (coded and best.rank - second > 0.3))
        )
    return best if asks else None


def only_taker(clauses: list[Clause], heard: Heard, offer: Offer, *, earlier: bool = False) -> Fit | None:
    """The one tool that has a place for just the values that are said, where the words tell nothing."""
    if any(clause.mood in _TALK for clause in clauses):
        return None
    if not heard.values:
        return None
    asks = any(clause.mood in _ASKS for clause in clauses)
    question = any(clause.mood is Mood.QUESTION for clause in clauses)
    known = lexicon()
    codes = any(token.kind in {"id", "path", "email", "url"} for token in heard.values)
    here = any(token.low in _HERE for token in heard.clause.tokens)
    takers: list[Fit] = []
    for fit in fits(heard, offer):
        profile = fit.offered.profile
        reads = profile.act in known.reading
        if reads != (question and not asks) or not any(parameter.required for parameter in profile.parameters):
            continue
        missing = [lack for lack in fit.missing if not (earlier and lack.kind == "id" and heard.clause.refers_back)]
        if missing or homeless(profile, heard.counted) or not _texts_said(profile, heard, loosely=not reads):
            continue
        if at_home(profile, heard.counted) or (reads and here):
            takers.append(fit)
    if not takers or (len(takers) > 1 and takers[0].rank - takers[1].rank < 0.03):
        return None
    taker = takers[0]
    if _wants_talk(clauses, taker, offer) or DONE.search(heard.clause.text, words_in(heard.clause.text)):
        return None
    if taker.offered.profile.act in known.reading:
        return taker if codes or here or at_home(taker.offered.profile, heard.counted) > 1 else None
    return taker if asks and len(takers) == 1 else None


def _texts_said(profile: Profile, heard: Heard, *, loosely: bool) -> bool:
    """Whether there is a name or a quotation for each of the texts that a tool requires."""
    wanted = sum(parameter.required and parameter.kind in {"text", "place"} for parameter in profile.parameters)
    said = sum(token.kind in {"name", "quoted", "code", "id", "path"} for token in heard.values)
    return said >= wanted or (loosely and wanted - said < 2)
