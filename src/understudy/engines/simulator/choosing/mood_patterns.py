"""The words by which a clause shows what it is: a request, a question, a wish for an explanation, a courtesy …"""

from __future__ import annotations

import re

from understudy.engines.simulator.choosing.gated import Gated

ANY_CASE = re.IGNORECASE

_LEADING = (
    r"(?:please\b|pls\b|plz\b|by the way\b|btw\b|sorry\b|h+m+\b|u[hm]+\b|ah+\b|ugh\b|ooh\b|ha good\b|hiya\b"
    r"|kindly\b|hey\b|hi\b|hello\b|ok(?:ay)?\b|yes\b|yeah\b|sure\b|great\b|perfect\b"
    r"|thanks?\b(?: you)?|alright\b|so\b|and\b|also\b|then\b|now\b"
    r"|next\b|first(?:ly)?\b|only\b|second(?:ly)?\b|finally\b|lastly\b|after that\b|afterwards\b|but\b|plus\b"
    r"|actually\b|just\b|quickly\b|oh\b|well\b|right\b|cool\b|too\b"
    r"|additionally\b|instead\b|maybe\b|in that case\b|bitte\b|por favor\b|s'il (?:te|vous) pla[iî]t\b|und\b|et\b"
    r"|y\b|go ahead and\b|be sure to\b|make sure (?:to|you)\b|don't forget to\b|while you're at it,?"
    r"|once (?:that's|that is|it's) done,?|when (?:that's|that is) done,?|if (?:you can|possible),?|for me,?"
    r"|good (?:morning|afternoon|evening)\b)"
)
# What a text may begin with before it says anything, and, where its first sign is of a word, how.
LEAD = re.compile(rf"^(?:\W|{_LEADING})+", ANY_CASE)
LEAD_WORD = Gated(f"^{_LEADING}")

ASKING = Gated(
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
    r"|me gustaría)\b"
)

WISH = Gated(
    r"^(?:i|we)(?:'d| would)?(?: also| really| just)* (?:want|need|like|love|require)\b|^(?:i'?m|we'?re|i am"
    r"|we are) (?:looking for|after|interested in|in need of|searching for)\b|^looking for\b|^(?:i|we) could use\b"
)

NEGATED = Gated(
    r"^(?:please )?(?:(?:don'?t|do not) (?!let me forget|forget)|never|not (?:yet|now)|no need (?:to|for)"
    r"|there(?:'s| is) no need|you (?:don'?t|do not) (?:need|have) to|you needn'?t|without"
    r"|(?:i|we) (?:don'?t|do not) (?:want|need|wish)(?!.* any ?(?:more|longer)\b)|i(?:'d| would) rather not"
    r"|no,? (?:don'?t|do not|thanks"
    r"|thank you)|(?:you )?(?:must|should) not|(?:you )?(?:mustn'?t|shouldn'?t)|please avoid|avoid|hold off"
    r"|refrain|forget (?:about )?(?:it|that)|never ?mind"
    r"|(?:i'm|i am) not asking|not asking|nicht |bitte nicht|ne \w+ pas|n'\w+ pas|no (?:lo )?(?:env|borr|elimin"
    r"|hag|mand))"
)

NEVER_TOOLS = Gated(
    r"\b(?:without|don'?t|do not|no need to|avoid|not|never|no)\s+(?:actually |even )?(?:us(?:e|ing)|call(?:ing)?"
    r"|invok(?:e|ing)|run(?:ning)?|need for)?\s*(?:of )?(?:any |a |the |your )?(?:tools?|functions?|api)\b"
    r"|\bjust (?:explain|tell me how you would|describe how)\b|\bfrom (?:memory|your (?:own )?(?:memory|knowledge"
    r"|head))\b|\b(?:hypothetically|in theory)\b"
    r"|\bwithout (?:looking (?:it|anything|that|this) up|searching|checking|calling anything|running (?:it"
    r"|anything))\b|\b(?:don'?t|do not|no need to) look (?:it|anything|this|that) up\b|\bno (?:tools?|calls?)\b"
    r"|\bno \w+ (?:is |are )?(?:needed|necessary|required)\b|\bjust tell me\b(?! (?:the|when|if|what|how (?:much"
    r"|many)))|\b(?:publish|send|change|call|run|do) nothing\b"
)

SOCIAL = Gated(
    r"^\W*(?:(?>(?:hi|hello|hey|hiya|howdy|greetings|yo|good (?:morning|afternoon|evening|night|day)|thanks?(?: you"
    r"| a lot| so much| very much| a million)?|thank you(?: so much| very much)?|thx|cheers|ty|bye|goodbye"
    r"|see you|later|ok(?:ay)?|cool|great|perfect|awesome|nice|wonderful|excellent|amazing|got it"
    r"|sounds good|no problem|you'?re welcome|never ?mind|lol|haha|wow|well done|good job|good bot|that'?s (?:all"
    r"|it|great|perfect|good|fine|helpful|awesome)|that will be all|all good|how are you(?: doing)?(?: today)?"
    r"|how's it going|what'?s up|nice to meet you|have a (?:nice|good|great) \w+|i appreciate it|much appreciated"
    r"|for (?:your|the|all your) help|there|everyone|again|today|now|for now|so|very|really|a lot|that|was"
    r"|helpful|you|were|are|the best|oh|ah|ugh|oops|argh|no|nope|no thanks|no thank you|not now"
    r"|hallo|guten (?:tag|morgen|abend)|danke(?: schön)?|vielen dank|tschüss|bonjour|salut|merci(?: beaucoup)?"
    r"|au revoir|hola|buenos días|gracias|muchas gracias|adiós|wie geht'?s|ça va|qué tal"
    r"|こんにちは|ありがとう(?:ございます)?"
    r"|おはよう(?:ございます)?|さようなら)(?!\w))[\s,.!?;:)👍🙏😊！。、-]*+)++$"
)

META = Gated(
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
    r"|any (?:tools?|functions?))"
)

EXPLAIN = Gated(
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
    r"|^what (?:can|could|might) (?:i|we|you|one) do (?:about|against|to (?:help|stop|avoid|prevent|improve))\b"
    r"|^(?:is|are) .{3,60} supposed to\b"
    r"|^what(?:'s| is| are) (?:the |an? )?(?:usual|typical|normal|average|standard|common)\b|^(?:is"
    r"|are) .{2,40} worth \w+ing\b"
    r"|^what (?:makes|would (?:be|make)|goes|might be) (?:an? )?(?:good|great|nice|better|well|sensible|decent)\b"
    r"|^is it (?:bad|good|poor|fine|considered|common|weird|strange|too late|hard|easy|cheating|unprofessional)\b"
    r"|^how (?:long|often|much|many) (?:can|should|could) (?!(?:i|we|you) (?:still )?(?:have|see|get)\b)[\w ]+\?"
    r"|^should (?:i|we)\b|^do you think\b|^is it (?:ok|okay|safe|possible|a good idea|better|true|normal|legal"
    r"|polite|wise|worth|rude)\b|^what should (?:i|we)\b|^which is better\b|^(?:who|what) (?:invented|discovered"
    r"|wrote|painted|was|were|caused)\b|^when (?:did|was|were)\b|^can you (?:explain|teach|tell me (?:how|why"
    r"|the difference|more about))\b|^could you (?:explain|teach|tell me (?:how|why))\b"
    r"|^(?:what|who) (?:is|are|'s) (?:a|an)\b|^was (?:bedeutet|heißt)|^warum\b|^wie (?:funktioniert|kann ich)"
    r"|^pourquoi\b|^comment (?:fonctionne|faire|puis-je)|^que signifie|^por qué\b|^cómo (?:funciona|puedo)"
    r"|^qué significa|^explícame|^erkläre?\b|^explique"
)

# As the above, and the only pattern that begins with any words.
WHEN_YOU = re.compile(
    r"^.{3,60} when you (?:stand|sit|sleep|walk|run|eat|drink|get|are|have|do|make)\b.{0,40}\?", ANY_CASE
)

GENERAL = Gated(r"\bstands? for\b|\b(?:generally speaking|in general|as a rule)\b|, right\?$")

USUAL = Gated(r"\b(?:typically|normally|usually)\b")

SUM = Gated(
    r"\b(?:what(?:'s| is)|how much is|calculate|compute) \d[\d.,]* ?(?:times|plus|minus|divided by|x"
    r"|[-+*/×÷]) ?\d"
)

IN_GENERAL = Gated(r"\b(?:generally speaking|in general|as a rule|out of (?:pure |sheer )?curiosity)\b")

COMPOSE = Gated(
    r"^come up with\b|^(?:write|compose|make up|invent|tell|brainstorm|draft|rewrite|rephrase|paraphrase|improve"
    r"|imagine|pretend|act as|role-?play|give) (?:me |us |up )?(?:an? |some |the |this |two |three |five "
    r"|\d+ )?(?:\w+[ -]){0,3}?(?:poem|haiku|story|tale|joke|song|essay|limerick|lyrics|riddle|slogan|tagline"
    r"|paragraph|sentence|sonnet|speech|fairy ?tale|blog post|pun|fun fact|compliment|ideas?|names? for|metaphor"
    r"|analogy|dialogue|cover letter)s?\b"
)

# What is to be worded nicely and is for nobody in particular is written in the answer.
WORDED = Gated(
    r"^(?:write|draft|compose|give me|help me (?:write|with)) (?:me )?(?:an? |some )?(?:\w+[, ]+){0,2}?(?:short"
    r"|friendly|funny|polite|nice|formal"
    r"|heartfelt|catchy|witty|warm|professional|quick)\b[^.?]{0,40}?\b(?:message|email|e-mail|letter|note|reply"
    r"|text|post|caption|bio|toast"
    r"|description|invitation|apology)\b(?! (?:to|for) (?!me\b|us\b|my\b|our\b|an? )\w)"
)

# What one who talks does himself: a tool for it would have to say so.
CHATTY = Gated(
    r"^(?:sing|rap|cheer|guess|imagine|pretend|roast|entertain|motivate|inspire|console|comfort|congratulate|compliment"
    r"|wish (?:me|us|him|her)|spell|pronounce|rhyme|debate|argue|criticize|chat|talk|discuss|say|repeat after"
    r"|brainstorm|philosophize|count (?:from|to|down|up))\b(?! (?:again|off)\b)"
)

QUESTION = Gated(
    r"^(?:what|what's|whats|which|who|who's|whose|where|where's|when|when's|how|how's|is|are|isn't|aren't|am|was"
    r"|were|do|does|did|doesn't|has|have|had|any|anything|anyone|anybody|will|would|can(?!')|could|should|may"
    r"|might|tell me (?:what|which|who"
    r"|where|when|how|if|whether)|let me know (?:what|if|when|how)|i(?:'d| would)? (?:wonder|like to know"
    r"|want to know|need to know)|i'm wondering|(?:do you|any idea|can you tell me|could you tell me|find out"
    r"|check|see)\b.{0,12}\b(?:what|which|who|where|when|how|if|whether))\b"
    r"|^(?:wie|was|wo|wann|wer|welche[rsn]?|gibt es|wieviel|ist|sind|hat|habe|regnet|wird) |^(?:quel(?:le)?s?"
    r"|combien|où|quand|qui|est-ce|y a-t-il|comment (?:est|va|faire|puis)|il y a|que|qu'|quoi)\b ?|^¿"
    r"|^(?:cuál|cuándo|cuánto|cuántos|cuántas|dónde|qué|quién|cómo|hay|va a) "
)

STATEMENT = re.compile(
    r"^(?:i|we|he|she|they|it|you|my|our|his|her|their|your|the|this|that|these|those|there|nobody|everyone"
    r"|someone|some|all|#?\w*-?\d[\w-]*|it's|that's|he's|she's|they're|we're|i'm|i've|i'd|there's|here's"
    r"|[A-Z]\w+)\b(?=.*?\b(?:is"
    r"|are|was|were|am|'m|has|have|had|did|does|do|don't|didn't|hasn't|haven't|isn't|aren't|wasn't|will|won't"
    r"|would|can't|cannot|couldn't|love|loves|like|likes|hate|hates|think|thinks|thought|feel|feels|felt|know"
    r"|knows|knew|live|lives|lived|work|works|worked|went|got|saw|came|said|told|bought|sent|made|took|forgot"
    r"|lost|left|met|paid|ate|slept|ran|wrote|read|heard|broke|looks?|seems?|sounds?|prefer|prefers|agree|believe"
    r"|guess|hope|wish|used|plan|'s|'re|'ve|gets|needs|wants|goes|comes|makes|takes|keeps|says|\w{3,}ed)\b)",
    ANY_CASE,
)
