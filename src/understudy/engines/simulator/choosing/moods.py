"""What a clause is: something asked for, a question, a wish for an explanation, a statement, a negation, a courtesy."""

from __future__ import annotations

import re
from enum import Enum

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.words import Token


class Mood(Enum):
    REQUEST = "request"
    QUESTION = "question"
    # A wish for something from somewhere, no act named: "I need a flight".
    WISH = "wish"
    # Words without a verb: "Weather in Paris".
    FRAGMENT = "fragment"
    EXPLAIN = "explain"
    COMPOSE = "compose"
    STATEMENT = "statement"
    NEGATED = "negated"
    SOCIAL = "social"
    META = "meta"


_I = re.IGNORECASE
_LEAD = re.compile(
    r"^(?:\W|please\b|pls\b|plz\b|by the way\b|btw\b|sorry\b|h+m+\b|u[hm]+\b|ah+\b|ugh\b|ooh\b|ha good\b|hiya\b"
    r"|kindly\b|hey\b|hi\b|hello\b|ok(?:ay)?\b|yes\b|yeah\b|sure\b|great\b|perfect\b"
    r"|thanks?\b(?: you)?|alright\b|so\b|and\b|also\b|then\b|now\b"
    r"|next\b|first(?:ly)?\b|only\b|second(?:ly)?\b|finally\b|lastly\b|after that\b|afterwards\b|but\b|plus\b"
    r"|actually\b|just\b|quickly\b|oh\b|well\b|right\b|cool\b|too\b"
    r"|additionally\b|instead\b|maybe\b|in that case\b|bitte\b|por favor\b|s'il (?:te|vous) pla[iî]t\b|und\b|et\b"
    r"|y\b|go ahead and\b|be sure to\b|make sure (?:to|you)\b|don't forget to\b|while you're at it,?"
    r"|once (?:that's|that is|it's) done,?|when (?:that's|that is) done,?|if (?:you can|possible),?|for me,?"
    r"|good (?:morning|afternoon|evening)\b)+",
    _I,
)
_ASKING = re.compile(
    r"^(?:can|could|would|will) (?:you|we|u)(?: please| kindly| also| just| then| quickly| maybe| be able to"
    r"| possibly| mind)*\b,?"
    r"|^(?:i|we)(?:'d| would)? (?:also )?(?:want|like|love|need|prefer) (?:you )?to\b"
    r"|^(?:i|we)(?:'d| would)? (?:also )?(?:want|like|love|need) (?=you to\b)(?:you to)"
    r"|^(?:i|we) (?:must|have to|got to|gotta|should|wanna)\b|^i've got to\b|^(?:want|need|wish|would like"
    r"|'d like) (?:you )?to\b|^use (?:the|your|a|an) [\w ]{2,40}? to\b|^(?:i|we)(?:'d| would) (?:need|want) to\b"
    r"|^feel free to\b|^try to\b"
    r"|^(?:can|could|may) (?:i|we) (?:please )?(?:get|have|see|ask you to)?"
    r"|^(?:can|could|would|will) (?:they|someone|somebody|anyone|anybody|it)(?: please| maybe)?\b"
    r"|^(?:let'?s|let us)\b|^help me(?: to)?\b|^i'?m (?:trying|hoping|looking) to\b|^(?:do|would) you mind\b"
    r"|^it would be (?:great|nice|good) if you (?:could|would)"
    r"|^(?:kannst|könntest|können|könnten) (?:du|sie)\b|^(?:peux|pourrais|pouvez|pourriez)[- ](?:tu|vous)\b"
    r"|^(?:puedes|podrías|podrias|puede)\b|^(?:ich möchte|ich will|je voudrais|je veux|quiero|quisiera"
    r"|me gustaría)\b",
    _I,
)
_WISH = re.compile(
    r"^(?:i|we)(?:'d| would)?(?: also| really| just)* (?:want|need|like|love|require)\b|^(?:i'?m|we'?re|i am"
    r"|we are) (?:looking for|after|interested in|in need of|searching for)\b|^looking for\b|^(?:i|we) could use\b",
    _I,
)
_NEGATED = re.compile(
    r"^(?:please )?(?:(?:don'?t|do not) (?!let me forget|forget)|never|not (?:yet|now)|no need (?:to|for)"
    r"|there(?:'s| is) no need|you (?:don'?t|do not) (?:need|have) to|you needn'?t|without"
    r"|(?:i|we) (?:don'?t|do not) (?:want|need|wish)(?!.* any ?(?:more|longer)\b)|i(?:'d| would) rather not"
    r"|no,? (?:don'?t|do not|thanks"
    r"|thank you)|(?:you )?(?:must|should) not|(?:you )?(?:mustn'?t|shouldn'?t)|please avoid|avoid|hold off"
    r"|refrain|forget (?:about )?(?:it|that)|never ?mind"
    r"|(?:i'm|i am) not asking|not asking|nicht |bitte nicht|ne \w+ pas|n'\w+ pas|no (?:lo )?(?:env|borr|elimin"
    r"|hag|mand))",
    _I,
)
_NEVER_TOOLS = re.compile(
    r"\b(?:without|don'?t|do not|no need to|avoid|not|never|no)\s+(?:actually |even )?(?:us(?:e|ing)|call(?:ing)?"
    r"|invok(?:e|ing)|run(?:ning)?|need for)?\s*(?:of )?(?:any |a |the |your )?(?:tools?|functions?|api)\b"
    r"|\bjust (?:explain|tell me how you would|describe how)\b|\bfrom (?:memory|your (?:own )?(?:memory|knowledge"
    r"|head))\b|\b(?:hypothetically|in theory)\b"
    r"|\bwithout (?:looking (?:it|anything|that|this) up|searching|checking|calling anything|running (?:it"
    r"|anything))\b|\b(?:don'?t|do not|no need to) look (?:it|anything|this|that) up\b|\bno (?:tools?|calls?)\b"
    r"|\bno \w+ (?:is |are )?(?:needed|necessary|required)\b|\bjust tell me\b(?! (?:the|when|if|what|how (?:much"
    r"|many)))|\b(?:publish|send|change|call|run|do) nothing\b",
    _I,
)
_SOCIAL = re.compile(
    r"^\W*(?:(?>(?:hi|hello|hey|hiya|howdy|greetings|yo|good (?:morning|afternoon|evening|night|day)|thanks?(?: you"
    r"| a lot| so much| very much| a million)?|thank you(?: so much| very much)?|thx|cheers|ty|bye|goodbye"
    r"|see you|later|ok(?:ay)?|cool|great|perfect|awesome|nice|wonderful|excellent|amazing|got it"
    r"|sounds good|no problem|you'?re welcome|never ?mind|lol|haha|wow|well done|good job|good bot|that'?s (?:all"
    r"|it|great|perfect|good|fine|helpful|awesome)|that will be all|all good|how are you(?: doing)?(?: today)?"
    r"|how's it going|what'?s up|nice to meet you|have a (?:nice|good|great) \w+|i appreciate it|much appreciated"
    r"|for (?:your|the|all your) help|there|everyone|again|today|now|for now|so|very|really|a lot|that|was"
    r"|helpful|you|were|are|the best|no|nope|no thanks|no thank you|not now"
    r"|hallo|guten (?:tag|morgen|abend)|danke(?: schön)?|vielen dank|tschüss|bonjour|salut|merci(?: beaucoup)?"
    r"|au revoir|hola|buenos días|gracias|muchas gracias|adiós|wie geht'?s|ça va|qué tal"
    r"|こんにちは|ありがとう(?:ございます)?"
    r"|おはよう(?:ございます)?|さようなら)(?!\w))[\s,.!?;:)👍🙏😊！。、-]*+)++$",
    _I,
)
_META = re.compile(
    r"\b(?:what|which) (?:tools?|functions?|capabilities|abilities|features|actions)\b|\bwhat (?:can"
    r"|could) you (?:do|help)|\bwhat (?:are|do) you (?:able|capable|know how)|\bwho (?:are|made|built|created"
    r"|trained) you\b|\bwhat are you\b|\b(?:what|which) (?:\w+ )?(?:model|llm|ai|version) (?:are|is) (?:you"
    r"|this)\b|\bare you (?:an?|able|human|real|a bot|capable|conscious|sure|chatgpt"
    r"|claude|ai)\b|\bdo you (?:have|know how|like|think|feel|understand|speak|remember me|support"
    r"|ever)\b(?! (?:any\w*|some\w*|the|my|an?)\b)|\bhow (?:do|does|did) (?:you|your|this tool|that tool) (?:work"
    r"|function|know|decide)"
    r"|\b(?:title|topic|name|summary) (?:for|of) (?:this|our|the) (?:conversation|chat|discussion)\b"
    r"|\bis this a new (?:topic|conversation)\b"
    r"|\bhow can you help|\b(?:your|the) (?:tools?|functions?) (?:do|work|available|have|need|take|accept|can)"
    r"|\bwhat (?:does|do|parameters?|arguments?) (?:the|your|this|that) [\w ]*(?:tool|function)s?\b|\bwhat(?:'s"
    r"| is) your (?:name|favou?rite|opinion|purpose)|\b(?:tell me about yourself|your (?:opinion|thoughts))"
    r"|\bwhat do you think\b|\bcan you (?:help me|help|do that|explain what you)\W*$|\bdo you have (?:access"
    r"|any (?:tools?|functions?))",
    _I,
)
_EXPLAIN = re.compile(
    r"^(?:please )?(?:explain|teach|clarify|elaborate|define|describe how|describe what"
    r"|describe the (?:difference|concept)|tell me (?:how|why|more about|the difference|what (?:is|are) (?:an?"
    r"|the difference)|what \w+ means)|walk me through|help me understand|give me (?:an? )?(?:explanation|example"
    r"|overview|tips|advice|ideas)|in your opinion)\b"
    r"|^how (?:do|would|should|could|can|might) (?:i|we|you|one|someone|people)\b|^how (?:\w+ )?should\b"
    r"|^how (?:\w+ )?(?:am|are) (?:i|we|you|one) supposed\b|^(?:is|are|was) (?!there|it\b|that\b|this\b|my\b"
    r"|the \w+ (?:open|free|available))[\w' ]{2,40} (?:considered |really |actually |still )?(?-i:an?) [\w ]+\?"
    r"|^(?:is|are) (?!there|it\b|that\b|this\b|my\b)[\w' ]{2,40}? (?:good|bad|safe|healthy|harmful|dangerous"
    r"|worth|better"
    r"|necessary|ok|okay|poisonous|toxic) (?:for|to|than|in|if|when)\b"
    r"|^what (?:do|does) (?:an? |the )?[\w' ]{2,30} (?:do|eat)\b(?! (?:i|we|you)\b)"
    r"|^how to\b|^why\b|^how come\b|^how (?:does|do|did) (?:an? |the )?[\w' ]+ (?:work|form|function|happen|occur"
    r"|differ|compare|affect|evolve|fly|make|get)\b|^what (?:does|do|did) .{1,40}\bmean\b|^what(?:'s| is"
    r"| are) the (?:difference|meaning|point|purpose|best way|best practice|idea|advantage|benefit|pros|main"
    r"|definition|theory|concept|origin|etymology|capital|tallest|largest|longest|chemical)"
    r"|^what(?:'s| is| are) (?:an? )[\w-]+(?: [\w-]+)?\W*$|^what would happen\b|^what happens\b|^what if\b"
    r"|^should (?:i|we)\b|^do you think\b|^is it (?:ok|okay|safe|possible|a good idea|better|true|normal|legal"
    r"|polite|wise|worth|rude)\b|^what should (?:i|we)\b|^which is better\b|^(?:who|what) (?:invented|discovered"
    r"|wrote|painted|was|were|caused)\b|^when (?:did|was|were)\b|^can you (?:explain|teach|tell me (?:how|why"
    r"|the difference|more about))\b|^could you (?:explain|teach|tell me (?:how|why))\b"
    r"|^(?:what|who) (?:is|are|'s) (?:a|an)\b|^was (?:bedeutet|heißt)|^warum\b|^wie (?:funktioniert|kann ich)"
    r"|^pourquoi\b|^comment (?:fonctionne|faire|puis-je)|^que signifie|^por qué\b|^cómo (?:funciona|puedo)"
    r"|^qué significa|^explícame|^erkläre?\b|^explique",
    _I,
)
_GENERAL = re.compile(r"\bstands? for\b|\b(?:generally speaking|in general|as a rule)\b|, right\?$", _I)
_USUAL = re.compile(r"\b(?:typically|normally|usually)\b", _I)
_SUM = re.compile(
    r"\b(?:what(?:'s| is)|how much is|calculate|compute) \d[\d.,]* ?(?:times|plus|minus|divided by|x|[-+*/×÷]) ?\d", _I
)
_IN_GENERAL = re.compile(r"\b(?:generally speaking|in general|as a rule|out of (?:pure |sheer )?curiosity)\b", _I)
_COMPOSE = re.compile(
    r"^come up with\b|^(?:write|compose|make up|invent|tell|brainstorm|draft|rewrite|rephrase|paraphrase|improve"
    r"|imagine|pretend|act as|role-?play|give) (?:me |us |up )?(?:an? |some |the |this |two |three |five "
    r"|\d+ )?(?:\w+[ -]){0,3}?(?:poem|haiku|story|tale|joke|song|essay|limerick|lyrics|riddle|slogan|tagline"
    r"|paragraph|sentence|sonnet|speech|fairy ?tale|blog post|pun|fun fact|compliment|ideas?|names? for|metaphor"
    r"|analogy|dialogue|cover letter)s?\b",
    _I,
)
# What one who talks does himself: a tool for it would have to say so.
_CHATTY = re.compile(
    r"^(?:sing|rap|cheer|guess|imagine|pretend|roast|entertain|motivate|inspire|console|comfort|congratulate|compliment"
    r"|wish (?:me|us|him|her)|spell|pronounce|rhyme|debate|argue|criticize|chat|talk|discuss|say|repeat after"
    r"|brainstorm|philosophize|count (?:from|to|down|up))\b(?! (?:again|off)\b)",
    _I,
)
_QUESTION = re.compile(
    r"^(?:what|what's|whats|which|who|who's|whose|where|where's|when|when's|how|how's|is|are|isn't|aren't|am|was"
    r"|were|do|does|did|doesn't|has|have|had|any|anything|anyone|anybody|will|would|can(?!')|could|should|may"
    r"|might|tell me (?:what|which|who"
    r"|where|when|how|if|whether)|let me know (?:what|if|when|how)|i(?:'d| would)? (?:wonder|like to know"
    r"|want to know|need to know)|i'm wondering|(?:do you|any idea|can you tell me|could you tell me|find out"
    r"|check|see)\b.{0,12}\b(?:what|which|who|where|when|how|if|whether))\b"
    r"|^(?:wie|was|wo|wann|wer|welche[rsn]?|gibt es|wieviel|ist|sind|hat|habe|regnet|wird) |^(?:quel(?:le)?s?"
    r"|combien|où|quand|qui|est-ce|y a-t-il|comment (?:est|va|faire|puis)|il y a|que|qu'|quoi)\b ?|^[¿](?:.*)"
    r"|^(?:cuál|cuándo|cuánto|cuántos|cuántas|dónde|qué|quién|cómo|hay|va a) ",
    _I,
)
_STATEMENT = re.compile(
    r"^(?:i|we|he|she|they|it|you|my|our|his|her|their|your|the|this|that|these|those|there|nobody|everyone"
    r"|someone|some|all|#?\w*-?\d[\w-]*|it's|that's|he's|she's|they're|we're|i'm|i've|i'd|there's|here's"
    r"|[A-Z]\w+)\b(?=.*\b(?:is"
    r"|are|was|were|am|'m|has|have|had|did|does|do|don't|didn't|hasn't|haven't|isn't|aren't|wasn't|will|won't"
    r"|would|can't|cannot|couldn't|love|loves|like|likes|hate|hates|think|thinks|thought|feel|feels|felt|know"
    r"|knows|knew|live|lives|lived|work|works|worked|went|got|saw|came|said|told|bought|sent|made|took|forgot"
    r"|lost|left|met|paid|ate|slept|ran|wrote|read|heard|broke|looks?|seems?|sounds?|prefer|prefers|agree|believe"
    r"|guess|hope|wish|used|plan|'s|'re|'ve|gets|needs|wants|goes|comes|makes|takes|keeps|says|\w{3,}ed)\b)",
    _I,
)
_SUBJECT = re.compile(r"^(?:i|we|he|she|they|there)\b(?! ?(?:'d|would))(?= \w+ \w+)", _I)
_CAN_YOU_THINGS = re.compile(
    r"^(?:can|could|do|are) you (?:able to |capable of |know how to |also )?(\w+)(?: \w+)?(?: \w+s)?\W*$", _I
)


_NOUN_FIRST = re.compile(r"^\w+ \w+ (?:should|is|are|was|were|will|has|have|had|must|can|cannot|did|does|do)\b", _I)
# "Have a courier come", "take it off the list"
_CAUSED = re.compile(
    r"^have (?:an?|the|my|some|someone|somebody)\b|^(?:turn|switch|put|take)\b(?: \S+){1,5}? (?:on|off|up|down)\b", _I
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|isn't|aren't|doesn't"
    r"|don't|didn't)\b",
    _I,
)
# The person wants to be told first what to bring.
_ASKS_BACK = re.compile(
    r"\b(?:tell me|let me know|ask me|say) what (?:else )?(?:you(?:'d| would| will|'ll)? need|you want|to bring"
    r"|is needed)\b"
    r"|\bwhat (?:else )?do you need (?:from me|to know)\b",
    _I,
)
_NEW = re.compile(r"^(?:an? )?(?:new|another) \w+(?: \w+){0,3}\s?[:,]", _I)
# "In a.toml change x to y"
_PLACE_FIRST = re.compile(
    r"^(?:in|on|at|for|under|from|inside) \S+(?: \S+){0,3}?,? (?=(?:please )?(?:change|replace|set|add|remove"
    r"|delete|rename"
    r"|update|turn|switch|put|create|show|list|find|search|check|book|send|give|play|run|move|make|write|fix"
    r"|insert|append"
    r"|increase|decrease|raise|lower|swap|edit|cancel|order|open|close|start|stop) (?!of\b|for\b|in\b|is\b|are\b"
    r"|list\b|and\b))",
    _I,
)
# "Order 88213 arrived broken": what looks like an order to do something is a noun with its number.
_TOLD_OF = re.compile(
    r"^\w+ (?:no\.? |number )?#?[\w-]*\d[\w-]* (?:arrived|came|was|is|were|has|had|got|went|broke|never|still"
    r"|showed|turned out"
    r"|stopped|failed|shipped|expired|hasn't|isn't|doesn't|won't|didn't|seems|looks|keeps)\b",
    _I,
)
# "When this is over, …" before what is to be done.
_WHEN_DONE = re.compile(
    r"^(?:when|once|after|as soon as) [^,?.]{3,40}?\b(?:over|done|finished|ends|ended|ready|is up"
    r"|finishes),? (?=\w+ \w)",
    _I,
)
_HYPHENATED = re.compile(r"^\w+(?:-\w+)+\b")
_FINITE_SOON = re.compile(r"^\S+ (?:\S+ ){0,6}?(?:is|are|was|were|has|needs?|should|must|will|keeps?|wants?)\b", _I)
_FORGET = re.compile(r"^(?:don'?t|do not) (?:let me )?forget\b|^let (?!me|us|it\b)\S+(?: \S+){0,5}? know\b", _I)
# Statements that say what is to be done.
_IMPLIED = re.compile(
    r"\b(?:needs? to be|needs to \w+|need \w+ing|should (?:be|go to|get)|must be|ha(?:s|ve) to be|is to be|(?:is|it's"
    r"|are) (?:way |much |a bit )?too (?:dark|bright|hot|cold|warm|cool|loud|quiet|slow|small|big)|needs? an?"
    r"|^(?:i|we)(?:'ll| will) (?:take|have|go (?:for|with))\b|would like|(?:he|she|they|it|guest|client|customer"
    r"|patient)'d (?:like|love|prefer)|wants? (?:to|an?)|(?:don'?t|no longer) need\b.+|can'?t make it|i(?:'ve"
    r"| have)? lost my|(?:got"
    r"|was|been) stolen)\b",
    _I,
)
_JUST = re.compile(
    r"^\W*(?:i )?(?:just|only) (?:want(?:ed)? to (?:say|tell|share|let)|saying|thought|letting|sharing|curious)\b", _I
)
_HOPES = re.compile(
    r"\bplease\W*$|\bwould be (?:perfect|great|lovely|nice|ideal|fine|good|best|helpful)\b|\b(?:nearly"
    r"|almost) (?:out of|gone|empty)\b"
    r"|\b(?:running|run|ran) (?:out of|low on)\b",
    _I,
)
_LIMITS = re.compile(r"^(?:i |we )?(?:only|just) (?:really )?(?:care|interested|looking|bother|mind)\b", _I)
_ABOUT = re.compile(r"^(?:what|how) about\b", _I)


def lead_of(text: str) -> int:
    """How many characters at the beginning are courtesy and connection only."""
    found = _LEAD.match(text)
    return found.end() if found else 0


def body_of(text: str) -> tuple[str, bool]:
    """`text` without courtesy and asking words, and whether there were asking words."""
    rest = text[lead_of(text) :]
    asked = False
    for _ in range(3):
        match = _ASKING.match(rest)
        if not match:
            break
        asked = True
        rest = rest[match.end() :].lstrip(" ,")
        rest = rest[lead_of(rest) :]
    placed = _PLACE_FIRST.match(rest) or (None if text.rstrip().endswith("?") else _WHEN_DONE.match(rest))
    if placed:
        rest = rest[placed.end() :]
        rest = rest[lead_of(rest) :]
    return rest, asked


def forbids_tools(text: str) -> bool:
    return bool(_NEVER_TOOLS.search(text) or _ASKS_BACK.search(text))


def is_social(text: str) -> bool:
    return len(text) < 160 and bool(_SOCIAL.match(text))


def is_general(text: str) -> bool:
    """Whether a text says itself that it asks about the world in general."""
    return bool(_IN_GENERAL.search(text))


def is_sum(text: str) -> bool:
    """Whether a text asks for the result of a sum."""
    return bool(_SUM.search(text))


def mood_of(text: str, tokens: list[Token]) -> Mood:
    """The mood of a clause whose tokens are given."""
    if is_social(text):
        return Mood.SOCIAL
    bare = text[lead_of(text) :]
    if _NEGATED.match(bare) or (
        _NEGATED.match(text.lstrip(" ,.")) and not text.lower().lstrip().startswith("don't forget")
    ):
        return Mood.NEGATED
    if _META.search(text):
        return Mood.META
    if (
        text.rstrip().endswith("?")
        and _CAN_YOU_THINGS.match(bare)
        and not any(
            (token.kind and token.kind != "code") or token.low in {"the", "my", "this", "that", "it", "me"}
            for token in tokens
        )
    ):
        return Mood.META
    if _NEW.match(bare):
        return Mood.FRAGMENT
    body, asked = body_of(text)
    particular = any(token.kind in {"name", "date", "id", "code"} for token in tokens)
    if (
        _GENERAL.search(text)
        or (_USUAL.search(text) and not particular)
        or _CHATTY.match(body)
        or _EXPLAIN.match(body)
        or (not asked and _EXPLAIN.match(bare))
    ):
        return Mood.EXPLAIN
    if _COMPOSE.match(body):
        return Mood.COMPOSE
    if asked:
        return Mood.QUESTION if _QUESTION.match(body) else Mood.REQUEST
    if _QUESTION.match(body) and not _CAUSED.match(body):
        return Mood.FRAGMENT if _ABOUT.match(body) else Mood.QUESTION
    if _WISH.match(bare):
        return Mood.WISH
    if _FORGET.match(bare):
        return Mood.REQUEST
    head = next((token for token in tokens if token.start >= len(text) - len(body)), None)
    imperative = head is not None and bool(head.acts) and not head.stop and _base_form(head)
    if _TOLD_OF.match(bare):
        return Mood.STATEMENT
    if _HYPHENATED.match(body) and _FINITE_SOON.match(body):
        imperative = False
    if _NOUN_FIRST.match(body):
        imperative = False
    if imperative and head is not None and not (head.low.endswith("s") and not head.low.endswith("ss")):
        following = next((token for token in tokens if token.start > head.start), None)
        if following is None or following.low not in {"is", "are", "was", "were", "has", "had", "will"}:
            return Mood.REQUEST
    if _CAUSED.match(body):
        return Mood.REQUEST
    if head is not None and is_unknown_verb(head, _next(tokens, head)):
        return Mood.REQUEST
    if text.rstrip().endswith("?") and _FINITE.search(text):
        return Mood.QUESTION
    if _JUST.match(text) or _LIMITS.match(bare):
        return Mood.STATEMENT
    if bare.rstrip(" .!?").endswith((" one", " ones")) and len(bare) < 40:
        return Mood.FRAGMENT
    if _HOPES.search(bare) and not bare.rstrip().endswith("?"):
        return Mood.WISH
    if _IMPLIED.search(bare):
        return Mood.WISH
    if _STATEMENT.match(bare) or (_SUBJECT.match(bare) and "?" not in bare):
        return Mood.STATEMENT
    return Mood.FRAGMENT


_OBJECTS = frozenset(
    "the my our his her their your this these those a an it them him me us all both every each another".split()
)


_PRONOUNS = frozenset("it them him her me us everyone everybody".split())


def _next(tokens: list[Token], head: Token) -> Token | None:
    return next((token for token in tokens if token.start > head.start), None)


def is_unknown_verb(head: Token, following: Token | None) -> bool:
    """Whether a word that is no known act stands as one: in its base form before an object, as in "tape the show"."""
    if (
        following is not None
        and following.low in _PRONOUNS
        and head.low.isalpha()
        and not head.stop
        and _base_form(head)
    ):
        return True
    return (
        following is not None
        and head.low not in lexicon().irregular
        and not head.stop
        and not head.acts
        and head.kind in {"", "name"}
        and not any(key[0] == "#" for key, _ in head.keys)
        and head.low.isalpha()
        and _base_form(head)
        and not (head.low.endswith("s") and not head.low.endswith("ss"))
        and not head.low.endswith("ly")
        and (following.low in _OBJECTS or following.kind in {"quoted", "id", "path", "url", "email"})
    )


def _base_form(token: Token) -> bool:
    return not token.low.endswith(("ing", "ed"))
