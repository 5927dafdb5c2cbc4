"""Words that turn a sentence's meaning round, and those that numbers stand with, by language."""

from __future__ import annotations

NEGATORS = {
    "en": (
        "no not never neither nor without cannot none nobody nothing hardly scarcely rarely seldom barely "
        "fail failed fails lack lacks lacked lacking unable aint cant wont "
        + " ".join(
            f"{verb}nt"
            for verb in "is are was were do does did has have had could would should must need might".split()
        )
    ),
    "de": "nicht nie niemals kein keine keinen keinem keiner keines ohne weder noch nichts niemand kaum",
    "fr": "ne n pas jamais sans aucun aucune ni rien personne nul nulle guère",
    "es": "no nunca jamás sin ni ningún ninguno ninguna nada nadie tampoco apenas",
    "it": "non mai senza né nessun nessuno nessuna niente nulla",
    "pt": "não nunca jamais sem nem nenhum nenhuma nada ninguém",
    "nl": "niet nooit geen zonder noch niets niemand",
    "sv": "inte aldrig ingen inget inga utan",
    "pl": "nie nigdy bez żaden żadna żadne ani nic nikt",
    "ru": "не ни нет никогда без нельзя никто ничто",
    "uk": "не ні немає ніколи без ніхто ніщо",
    "ar": "لا لم لن ليس ليست ما غير دون بدون عدم",
    "fa": "نه نیست نبود بدون هرگز هیچ",
    "hi": "नहीं न मत बिना ना",
    "tr": "değil yok hiç hiçbir asla",
    "id": "tidak bukan tanpa belum",
    "vi": "không chẳng chưa",
}
"""Words that deny what follows them, or what precedes them at the end of a clause."""

UNSPACED_NEGATORS = "不 没 沒 无 無 未 非 ไม่ มิได้ ไร้ ない ません なかっ なく 않 못 없"
"""The same within scripts without spaces; they deny the characters around them."""

NO_DENIAL = "only nur solo sólo solamente только seulement solo soltanto apenas slechts just merely alone"
"""After a negation: "not only" denies nothing."""

CONTRASTS = "but sondern sino mais ma но а aber pero maar however"
"""What follows them is not denied any more."""

JOINING = "and while whereas und während et y e и och en oraz i"
"""Between claims."""

HEDGES = {
    "en": (
        "if unless provided/when whenever; may might could maybe perhaps possibly probably presumably likely "
        "unlikely unclear uncertain whether/can; almost nearly/about approximately roughly; only/just "
        "solely exclusively alone; claim claims claimed claiming allege alleges alleged allegedly believe "
        "believes believed suspect suspects suspected supposedly reportedly rumoured rumored thinks assumes "
        "assumed speculated/says said states stated according argues argued"
    ),
    "de": (
        "falls sofern wenn außer/sobald; könnte könnten dürfte dürften vielleicht möglicherweise vermutlich "
        "wahrscheinlich wohl eventuell ob/kann können; fast beinahe nahezu/etwa ungefähr; nur lediglich "
        "ausschließlich/allein bloß; behauptet behaupten behauptete angeblich glaubt glauben glaubte "
        "vermutet vermutete meint/sagt sagte laut"
    ),
    "fr": (
        "si sauf/quand lorsque; pourrait pourraient peut peuvent probablement possiblement; presque "
        "quasiment/environ; seulement uniquement seul seule seuls seules/exclusivement; prétend prétendent "
        "affirme affirment croit croient prétendument soupçonne/dit selon"
    ),
    "es": (
        "si salvo/cuando; podría podrían puede pueden quizá quizás probablemente posiblemente/; casi/"
        "aproximadamente; solo sólo solamente únicamente/exclusivamente; afirma afirman cree creen "
        "presuntamente supuestamente sospecha/dice según"
    ),
    "it": (
        "se qualora/quando; potrebbe potrebbero può possono forse probabilmente/; quasi/circa; solo soltanto "
        "solamente unicamente/esclusivamente; sostiene sostengono crede credono presumibilmente/dice secondo"
    ),
    "pt": (
        "caso salvo/quando; poderia poderiam pode podem talvez provavelmente possivelmente/; quase/"
        "aproximadamente; só somente apenas unicamente/exclusivamente; alega alegam afirma afirmam acredita "
        "acreditam supostamente/diz segundo"
    ),
    "nl": (
        "indien tenzij mits/wanneer; misschien mogelijk waarschijnlijk vermoedelijk/kan; bijna/"
        "ongeveer; alleen slechts enkel/uitsluitend; beweert beweren gelooft geloven vermoedt/zegt volgens"
    ),
    "ru": (
        "если/когда; может могут возможно вероятно наверное ли/; почти чуть/около; только "
        "лишь/исключительно; утверждает утверждают якобы считает полагает/говорит согласно"
    ),
    "ar": "إذا لو/عندما; قد ربما يحتمل/يمكن; تقريبا كاد/حوالي; فقط/حصرا; يزعم يدعي زعم/قال",
    "hi": "अगर यदि/जब; शायद संभवतः/; लगभग/; केवल सिर्फ/; दावा कथित/कहा",
}
"""Words that take something back of what is said, of five kinds: conditions, chances, near misses,
limits, beliefs of others. After a slash, what says nearly the same but takes nothing back; by language."""

UNSPACED_HEDGES = (
    "如果 假如 もし ถ้า หาก 만약; 可能 也许 或许 大概 恐怕 かもしれ たぶん おそらく อาจ บางที 아마; "
    "几乎 差点 幾乎 ほとんど เกือบ 거의; 只有 仅 僅 だけ のみ เฉพาะ; 据说 據說 声称 聲稱"
)
"""The same kinds for scripts without spaces, found as they stand."""

OPPOSITES = {
    "en": (
        "before earlier prior/after later following; first earliest oldest/last latest final newest; "
        "increase increased increases increasing rise rose risen rises grow grew growth gain gained "
        "improve improved improvement/decrease decreased decreases decreasing fall fell fallen drop dropped "
        "decline declined declines shrink shrank reduce reduced reduces reduction loss worsen worsened; "
        "more greater larger bigger longer most largest biggest longest greatest/less fewer smaller shorter "
        "least fewest smallest shortest; large big huge/small little tiny; "
        "higher highest high upper taller/lower lowest low; "
        "above over/below under beneath; up upward/down downward; maximum/minimum; majority/minority; "
        "north northern northward/south southern southward; east eastern/west western; "
        "northeast northeastern/southwest southwestern; northwest northwestern/southeast southeastern; "
        "begin began begun start started starting beginning open opened/end ended finish finished ending "
        "stop stopped close closed; win won winner victory/lose lost loser defeat; "
        "enter entered arrive arrived join joined/leave left depart departed exit exited quit; "
        "accept accepted allow allowed permit permitted approve approved agree agreed/reject rejected "
        "refuse refused forbid forbade forbidden prohibit prohibited ban banned deny denied disagree "
        "disagreed; support supported supports favor favour favored favoured/oppose opposed opposes against; "
        "succeed succeeded success successful/fail failed failure unsuccessful; better best/worse worst; "
        "old older/new newer young younger; strong stronger/weak weaker; positive/negative; male men/female "
        "women; hot warm hotter warmer/cold cool colder cooler; fast faster quick/slow slower; "
        "rich wealthy/poor; inside within indoor/outside outdoor; same identical similar/different "
        "dissimilar; always/never; often frequently common/rarely seldom rare; all every/none; "
        "import imported imports/export exported exports; buy bought/sell sold; teach taught/learn learned; "
        "safe/unsafe dangerous; legal lawful/illegal unlawful; possible/impossible; true correct/false "
        "wrong incorrect; public/private; enable enabled on/disable disabled off; add added/remove removed "
        "delete deleted; include included includes including/exclude excluded excludes excluding; "
        "left/right; early/late; internal/external; minor/major; significant significantly/insignificant "
        "insignificantly; dependent/independent; active/inactive; known/unknown; able/unable; "
        "present/absent; "
        "cause caused causes/prevent prevented prevents; easy easier/hard harder difficult; "
        "wide wider broad/narrow narrower; heavy heavier/light lighter; full/empty; wet/dry; alive/dead; "
        "birth born/death died; attack attacked/defend defended; success/failure; morning/evening; day/night"
    ),
    "de": (
        "vor bevor vorher früher/nach nachdem nachher später; mehr größer größere größte länger meisten/"
        "weniger kleiner kleinere kleinste kürzer wenigsten; "
        "höher hoch höchste/niedriger niedrig niedrigste; "
        "erste ersten erster/letzte letzten letzter; steigen stieg gestiegen zunehmen zunahm erhöht erhöhte/"
        "sinken sank gesunken abnehmen abnahm verringert verringerte; nord norden nördlich nördlichen/süd "
        "süden südlich südlichen; ost osten östlich östlichen/west westen westlich westlichen; "
        "beginnen begann begonnen/enden endete beendet; gewinnen gewann gewonnen/verlieren verlor verloren; "
        "über oberhalb/unter unterhalb; immer/nie niemals; oft häufig/selten; besser/schlechter; "
        "mit/ohne; alt älter/neu jung jünger; stark/schwach; positiv/negativ"
    ),
    "fr": (
        "avant/après; plus/moins; premier première/dernier dernière; augmenter augmenté augmente "
        "augmentation/diminuer diminué diminue diminution baisse; nord/sud; est/ouest; grand grande/petit "
        "petite; haut haute/bas basse; commencer commencé début/finir fini fin; toujours/jamais; "
        "souvent/rarement; avec/sans; dessus/dessous; gagner gagné/perdre perdu; meilleur/pire"
    ),
    "es": (
        "antes/después tras; más mayor mayores/menos menor menores; primero primera primer/último última; "
        "aumentar aumentó aumento subir subió creció/disminuir disminuyó disminución bajar bajó redujo; "
        "norte septentrional/sur meridional; este oriental/oeste occidental; alto alta/bajo baja; "
        "comenzó empezó inicio/terminó acabó fin; siempre/nunca; ganó ganar/perdió perder; grande/pequeño "
        "pequeña; con/sin; mejor/peor; encima/debajo; temprano/tarde"
    ),
    "it": (
        "prima/dopo; più maggiore/meno minore; primo prima/ultimo ultima; aumentare aumentato aumento/"
        "diminuire diminuito diminuzione; nord/sud; est/ovest; alto alta/basso bassa; sempre/mai; "
        "con/senza; migliore/peggiore; grande/piccolo"
    ),
    "pt": (
        "antes/depois após; mais maior/menos menor; primeiro primeira/último última; aumentar aumentou "
        "aumento/diminuir diminuiu diminuição; norte/sul; leste/oeste; alto alta/baixo baixa; sempre/nunca; "
        "com/sem; melhor/pior"
    ),
    "nl": (
        "voor voordat/na nadat; meer groter/minder kleiner; hoger/lager; eerste/laatste; noorden/zuiden; "
        "oosten/westen; stijgen steeg/dalen daalde; altijd/nooit; met/zonder; beter/slechter"
    ),
    "ru": (
        "до перед раньше/после позже; больше более крупнее/меньше менее мельче; первый первая первое/"
        "последний последняя последнее; увеличить увеличился увеличение рост вырос/уменьшить уменьшился "
        "уменьшение снижение снизился; северный север севере/южный юг юге; восточный восток востоке/"
        "западный запад западе; выше высокий/ниже низкий; начался начало/закончился конец; всегда/никогда; "
        "часто/редко; с/без; лучше/хуже; победил победа/проиграл поражение"
    ),
    "ar": "قبل/بعد; أكثر أكبر/أقل أصغر; الأول/الأخير; زاد زيادة ارتفع/نقص انخفض انخفاض; شمال/جنوب; شرق/غرب; "
    "أعلى/أدنى أسفل; دائما/أبدا; بداية بدأ/نهاية انتهى",
    "hi": "पहले/बाद; अधिक ज्यादा बड़ा/कम छोटा; उत्तर उत्तरी/दक्षिण दक्षिणी; पूर्व पूर्वी/पश्चिम पश्चिमी; "
    "बढ़/घट; हमेशा/कभी; ऊपर/नीचे",
}
"""Words on either side of a slash say the opposite of each other; by language."""

UNSPACED_OPPOSITES = (
    "之前/之后; 以前/以后; 前/後; 增加 上升 增长/减少 下降; 更多/更少; 最大/最小; 最高/最低; "
    "北/南; 东/西; 東/西; 第一/最后; 开始/结束; 胜利/失败; 大きい/小さい; 以上/以下; 多い/少ない; "
    "มากกว่า/น้อยกว่า; ก่อน/หลัง; เพิ่ม/ลด; เหนือ/ใต้; ตะวันออก/ตะวันตก"
)
"""The same for scripts without spaces, found as they stand."""

NUMBER_WORDS = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "it": "due tre quattro cinque sei sette otto nove dieci undici dodici",
    "pt": "dois três quatro cinco seis sete oito nove dez onze doze",
    "nl": "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "ru": "два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
}
"""From two on: "one" is a pronoun or an article more often than a number."""

UNITS = (
    "km kilometer kilometers kilometre kilometres; m meter meters metre metres; cm centimeter centimeters "
    "centimetre centimetres; mm millimeter millimeters millimetre millimetres; mi mile miles; ft foot feet; "
    "inch inches; yd yard yards; kg kilogram kilograms kilo kilos; g gram grams; mg milligram milligrams; "
    "lb lbs pound pounds £; oz ounce ounces; t ton tons tonne tonnes; l liter liters litre litres; "
    "ml milliliter milliliters millilitre millilitres; gallon gallons; s sec second seconds; "
    "min mins minute minutes; h hr hrs hour hours; day days; week weeks; month months; year years; decade "
    "decades; century centuries; ms millisecond milliseconds; percent % percentage prozent процент "
    "процентов; percentile; thousand thousands tausend mil тысяч; million millions mio millionen millones "
    "миллион миллиона миллионов; billion billions milliarde milliarden миллиард миллиарда миллиардов; "
    "trillion trillions; dozen dozens; hundred hundreds; dollar dollars $; euro euros €; yen ¥; rupee "
    "rupees; celsius; fahrenheit; kelvin; hectare hectares ha; acre acres; kb; mb; gb; tb; watt watts w; "
    "kw kilowatt kilowatts; mw megawatt megawatts; volt volts; hz; khz; mhz; ghz; mph; kmh; "
    "january jan januar enero janvier января; february feb februar febrero février февраля; march mar märz "
    "marzo mars марта; april apr abril avril апреля; may mai mayo мая; june jun juni junio juin июня; july "
    "jul juli julio juillet июля; august aug agosto août августа; september sep sept septiembre septembre "
    "сентября; october oct oktober octubre octobre октября; november nov noviembre novembre ноября; "
    "december dec dezember diciembre décembre декабря"
)
"""What is counted or dated, with its spellings; one for another beside a number says something else."""

PASSIVE = "by von vom durch por par door przez from"
"""Words that put the one who does something behind it."""

BOTH_WAYS = (
    "meet met marry married wed equal equals equivalent same similar differ different border borders "
    "bordering adjacent neighbour neighbor together connect connected between compare compared share shared "
    "joined link linked talk talked talks spoke discuss discussed correlate correlated associated related"
)
"""Said of two, in either order."""
