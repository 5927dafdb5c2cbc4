"""The commonest words and the letters of languages, and the scripts that tell a language."""

from __future__ import annotations

COMMON_WORDS = {
    "en": (
        "the of and to in is a that for it as was with be by on not he his but at are this have from or had "
        "an they which you were her all she there would their we him been has when who will more no if out "
        "so what up its about into than them can only other how do does did why where i my your me our"
    ),
    "de": (
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden "
        "aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur "
        "oder aber vor zur bis mehr durch man sein wurde wurden was wer wo wann warum welche welcher "
        "welches welchen wem wen wieviel wieso womit worüber worauf woran wovon wozu woher wohin wodurch "
        "ich mein meine wir uns ihr ihre seine kann gibt hatte worden dieser diese dieses diesen diesem "
        "jener jene jenes ihren ihrem ihrer seinen seinem seiner unter gegen ohne zwischen während seit "
        "weil wenn ob damit dabei dazu dann doch schon sehr viel viele vielen vieler alle allen aller "
        "anderen andere waren hatten könnte können konnte konnten muss müssen soll sollte würde beim vom "
        "ins keine keinen kein habe sowie etwa ab"
    ),
    "fr": (
        "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec "
        "son sa ses aux ou mais comme nous était cette ont leur être fait elle deux même ces sans été quel "
        "quelle quels quelles quoi où quand comment pourquoi combien je mon ma mes notre vous votre on "
        "leurs après aussi entre depuis lors ainsi qu cet ceux celle celles lui elles "
        "ils tout tous toute toutes peut peuvent avait avaient étaient sera fut furent dont ni si sous vers "
        "chez lequel laquelle quelque ai moi toi y"
    ),
    "es": (
        "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este "
        "sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante "
        "fue era son es qué cuál cuáles quién quiénes dónde cuándo cómo cuánto cuántos cuánta cuántas mi "
        "mis yo nuestro está han ha ser tiene fueron esa ese eso esos esas estos estas aquel aquella cada "
        "otro otra otros otras eran estaban están había hemos tienen puede pueden según contra tras ante "
        "bajo les nosotros ellos ellas él ella si tan así mucho muchos cuya cuyo"
    ),
    "it": (
        "di e il la che in a per un è del non le si da una con i sono al dei della nel come più anche ma ha "
        "lo gli alla delle dal o se su era questo dalla nella ed stato loro suo sua degli cosa chi dove "
        "quando perché quale quali quanto quanti mio mia io ho nostro alle agli negli sul sulla essere l d "
        "dell all nell dall sull quell quella quello quelli quelle queste questi erano stati stata state "
        "aveva hanno può possono tra fra ancora così ogni tutto tutti tutte egli essa esso essi noi voi "
        "dopo prima senza verso contro"
    ),
    "pt": (
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das "
        "tem à seu sua ou ser quando muito nos já está eu também só pelo pela até isso ela entre era depois "
        "sem mesmo aos seus quem nas me esse eles você qual quais onde quanto quantos porque meu minha são "
        "foram esta este estes estas essa esses essas aquele aquela isto aquilo estão estava eram tinha têm "
        "pode podem sobre sob após antes cada outro outra outros outras todo todos toda todas nós vocês"
    ),
    "nl": (
        "de en van het een in is dat op te zijn met voor die niet aan er om ook als dan maar bij of uit nog "
        "door over naar hij heeft ze wordt worden werd zich tot deze dit was wat wie waar wanneer waarom "
        "hoe welke welk hoeveel ik mijn je jouw wij ons hun haar kan meer geen na had hebben tegen onder "
        "zij hen hem hier zo zou zouden kunnen konden moet moeten wel veel andere alle tussen tijdens sinds "
        "omdat waren elk"
    ),
    "sv": (
        "och i att en som på är av för med den till det om ett har de inte från han var men ut så vid kan "
        "när nu vad vem var varför hur vilken vilket vilka jag min mitt vi oss de dem eller efter sin under "
        "också mot skulle blev hade mycket ska där sig här hon"
    ),
    "da": (
        "og i at det er en til af på som for med den de har der ikke et han var fra sig men om kan hvad hvem "
        "hvor hvornår hvorfor hvordan hvilken hvilket hvilke jeg min mit vi os blev efter også over skal ved "
        "hun eller havde nu mere fordi meget været ud"
    ),
    "nb": (
        "og i det er på en til som for med av den de har at ikke et han var fra seg men om kan hva hvem hvor "
        "når hvorfor hvordan hvilken hvilket hvilke jeg min mitt vi oss ble etter også over skal ved hun "
        "eller hadde nå mer fordi mye vært ut mot bare"
    ),
    "fi": (
        "ja on ei se että oli joka hän mutta ovat kun myös niin kuin tai sen ole jos vain sekä ollut mikä "
        "mitä kuka missä milloin miksi miten kuinka minkä minä minun me he olla voi oli jotka jonka sitä "
        "tämä nyt jo enemmän ennen jälkeen kanssa olivat mihin mistä monta"
    ),
    "hu": (
        "a az és hogy nem is egy van meg ez volt de csak el ha mint azt már vagy még ki mi mely aki ami "
        "hol mikor miért hogyan melyik hány én volt kell lehet után között által szerint ezt voltak minden"
    ),
    "pl": (
        "i w na z nie do się to że jest o jak a od po za co dla ale przez był ich czy jego są tak tym oraz "
        "która który które być tylko było jej może już przed przy kto gdzie kiedy dlaczego ile jaki jaka "
        "jakie ja mój moje ten ta te było była został we ze"
    ),
    "cs": (
        "a se v na je že o s z do i to k ve pro za by ale si po jako od jsou byl která který které ze jeho "
        "nebo také až tak jen když co kdo kde kdy proč jak jaký jaká jaké kolik já můj být bylo byla při už"
    ),
    "sk": (
        "a sa v na je že o s z do aj to k vo pre za by ale si po ako od sú bol ktorá ktorý ktoré zo jeho "
        "alebo tiež až tak len keď čo kto kde kedy prečo aký aká aké koľko ja môj byť bolo bola pri už"
    ),
    "tr": (
        "ve bir bu da de için ile olarak çok daha olan gibi en ne kadar sonra ama ya var değil her o mi ki "
        "ben kim nerede ne zaman neden niçin nasıl hangi kaç biz benim tarafından olduğu ise göre"
    ),
    "ro": (
        "de și în a la cu din pe că nu este un o care pentru mai al se sau au fost prin ca dar sunt lui ce "
        "cine unde când cum cât câte câți eu mea meu era ale cel cea după între fi nici acest această"
    ),
    "ca": (
        "de la i el que en a les els un del per una amb és no al se es dels com més va però són ha o seu "
        "seva entre aquest aquesta què qui on quan com quin quina quins quines quant jo meu meva ser fou "
        "també fins"
    ),
    "id": (
        "yang dan di dari ini itu untuk dengan pada adalah dalam tidak ke oleh akan sebagai juga ada atau "
        "karena telah lebih apa siapa mana kapan mengapa bagaimana berapa saya kami mereka dia bisa dapat"
    ),
    "vi": (
        "và của là có trong được cho một các không với những người này đã để khi từ ở đó về như ra cũng "
        "tôi gì ai đâu nào sao bao nhiêu thế tại bởi vào hay nhưng"
    ),
    "hr": (
        "i je u se na da su za od s ne koji a to ili kao bi sam nije što o iz koja po biti te više samo ali "
        "tko gdje kada zašto kako koliko koje ja moj bio bila nakon prema između bilo"
    ),
    "sl": (
        "in je v na se da so za ki s z ne pri tudi po kot bi od ali kaj kdo kje kdaj zakaj kako koliko "
        "kateri katera katero jaz moj bil bila bilo še ter več pa iz do med lahko"
    ),
    "lt": (
        "ir yra kad į iš su ne tai buvo o kaip bet jo apie po ar už taip nuo jis jie kas kur kada kodėl kiek "
        "koks kokia kuris kuri aš mano iki prie per dėl arba tik dar"
    ),
    "lv": (
        "un ir no ar uz par kas ka tika bija pie nav arī kā vai lai bet pēc tas šis kur kad kāpēc cik kāds "
        "kāda kurš es mans līdz savu tikai jau"
    ),
    "et": (
        "ja on et ei see ta oli ka mis kui oma aga siis nii või kes kus millal miks kuidas milline kui palju "
        "mina minu ning seda selle olid kuid pärast enne"
    ),
    "eu": (
        "eta da ez du bat zen ere baina dira izan dute hau hori bere egin zer nor non noiz zergatik nola "
        "zenbat zein nire gara ditu den dela ziren"
    ),
    "ga": (
        "agus an na i ar le is go a bhí tá sé sí do de ag as faoi cad cé cá conas cathain mo ní nach raibh "
        "bhfuil ina leis chuig"
    ),
    "eo": (
        "la kaj de en estas al ne por kiu el sed ke mi li ili oni ĝi kun pri kio kie kiam kial kiel kiom "
        "estis aŭ ankaŭ tio tiu pli per"
    ),
    "ru": (
        "и в не на что с он как а по это к но из у за то от все о так его для был была было были же бы или "
        "она они мы я вы кто где когда почему какой какая какое какие сколько каким который которые при чем "
        "чего со во до также является мой этот эта эти этого этой этих том тому тем тех ему ей им их ними "
        "нее него себя себе своей своих ещё еще уже если только между перед после над под без через чтобы "
        "может могут можно есть вот раз ли ни другой других другие"
    ),
    "uk": (
        "і в не на що з він як а по це до але із у за то від всі о так його для був була було були ж та й "
        "або вона вони ми я ви хто де коли чому який яка яке які скільки при чим є мій також"
    ),
    "bg": (
        "и в на се да е за не от са с че по това като към който през или до той но кой къде кога защо как "
        "колко какво какъв каква аз моя ще са беше след която"
    ),
    "sr": (
        "и је у се на да су за од с не који а то или као би сам није што о из која по бити те више само ко "
        "где када зашто како колико које ја мој био била након према између"
    ),
    "mk": (
        "и во на се да е за не од со што по тоа како кој или до тој но каде кога зошто колку која ќе беше "
        "сум ова бил била јас мој ги го"
    ),
    "be": (
        "і ў не на што з ён як а па гэта да але за ад усе так яго для быў была было былі ж або яна яны мы я "
        "хто дзе калі чаму які якая якое колькі пры"
    ),
    "ar": (
        "في من على إلى عن ما هو هي كان التي الذي أن لا هذا هذه مع ذلك متى أين كيف لماذا كم أي بين هل وما "
        "كانت بعد قبل تم أو ثم قد لم وهو وهي هؤلاء تلك الذين اللذين التى عند عندما حيث حتى كل بعض غير منذ "
        "خلال أثناء ضد تحت فوق حول لدى فقط أيضا كما لكن إذا لها له لهم به بها فيه فيها منه منها عليه عليها "
        "إليه إليها يكون تكون ليس ليست يتم ماذا لأن كلا"
    ),
    "fa": (
        "در به از که این است را با برای آن یک خود تا کرد بر هم می شد شده چه چرا کجا کی چگونه چند کدام من "
        "بود های"
    ),
    "ur": "کے کی میں ہے کا اور سے کو پر نے یہ کہ ہیں تھا کیا کون کہاں کب کیوں کیسے کتنے بھی ایک تھے",
    "hi": (
        "के में की है और से को का पर ने यह कि हैं था थे थी एक इस भी लिए क्या कौन कहाँ कहां कब क्यों कैसे "
        "कितने कितना कितनी किस किसने किसे नहीं जो द्वारा गया मैं मेरा हो होता होती होते हुआ हुई हुए किया "
        "किए करने करना करता करते करती जाता जाती जाते जिस जिसे जिसके जिसका जिसकी उस उसे उसके उसका उसकी इसके "
        "इसका इसकी इसे उन उनके उनका उनकी इन इनके तो या अपने अपनी अपना कर रहा रहे रही सकता सकते सकती साथ बाद "
        "तक वह वे कुछ कोई सब ही जब तब अब यदि लेकिन बीच दौरान रूप ऐसा ऐसे कई आदि"
    ),
    "mr": "आणि आहे या च्या ते हा ही हे तो ती होते होता आहेत कोण कुठे केव्हा का कसे काय किती मी माझा नाही एक करून साठी",
    "ne": "र छ हो को मा का यो पनि भने लागि गर्न भएको छन् थियो के किन कहाँ कहिले कसरी कति म मेरो एक गरेको ले लाई",
    "he": "של את על לא הוא זה עם היא כי גם אל או אם כל היה מה מי איפה מתי למה איך כמה אני בין",
    "yi": "און די דער איז אין צו פון דאס אַ נישט מיט אויף האט זיך ווי וואס ווער וואו ווען פארוואס איך",
}
"""The words that a text of the language has most of, and those that its questions begin with."""

LETTERS = {
    "de": "äöüß",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "es": "áéíóúüñ",
    "it": "àèéìíîòóùú",
    "pt": "áâãàçéêíóôõúü",
    "nl": "áéëïóöüè",
    "sv": "åäöé",
    "da": "åæøé",
    "nb": "åæøéòô",
    "fi": "äöå",
    "hu": "áéíóöőúüű",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "tr": "çğıöşüâî̇",
    "ro": "ăâîșțşţ",
    "ca": "àçéèíïóòúü·",
    "vi": "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "hr": "čćđšž",
    "sl": "čšž",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "et": "äöõüšž",
    "eu": "ñ",
    "ga": "áéíóú",
    "eo": "ĉĝĥĵŝŭ",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџшѐѝ",
    "be": "абвгдежзійклмнопрстуўфхцчшыьэюяё",
    "fa": "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیآأؤئء\u200c",
    "ur": "ابپتٹثجچحخدڈذرڑزژسشصضطظعغفقکگلمنںوہھءیےآأؤئۓ",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهويآأإؤئءىة",
}
"""The letters outside ASCII that the language is written in, where they tell it from others of its script."""

SCRIPTS: tuple[tuple[int, tuple[str, ...] | None], ...] = (
    (0x0041, None),
    (0x0370, ("el",)),
    (0x0400, ("ru", "uk", "bg", "sr", "mk", "be")),
    (0x0530, ("hy",)),
    (0x0590, ("he", "yi")),
    (0x0600, ("ar", "fa", "ur")),
    (0x0700, ()),
    (0x0900, ("hi", "mr", "ne")),
    (0x0980, ("bn",)),
    (0x0A00, ("pa",)),
    (0x0A80, ("gu",)),
    (0x0B00, ("or",)),
    (0x0B80, ("ta",)),
    (0x0C00, ("te",)),
    (0x0C80, ("kn",)),
    (0x0D00, ("ml",)),
    (0x0D80, ("si",)),
    (0x0E00, ("th",)),
    (0x0E80, ("lo",)),
    (0x0F00, ("bo",)),
    (0x1000, ("my",)),
    (0x10A0, ("ka",)),
    (0x1100, ("ko",)),
    (0x1200, ("am",)),
    (0x1380, ()),
    (0x1780, ("km",)),
    (0x1800, ()),
    (0x1E00, None),
    (0x1F00, ("el",)),
    (0x2000, ()),
    (0x3040, ("ja",)),
    (0x3100, ()),
    (0x3400, ("zh",)),
    (0xA000, ()),
    (0xAC00, ("ko",)),
    (0xD7B0, ()),
    (0xF900, ("zh",)),
    (0xFB00, None),
    (0xFB1D, ("he", "yi")),
    (0xFB50, ("ar", "fa", "ur")),
    (0xFE00, ()),
    (0xFE70, ("ar", "fa", "ur")),
    (0xFF00, ()),
    (0xFF21, None),
    (0xFF66, ("ja",)),
    (0x20000, ("zh",)),
)
"""The first character of each script, and the languages that it tells, the likeliest first.

``None``, for Latin, are all that have common words and no script of their own.
"""

ASKING: dict[str, str] = {
    "zh": (
        "请问|請問|为什么|為什麼|为何|為何|如何|怎么样?|怎麼樣?|怎样|怎樣|多少|多长|多長|多久|几(?![何乎内])|幾(?![何乎內])|"
        "(?:[是有]|叫做?)?(?:什么|什麼)(?:时候|時候|地方)?是?|何(?:时|時|地|处|處|人)|"
        "[是有在]?哪(?!吒)[里裡儿些个個]?|是?(?:谁|誰)是?|[吗嗎呢](?=\\W*(?:$|\n))"
    ),
    "ja": (
        "(?:とは|[はがをにで])?(?:何|なに|誰|いつ(?!も)|どこ|なぜ|どうやって|どうして|どうすれば|どう(?=[いなしす])|"
        "どの(?:ように|くらい)?|どんな|どれ|どちら|いくつ|いくら)(?:です|でした)?か?|"
        "とは(?=\\W*$)|(?:です|でした|ます|ました)か(?=\\W*$)"
    ),
    "ko": (
        r"(?<!\w)(?:무엇|무슨|누구|누가|언제|어디|어느|어떤|어떻게|얼마|몇|뭐|왜(?!\w))\w*|"
        r"(?:입니까|습니까|인가요|나요|까요)(?=\W*$)"
    ),
    "th": "อะไร|ใคร|เมื่อไร|ที่ไหน|ทำไม|อย่างไร",
}
"""Patterns of the words that make a question of a sentence, where a language puts them anywhere in it, with
what stands beside them for the grammar's sake."""
