"""What must be looked up first: the tool whose result brings a value that another tool lacks."""

from __future__ import annotations

from dataclasses import replace

from understudy.engines.simulator.choosing.clauses import clause_of
from understudy.engines.simulator.choosing.fit import fits
from understudy.engines.simulator.choosing.hearing import Fit, Heard, lacks_its_id
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Parameter
from understudy.engines.simulator.choosing.steps import Step


def _told(wanted: Fit, missing: tuple[Parameter, ...]) -> list[str]:
    schema = wanted.offered.tool.input_schema
    properties = schema.get("properties")
    found: list[str] = []
    for parameter in missing:
        raw: object = properties.get(parameter.name) if isinstance(properties, dict) else None  # pyright: ignore
        text: object = raw.get("description") if isinstance(raw, dict) else None  # pyright: ignore
        if isinstance(text, str):
            found.append(text.lower())
    return found


def provider_of(wanted: Fit, missing: tuple[Parameter, ...], heard: Heard, offer: Offer) -> Fit | None:
    """A reading tool whose result brings a value that the wanted tool lacks."""
    known = lexicon()
    best: tuple[float, Fit] | None = None
    told = wanted.offered.tool.description.lower() + " ".join(_told(wanted, missing))
    found = fits(heard, offer)
    for fit in found:
        if fit.offered is not wanted.offered and fit.offered.tool.name.lower() in told and not fit.missing:
            # "the id from find_animal": the tools' own words say where it comes from.
            return fit
    for fit in found:
        profile = fit.offered.profile
        reads = any(worth >= 0.7 and act in known.reading for act, worth in profile.acts.items())
        if fit.offered is wanted.offered or not reads or fit.missing:
            continue
        for parameter in missing:
            if parameter.kind in {"number", "date", "time", "expression", "path", "url"}:
                continue
            stems = [word for word in parameter.stems if word not in {"id", "numb", "valu", "to"}]
            if parameter.kind in {"email", "coordinate"}:
                stems.append(lexicon().stem(parameter.kind))
            noun_keys = {key for keys, _ in profile.nouns for key in keys}
            worth = sum(profile.index.get(word, 0.0) for word in stems)
            enough = 0.3 if parameter.kind in {"email", "phone"} else 0.6
            if (stems and (noun_keys & set(stems) or worth >= enough)) or (not stems and fit.things > 0.3):
                score = worth + fit.things
                if best is None or score > best[0]:
                    best = (score, fit)
    return best[1] if best else None


def use_what_is_found(steps: list[Step], heard: Heard, offer: Offer) -> None:
    """After a look-up of what has no id yet, the call that takes the id and that the words speak of, too."""
    if len(steps) != 1 or not heard.lacks_id:
        return
    found = fits(heard, offer)
    first = next(fit for fit in found if fit.offered.tool is steps[0].tool)
    if first.missing or first.offered.profile.act not in lexicon().reading:
        return
    for fit in found:
        lacked = [lack for lack in fit.missing if lack.kind == "id"]
        if fit is first or not lacked or len(lacked) < len(fit.missing) or fit.things < 0.5 or fit.score < 0.5:
            continue
        if provider_of(fit, fit.missing, heard, offer) is first:
            steps.append(Step(fit.offered.tool, steps[0].ask, 0, True))
            return


def look_up_first(steps: list[Step], offer: Offer, asked: str) -> None:
    """Puts a look-up that is asked for last before the call that takes the id it brings."""
    if len(steps) != 2 or steps[0].after is not None or any(step.condition for step in steps):
        return
    first, second = (next(offered.profile for offered in offer.tools if offered.tool is step.tool) for step in steps)
    ids = [parameter for parameter in first.required if parameter.kind == "id"]
    if second.act != "search" or not ids or first is second:
        return
    things = {key for keys, _ in second.nouns for key in keys}
    told = any(token.kind in {"id", "code"} for token in clause_of(steps[0].ask).tokens)
    names = {word for parameter in ids for word in parameter.stems} | {"id"}
    if (things & names or any(second.index.get(word, 0.0) >= 0.4 for word in names)) and (
        not told or lacks_its_id(asked)
    ):
        steps[:] = [replace(steps[1], after=None, needs=False), replace(steps[0], after=0, needs=True)]
