"""What the simulator says: an answer made from the request, never from knowledge of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from understudy.engines.materials import Image
from understudy.engines.simulator.arithmetic import work_out
from understudy.engines.simulator.prose import prose
from understudy.engines.simulator.reading import WORD, Reading
from understudy.engines.simulator.seeded import Seeded

_OF_IMAGES = re.compile(
    r"\b(images?|pictures?|photos?|photographs?|screenshots?|drawings?|diagrams?|charts?|see|show[ns]?|look|describe|"
    r"colou?rs?|bild|imagen|image)\b|画像|写真|^\W*$",
    re.IGNORECASE,
)
_STOPWORDS = frozenset(
    (
        "a,about,all,also,am,an,and,any,are,as,at,be,been,but,by,can,could,did,do,does,explain,for,from,get,give,had,"
        "has,have,he,her,his,how,i,if,in,into,is,it,its,just,let,like,list,make,may,me,more,most,my,no,not,of,on,or,"
        "our,please,put,say,she,should,so,some,tell,than,that,the,their,them,then,there,these,they,this,to,two,up,us,"
        "use,very,was,we,were,what,when,where,which,who,why,will,with,would,write,you,your"
    ).split(",")
)
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]?")
_JAPANESE = re.compile(r"[\u3040-\u30ff]")

_VERBS = r"(?:say|reply|respond|answer|output|print|return|repeat|echo|write)"
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|(?<!\w)'([^'\n]+)'(?!\w)|‘([^’\n]+)’|`([^`\n]+)`")
_SAYING = re.compile(r"\b" + _VERBS + r"\b[^.\n]{0,60}$", re.IGNORECASE)
_EXACTLY = re.compile(
    _VERBS + r"\b[^.\n:]{0,40}\b(?:exactly|only|just|following|verbatim|back)\b[^.\n:]{0,30}:\s*(\S[^\n]*)",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(
    r"^\s*(?:please\s+)?(?:just\s+)?(?:say|repeat|echo)\s+(?:just\s+|only\s+|the word\s+)?([\w' ,-]{1,60}?)[.!]?\s*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening))\b[\w ,]{0,20}\W*$", re.IGNORECASE
)
_GREETING_JA = re.compile(r"^\W*(こんにちは|こんばんは|おはよう|はじめまして|やあ)")
_COUNT = re.compile(r"\bcount(?:ing)?\b.{0,20}?\bfrom (-?\d{1,6}) (?:up |down )?to (-?\d{1,6})", re.IGNORECASE)
_COUNT_TO = re.compile(r"\bcount(?:ing)? (?:up )?to (\d{1,6})\b", re.IGNORECASE)
_NUMBER_BEFORE = re.compile(r"(\d{1,5})[\s-]+$")
_LONG = ("essay", "story", "article", "report", "detail", " long", "poem", "blog post", "at length")
_LONG_ANSWER = 250
_OF_LENGTH = re.compile(r"\d+$|(?:word|token|sentence|paragraph|essay|story|article|report|poem)s?$", re.IGNORECASE)
# Words that a unit of length stands for.
_UNITS = {"word": 1, "token": 1, "sentence": 12, "paragraph": 60}
# Characters of a request that may be nothing but a greeting, or a word to be said.
_SHORT = 120
# Characters that are searched for an instruction.
_WINDOW = 330
# How Claude Code asks about a page that it has fetched; the page stands between two lines of dashes.
_PAGE_BEGINS = "Web page content:"
# So few words are found by looking at the text's beginning only.
_FEW_WORDS = 8
# Share of a question's words that a sentence must have to be its answer.
_ENOUGH = 0.5
# Characters of what stands before a question that are searched for its answer.
_MOST_OF_BACKGROUND = 200_000
# Characters of tools' results that are repeated.
_MOST_OF_RESULTS = 2_000
_PUNCTUATION = ".,;:!?\"'“”‘’`()[]{}<>«»„…—–-*_#/\\|~=+&%$@^。、！？「」"


def words_of(text: str, most: int = 1_000) -> list[str]:
    """The first `most` words that carry the meaning, in order, each once."""
    found: list[str] = []
    for word in WORD.findall(text) if most > _FEW_WORDS else map(_bare, text.split(None, 12 * most)):
        if word and word.lower() not in _STOPWORDS and word not in found and (len(word) > 2 or word.isdigit()):
            found.append(word)
            if len(found) == most:
                break
    return found


def _bare(word: str) -> str:
    return word if word.isalnum() else word.strip(_PUNCTUATION)


def _told(asked: str) -> str | None:
    """The text that the request asks to hear, word for word."""
    if any(map(asked.__contains__, "\"“'‘`")):
        for quoted in _QUOTED.finditer(asked):
            if _SAYING.search(asked[max(0, quoted.start() - 75) : quoted.start()]):
                return next(group for group in quoted.groups() if group)
    exact = _EXACTLY.search(asked) if ": " in asked or ":\n" in asked else None
    if exact is None and len(asked) <= _SHORT:
        exact = _ONE_WORD.search(asked)
    return exact.group(1).strip() if exact else None


def _counted(asked: str) -> str | None:
    if "ount" not in asked:
        return None
    match = _COUNT.search(asked)
    first, last = (int(match.group(1)), int(match.group(2))) if match else (1, 0)
    if match is None:
        short = _COUNT_TO.search(asked)
        if short is None:
            return None
        last = int(short.group(1))
    step = 1 if last >= first else -1
    numbers = range(first, last + step, step)[:5_000]
    return ", ".join(str(number) for number in numbers)


_TURNED = {"i": "you", "my": "your", "me": "you", "mine": "yours", "am": "are", "i'm": "you're", "myself": "yourself"}


def _turned(sentence: str) -> str:
    """A sentence about the speaker, said back to the speaker."""
    turned = [_TURNED.get(word.lower(), word) for word in sentence.split()]
    text = " ".join(turned)
    return text[:1].upper() + text[1:]


def _may_hold(text: str, wanted: Collection[str], least: float) -> bool:
    """Whether a sentence of `text` can have `least` of the words: surely not where all of the text has fewer."""
    # How a final sigma is written small hangs on what stands behind the sentence.
    if "Σ" in text:
        return True
    lower = text.lower()
    return sum(map(lower.__contains__, wanted)) >= least


def _recalled(reading: Reading) -> str | None:
    """The sentence of the background that shares most words with the question."""
    end = reading.asked.rfind("?")
    if end < 0:
        return None
    question = _SENTENCE.findall(reading.asked[max(0, end - 500) : end])
    wanted = {word.lower() for word in words_of(question[-1])} if question else set[str]()
    if not wanted:
        return None
    best, best_score = None, 0.0
    least = len(wanted) * _ENOUGH
    budget = _MOST_OF_BACKGROUND
    background = reading.background() if reading.may_be_said_before(wanted, least, budget) else []
    if not background:
        return None
    if sum(map(len, background)) <= budget and not _may_hold("\n".join(background), wanted, least):
        return None
    for text in background:
        looked_at = text[:budget]
        for match in _SENTENCE.finditer(looked_at) if _may_hold(looked_at, wanted, least) else ():
            sentence = match.group().strip()
            if len(sentence) < 8 or sentence.endswith("?") or len(sentence) > 400:
                continue
            # Whole words are looked for only where enough of the letters stand.
            lower = sentence.lower()
            if sum(map(lower.__contains__, wanted)) < least:
                continue
            score = len(wanted.intersection(WORD.findall(lower))) / len(wanted)
            if score > best_score:
                best, best_score = sentence, score
        budget -= len(text)
        if budget <= 0:
            break
    if best is None or best_score < _ENOUGH:
        return None
    answer = _turned(best)
    return answer if answer[-1] in ".!。！" else answer + "."


def _length(asked: str) -> int | None:
    """How many words are asked for, roughly."""
    for unit, words in _UNITS.items():
        place = asked.find(unit)
        while place > 0:
            number = _NUMBER_BEFORE.search(asked[max(0, place - 8) : place]) if asked[place - 2].isdigit() else None
            if number:
                return min(int(number.group(1)) * words, 20_000)
            place = asked.find(unit, place + 1)
    return _LONG_ANSWER if any(map(asked.__contains__, _LONG)) else None


_GREETINGS = (
    "Hello! How can I help you today?",
    "Hi there! What can I do for you?",
    "Hello! What would you like to work on?",
)
_GREETINGS_JA = ("こんにちは。今日はどのようなご用件でしょうか？", "こんにちは。何をお手伝いしましょうか？")
_ORIGIN_JA = "これは Understudy のシミュレーターの回答で、ご質問の文面だけから作られています。"
_OPENINGS = (
    "You asked about {topic}.",
    "Here is what I can say about {topic}.",
    "Let me take {topic} step by step.",
)
_CLOSINGS = (
    "This answer comes from Understudy's simulator, which works from your words alone.",
    "I am Understudy's simulator: I answer from the request itself, not from knowledge of the world.",
    "Understudy's simulator wrote this from your request; a real model would know more.",
)


def _joined(words: list[str]) -> str:
    if len(words) <= 1:
        return words[0] if words else "that"
    return ", ".join(words[:-1]) + " and " + words[-1]


def described(images: Sequence[Image]) -> str:
    """What the headers of images tell; what they show is not looked at."""
    found = [
        f"{image.media_type.partition('/')[2].upper()}, {image.width} × {image.height} pixels, {image.size:,} bytes"
        for image in images
    ]
    if len(found) == 1:
        return f"The image is a {found[0]}."
    listed = "; ".join(f"image {place} is a {text}" for place, text in enumerate(found, 1))
    return f"There are {len(found)} images: {listed}."


def told_by_tools(results: Sequence[str], documents: Sequence[str], images: Sequence[Image]) -> str:
    """An answer from what tools brought: their texts, the words of their documents, the looks of their images."""
    told = [text.strip() for text in (*results, *documents) if text.strip()]
    text = " ".join(told)[:_MOST_OF_RESULTS].strip()
    if images:
        text = f"{text} {described(images)}".strip()
    return f"Here is the result: {text}" if text else "The tool returned nothing."


def instruction_of(asked: str) -> str:
    """The part of a long text in which an instruction stands: its beginning or its end."""
    if len(asked) <= _WINDOW:
        return asked
    return asked[: _WINDOW // 3] + "\n" + asked[-2 * _WINDOW // 3 :]


def _told_of_page(asked: str) -> str:
    page = asked.split("\n---", 2)[1] if asked.count("\n---") > 1 else asked.lstrip().removeprefix(_PAGE_BEGINS)
    return f"The page says: {page.strip()[:_MOST_OF_RESULTS]}"


def compose(reading: Reading, seeded: Callable[[], Seeded]) -> str:
    """The answer's text. `seeded` is called only where there is something to choose."""
    asked = instruction_of(reading.asked)
    if reading.tool_results and not asked:
        return told_by_tools(reading.tool_results, [], reading.images)
    if reading.images and _OF_IMAGES.search(asked):
        return f"{described(reading.images)} {_CLOSINGS[1]}"
    if asked.lstrip().startswith(_PAGE_BEGINS):
        return _told_of_page(reading.asked)
    told = _told(asked) or _counted(asked)
    if told and told.strip():
        return told
    if len(asked) <= _SHORT:
        if _GREETING.match(asked):
            return seeded().choice(_GREETINGS)
        if _GREETING_JA.match(asked):
            return seeded().choice(_GREETINGS_JA)
    sum_ = work_out(asked)
    if sum_:
        return f"{sum_[0]} = {sum_[1]}"
    recalled = _recalled(reading)
    if recalled:
        return recalled
    length = _length(asked)
    if length is not None:
        return prose([word for word in words_of(asked, 8) if not _OF_LENGTH.match(word)], length, seeded())
    if not asked.isascii() and _JAPANESE.search(asked):
        return f"「{asked.strip()[:200]}」についてのご質問ですね。" + _ORIGIN_JA
    choices = seeded()
    opening = choices.choice(_OPENINGS).format(topic=_joined(words_of(asked, 4)))
    return f"{opening} {choices.choice(_CLOSINGS)}"
