"""In what a question is asked: in Latin letters or not, and if so in another language than English.

The language is told by the small words a question is held by.

Only so much is needed: an English model sees little in other languages, and the word index's endings are English. A
question of content words alone, like the name of a thing, counts as English.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_SYLLABLE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_UNIT = re.compile(rf"[{_SYLLABLE}]|[^\W\d_{_SYLLABLE}]+")
_FIRST_NOT_LATIN = "\u0370"
_ENGLISH = frozenset(
    "a all an and any are as at be been but by can could did do does for from had has have he her his how i if in into "
    "is it its many most much my no not of on only or our she so such than that the their them there these they this "
    "to very was we were what when where which who whom whose why will with would you your".split()
)
_OTHERS = frozenset(
    # German, Dutch
    "als am auf aus bei bis das dem den der des die ein eine einem einen einer es für gibt hat ich im ist kann mit "
    "nach nicht oder sich sind über um und viele von vor wann war waren warum was welche welchem welchen welcher "
    "welches wem wen wer werden wie wird wo wurde wurden zu zum zur aan bij dat de deze dit een en het hoe hoeveel "
    "is kan met naar niet om op te uit van voor waar wat werd wie worden wordt zijn "
    # Spanish, Portuguese, Catalan
    "al como con cuál cual cuáles cuando cuándo cuánto cuántos cuántas de del desde donde dónde e el ella en entre "
    "era es esta este fue ha hay la las lo los más no o para por porque qué que quién quien quiénes se sin sobre su "
    "sus tiene un una y ao aos da das do dos em foi há mais não na nas no nos onde os ou pela pelo qual quais "
    "quando quantos quem são seu sua um uma amb els i quin quina és "
    # French, Italian
    "à au aux avec ce cette comment combien dans des du elle est et étaient était être il ils je le les leur ne où "
    "par pas pour pourquoi quand quel quelle quelles quels qui sa ses son sont sur une alla anche che chi come con "
    "cui dal della delle dei di dove gli il nel nella per più quale quali quando quanti sono su sul sulla è "
    # Polish, Czech, Romanian, Turkish, Vietnamese, Swedish, Danish, Norwegian, Finnish, Hungarian, Indonesian
    "co czy dla do gdzie ile jak jaki jaka jakie jest kiedy kto która które który na nie od oraz po się są w z za "
    "že jako jsou kde kdo kdy který která kolik ve cât câte care ce cine cu din este fost la pe pentru sunt și unde "
    "bir bu çok da de hangi için ile kaç kim mi nasıl ne neden nerede ve veya các cái cho có của đã được gì không "
    "là lúc một người những ở trong và với att av det där en ett för från har hur hvad hvem hvilken hvor inte med "
    "någon när och om på som till vad var vem vilka vilken å er fra ikke og til ja joka joten kuka kuinka mikä "
    "missä oli ovat hol hogy hány ki mely mi mikor milyen volt apa bagaimana berapa dan dari di mana siapa yang".split()
)


def is_latin(question: str) -> bool:
    """True where at least half of the words are in Latin letters; of Han, kana and Hangul each character is a word.

    By letters a Chinese question about a thing with a Latin name would count as Latin.
    """
    units: list[str] = _UNIT.findall(question)
    return sum(unit[0] < _FIRST_NOT_LATIN for unit in units) * 2 >= len(units)


def is_foreign(question: str) -> bool:
    """True where more of the small words are of other languages than of English; those of both do not count."""
    words = _WORD.findall(question.lower())
    both = _ENGLISH & _OTHERS
    english = sum(word in _ENGLISH for word in words if word not in both)
    others = sum(word in _OTHERS for word in words if word not in both)
    return others > english
