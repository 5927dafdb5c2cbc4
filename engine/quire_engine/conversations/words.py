"""Word lists for reading follow-up questions; all folded (without case and accents)."""

from __future__ import annotations

BE = frozenset("is are was were be been being isnt arent wasnt werent am".split())
AUXILIARIES = BE | frozenset(
    "do does did dont doesnt didnt can could should shall would will may might must has have had".split()
)
QUESTION_WORDS = frozenset("what which who whom whose when where why how whats whos wheres hows".split())
DETERMINERS = frozenset(
    "the a an my our your this that these those its their his her every each all no any".split()
)
PREPOSITIONS = frozenset(
    "of in on at by to for from with without about into onto over under between among through during "
    "before after since until inside outside within near against behind beyond than as via per".split()
)
LINKING = frozenset(
    "and or but if when while because although so that who which where until since after before it he she "
    "they them him i you we us me there here not ever still also too very more most much many long often "
    "far old big large high well just then only else one ones same".split()
)
CONNECTORS = frozenset(
    "when while after before if because since until and as so but although where which "
    "who whether that".split()
)
"""What a second clause begins with, whose pronouns mean what the first names."""
MONTHS = frozenset(
    "january february march april may june july august september october november december januar februar "
    "marz april mai juni juli august oktober dezember enero febrero marzo abril mayo junio julio agosto "
    "septiembre octubre noviembre diciembre janvier fevrier mars avril juin juillet aout septembre octobre "
    "novembre decembre".split()
)
PEOPLE = frozenset("he she him her his hers himself herself".split())
THINGS = frozenset("it its itself they them their theirs themselves".split())
SUBJECTS = frozenset("i you he she it we they".split())
DEMONSTRATIVES = frozenset("this that these those".split())
VAGUE = frozenset(
    "happen happens happened go goes went start starts started change changed know mean work".split()
)
"""Verbs that may stand alone in a clause that names nothing."""
TIMES = frozenset(
    "year month week day morning afternoon evening night time moment weekend spring summer autumn winter "
    "quarter semester days weeks".split()
)
"""After "this" they are the present, and no reference."""

WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
LABELS = frozenset(
    "action actions agenda appendix background backlog budget contact contacts contents decision decisions "
    "details faq goals history ideas introduction items journal links log meeting meetings method methods "
    "minutes notes open others overview plan plans project projects questions references related resources "
    "results risks roles schedule section sites status steps summary table tasks team timeline title topics "
    "to-do todo".split()
)
"""Words of headings that say what a section holds, and name nothing."""

FOREIGN_REFERENCES = {
    "de": frozenset(
        "er sie es ihn ihm ihnen ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner dies dieser "
        "diese dieses diesem diesen jener jene jenes davon dafur damit daran darauf daraus darin daruber "
        "dazu dabei dagegen danach davor dort dorthin dessen deren denen".split()
    ),
    "es": frozenset(
        "el ella ellos ellas ello lo le les su sus suyo suya este esta estos estas ese esa esos esas esto "
        "eso aquel aquella alli ahi".split()
    )
    - {"el"},
    "fr": frozenset(
        "il elle ils elles lui leur leurs son sa ses celui celle ceux celles cela ca ce cet cette ces y en "
        "la-bas dont".split()
    )
    - {"en", "ce", "son"},
}
"""Words that point back, by language. Those that mostly mean something else are left out."""
FOREIGN_EXPLETIVES = {
    "de": r"\b(?:gibt es|es gibt|geht es|regnet es|ist es (?:moglich|erlaubt|notig|wahr))\b",
    "es": r"\blo (?:que|mas|mejor|mismo)\b|\b(?:este|esta) (?:ano|semana|mes|noche|manana)\b",
    "fr": r"\b(?:y a[- ]t[- ]il|il y a|faut[- ]il|il faut|est[- ]il (?:possible|vrai|permis)|s'il)\b"
    r"|\bcette (?:annee|semaine)\b|\bce (?:mois|soir)\b",
}
"""Where such a word points to nothing."""
LEADING = {
    "en": r"(?:and |but |so |ok(?:ay)?,? |then )*(?:what about|how about|what of|and|but|same for|or) ",
    "de": r"(?:und |aber |oder )*(?:was ist mit|wie (?:ist|sieht) es (?:aus )?mit|und|aber|oder) ",
    "es": r"(?:y |pero |o )*(?:que hay de|que pasa con|que tal|y|pero|o) ",
    "fr": r"(?:et |mais |ou )*(?:qu'en est-il de|qu'en est-il du|quid de|et|mais|ou) ",
}
"""How an elliptic question begins."""
FOREIGN_QUESTION_WORDS = frozenset(
    "wer wen wem was wann wo wie warum wieso weshalb welche welcher welches ist sind war hat haben kann gibt "
    "muss darf quien que cual cuando donde como cuanto cuanta cuantos cuantas hay es son esta fue puedo "
    "puede tiene por qui quand ou comment combien pourquoi quel quelle quels quelles est-ce y-a-t-il est "
    "sont peut faut".split()
)
"""Words that begin a question in German, Spanish or French."""
FOREIGN_PREPOSITIONS = frozenset(
    "in im an am auf aus bei mit nach von vom zu zum zur fur uber unter seit um en de del desde para por con "
    "sobre hasta entre a au aux dans des du sur pour depuis avec chez vers".split()
)
WHY = r"(?:why|how come|warum|wieso|weshalb|por que|pourquoi)"
"""How a question for reasons begins."""
BARE = {
    "en": r"(?:and |but |so )?(?:why(?: not| so| is that)?|how(?: come| so| exactly)?|"
    r"how (?:long|many|much|often|far|old|big|"
    r"large|high|fast|deep|late|early|tall|wide|heavy|hot|cold|soon|expensive)|"
    r"(?:since |until |by )?when|where(?: exactly| to| from)?|who(?: else)?|"
    r"(?:by|with|for|to|from) whom?|whose|"
    r"which(?: one| ones)?|what else|what for|"
    r"(?:at|in|on|to|from|for|by|with|until|since) (?:what|which) \w+|"
    r"what (?:colou?r|size|time|year|day|price))",
    "de": r"(?:und |aber )?(?:warum(?: nicht)?|wieso|weshalb|wie|"
    r"wie (?:lange|viele?|oft|weit|alt|gross|hoch|teuer)|(?:seit |bis |ab )?wann|wo|woher|wohin|"
    r"wer(?: noch)?|wem|wen|welche[rsnm]?|womit|wofur|wozu)",
    "es": r"(?:y |pero )?(?:por que(?: no)?|como|cuando|(?:desde|hasta) cuando|(?:a |de )?donde|quien(?:es)?|"
    r"cuant[oa]s?|cuanto tiempo|cual(?:es)?|para que)",
    "fr": r"(?:et |mais )?(?:pourquoi(?: pas)?|comment|(?:depuis |jusqu'a )?quand|(?:d')?ou|qui|combien"
    r"(?: de temps)?|lequel|laquelle|lesquel(?:le)?s)",
}
"""Questions of nothing but a question word."""
