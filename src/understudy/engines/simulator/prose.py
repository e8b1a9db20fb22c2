"""Running text of a wanted length about given words, for streams that must be long."""

from __future__ import annotations

from understudy.engines.simulator.seeded import Seeded

_FRAMES = (
    "Most people meet {a} before they ever think about {b}.",
    "A first look at {a} raises the question of {b}.",
    "In practice {a} and {b} are rarely found apart.",
    "There are three sides to {a}: what it is, what it costs, and how it changes {b}.",
    "Whoever works with {a} soon learns to respect {b}.",
    "The simplest account of {a} begins with {b}.",
    "Nothing about {a} is settled until {b} has been considered.",
    "It helps to write down what {a} should do before touching {b}.",
    "Small changes in {a} can have large effects on {b}.",
    "The link between {a} and {b} is easy to state and hard to measure.",
    "One example of {a} says more than a page of theory about {b}.",
    "Over time {a} becomes a habit, and {b} becomes visible.",
    "Where {a} fails, the reason is usually hidden in {b}.",
    "A good test of {a} is whether it survives a change of {b}.",
    "So the story of {a} turns, again, to {b}.",
)
_FILLERS = ("the question", "its history", "the details", "the people involved", "the next step", "everyday use")


def prose(topic: list[str], words: int, seeded: Seeded) -> str:
    """About `words` words, in paragraphs, the last sentence ended. Cut to exactly `words` words when it runs over."""
    subjects = (topic or ["the subject"]) + list(_FILLERS)
    sentences: list[str] = []
    written = 0
    while written < words:
        first = seeded.choice(topic) if topic else "the subject"
        second = seeded.choice([subject for subject in subjects if subject != first])
        sentence = seeded.choice(_FRAMES).format(a=first, b=second)
        sentence = sentence[:1].upper() + sentence[1:]
        written += len(sentence.split())
        sentences.append(sentence)
        if len(sentences) % 6 == 0 and written < words:
            sentences[-1] += "\n\n"
    text = ""
    for sentence in sentences:
        text += sentence if not text or text.endswith("\n") else " " + sentence
    surplus = written - words
    if surplus > 0:
        text = text.rsplit(None, surplus)[0].rstrip(",;: ")
        if text[-1] not in ".!?":
            text += "."
    return text
