"""Words by which a question shows what it is after, in the languages that are asked most.

All are compared folded (without case and accents). Languages are not told apart first: a question is short,
and what such a word means in another language hardly ever begins a question there.
"""

from __future__ import annotations

import re

from quire_engine.analysis import fold
from quire_engine.language_tables import ASKING
from quire_engine.retrieval.wording import folded_words

_QUESTION_WORDS = (
    # English
    "what whats who whos whom whose when where wheres why which how hows is are was were do does did can "
    "could should shall would will has have had may might am isnt arent doesnt dont didnt "
    # German
    "wer wen wem wessen wann wo woher wohin warum wieso weshalb welche welcher welches welchen welchem wie "
    "wieviel womit wodurch worauf woran ist sind war waren hat haben kann gibt "
    # French
    "qui que quoi quand ou pourquoi quel quelle quels quelles comment combien quest est a-t "
    # Spanish
    "quien quienes cuando donde cual cuales como cuanto cuantos cuanta cuantas por "
    # Italian
    "chi quando dove perche quale quali quanto quanti quanta quante cosa "
    # Portuguese
    "quem onde qual quais quantos quantas "
    # Russian
    "что кто кого кому чем когда где куда откуда почему зачем какой какая какое какие каком каких как "
    "сколько чей чья "
    # Arabic
    "ما ماذا من متى اين لماذا اي كيف كم هل "
    # Hindi
    "क्या कौन कब कहां कहाँ क्यों कैसे कितने कितना कितनी किस किसने किसे"
)
QUESTION_WORDS = frozenset(fold(word) for word in _QUESTION_WORDS.split())
_INSIDE = re.compile("|".join(ASKING.values()))
"""Question words of languages that put them anywhere."""


def begins_as_question(text: str) -> bool:
    """Whether ``text`` begins with a question word, or has one where its language puts them anywhere."""
    first = folded_words(text[:100]).partition(" ")[0]
    return first in QUESTION_WORDS or (not text.isascii() and _INSIDE.search(text) is not None)


def any_of(*patterns: str) -> re.Pattern[str]:
    """A pattern for folded text that finds any of ``patterns``, each from the beginning of a word on.

    Those of scripts without spaces are found anywhere.
    """
    found = (pattern if pattern[0] > "\u2e80" else rf"\b(?:{pattern})" for pattern in patterns)
    return re.compile("|".join(found))


ANALYTICAL = any_of(
    r"why\b|how come\b|explain|compare|contrast\b|differ(?:s|ence|ences|ent from)?\b|versus\b|vs\b",
    r"pros and cons|(?:dis)?advantages?\b|drawbacks?\b|trade-?offs?\b|implications?\b",
    r"(?:impact|effects?|influence|causes?|consequences?) of\b|reasons? (?:for|why)\b|relationship between\b",
    r"what (?:causes|caused)\b|^(?:please )?(?:evaluate|assess|discuss|analy[sz]e|interpret)\b",
    r"how (?:do|does|did|is|are|was|were) .{1,80}\b(?:work|relate|related|affect|influence|interact)\b",
    r"warum\b|wieso\b|weshalb\b|erklar|vergleich|unterschied|auswirkung|zusammenhang|ursache",
    r"pourquoi\b|expliqu|consequence|avantages?\b|por que\b|explica|diferencia|consecuencia|ventajas?\b",
    r"perche\b|spiega|confronta\b|differenz|vantaggi|diferenca|vantagens\b",
    r"почему\b|зачем\b|объясни|сравни|разниц|отлич|причин|последстви",
    r"لماذا|اشرح|قارن|الفرق|تاثير|क्यों|समझा|तुलना|अंतर\s|प्रभाव",
    "为什么|為什麼|解释|比较|比較|区别|區別|分析|影响|なぜ|説明|違い|影響|왜|비교|차이",
)
_WORKS = (
    "poem|story|song|essay|post|article|email|letter|speech|slogan|titles?|names?|ideas?|outline|haiku|tweet|"
    "paragraph|draft|script"
)
CREATIVE = any_of(
    r"brainstorm|^(?:please )?(?:imagine|invent)\b|(?:^|help me |help us |can you |please )come up with\b",
    r"(?:write|draft|compose|create|make up|suggest|propose) (?:me )?(?:an? |some |the )?"
    rf"(?:\w+ ){{0,2}}(?:{_WORKS})\b",
    r"^(?:bitte )?(?:schreib|schreibe|dichte|erfinde|entwirf)\b|^(?:ecris|redige|invente|imagine)\b",
    r"^(?:escribe|redacta|inventa|scrivi|escreva)\b|напиши\b|придумай\b|сочини\b|^اكتب\b|लिखो|लिखिए",
    "帮我写|幫我寫|写一[篇首个]|寫一[篇首個]|書いて",
)
CONVERSATIONAL = re.compile(
    r"(?:hi|hello|hey|thanks?|thank you|ok|okay|good (?:morning|evening)|yes|no|sure|hallo|danke|bonjour|"
    r"merci|hola|gracias|ciao|grazie|ola|obrigad[oa]|привет|спасибо|مرحبا|شكرا|नमस्ते|धन्यवाद|你好|谢谢|謝謝|"
    r"こんにちは|ありがとう)(?: \w+){0,2}|(?:(?:and|but|so|ok|okay) )?(?:what|how) about "
    r"(?:it|that|this|them|these|those|him|her)(?: ones?)?|(?:please )?(?:tell me more|go on|continue|"
    r"elaborate|say more)(?: about (?:it|that|this|them))?|(?:can|could) you "
    r"(?:elaborate|explain (?:that|it|this))(?: .{0,30})?|what do you (?:mean|think).{0,30}|"
    r"who are you|what can you do|how are you"
)
"""To be matched against all of a text's folded words."""
SYNTHESIS = any_of(
    r"summari[sz]e\b|summary of (?:all|my|our|the)\b|overview (?:of|over)\b|synthesi[sz]e\b|takeaways?\b",
    r"(?:key|main) (?:points|ideas|themes|findings|arguments)\b|everything about\b|bring together\b",
    r"(?:everything|all) (?:that )?(?:i|we) (?:know|have|wrote)\b",
    r"(?:all|across) (?:of )?(?:my|our|the) notes\b",
    r"what do (?:my|our) notes\b|what have (?:i|we) (?:written|learned|learnt|noted|collected)\b",
    r"survey of\b|state of the art\b|(?:list|find|collect) (?:all|every)\b",
    r"all (?:articles|papers|discussions|notes) (?:on|about|of|that)\b",
    r"zusammenfass|fasse\b|uberblick uber|alles uber\b|vue d.?ensemble|tout ce que|^resume[rz]?\b",
    r"resumen de\b|resumir|todo lo que|riassum|panoramica|tutto quello|resumo d|visao geral|tudo o que",
    r"обобщи|кратко изложи|обзор|подытож|لخص|ملخص|सारांश|संक्षेप",
    "总结|總結|概述|综述|まとめ|要約|概要|요약",
)
CHANGE = any_of(
    r"over time\b|over the (?:years|months|weeks)\b|timeline\b|chronolog|evolution of\b",
    r"trends? (?:over|of)\b",
    r"how (?:has|have|did) .{1,60}\b(?:changed?|developed?|evolved?)\b|changed (?:since|over)\b",
    r"progress (?:of|on)\b|im lauf|entwicklung (?:von|der|des)\b|au fil du temps|evolution d",
    r"a lo largo|evolucion|nel tempo\b|evoluzione|ao longo|evolucao|со временем|эволюци|تطور",
    "演变|変遷|推移",
)
"""What asks how something went on."""
