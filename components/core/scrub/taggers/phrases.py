"""Marks names beside a title, greeting, signature or form field, in languages without a tagger.

A name is one to three words that begin with a capital letter; in scripts without capitals it ends
with the words that follow a title, or it begins with a common surname.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from components.core.scrub.taggers.cnn import Mark

_SCORE = 0.8
# Vowel signs are no word characters for `re`, and belong to the name: Devanagari, Arabic.
_SIGNS = r"\u0900-\u0903\u093a-\u094f\u0955-\u0957\u0962\u0963\u064b-\u065f\u0670\u200c\u200d"
_CAPITAL = "[A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĞĠĢĤĪĮİĶĹĻĽŁŃŅŇŌŎŐŒŔŖŘŚŞŠŢŤŪŬŮŰŲŹŻŽȘȚΑ-ΩΆΈΉΊΌΎΏА-ЯЁІЇЄҐ]"
_TITLES = "Úr|Asszony|Bey|Hanım|Tisztelt|Kedves|Sayın|Pane|Paní|Domnule|Doamnă"
_WORD = rf"(?!(?:{_TITLES})(?!\w)){_CAPITAL}(?:[^\W\d_]|['’-](?=[^\W\d_])|\.(?= ?{_CAPITAL}))*"
_CASED = rf"(?:{_WORD})(?: {_WORD}){{0,2}}"
_PLAIN = rf"(?:[^\W\d_]|[{_SIGNS}])"
_GAP = r"[ \t\u3000]"

# Words before a name, by language: within a sentence, at its begin, before a line end or a colon.
_BEFORE = {
    "ru": (
        "г-н|г-жа|господин|госпожа|господину|госпоже|доктор|профессор|д-р|товарищ|зовут|имени",
        "уважаемый|уважаемая|дорогой|дорогая|здравствуйте,?|привет,?|милый|милая",
        "с уважением|искренне ваш|искренне ваша|с наилучшими пожеланиями|спасибо",
        "фио|ф\\.и\\.о\\.|имя|фамилия|отчество|клиент|пациент|контактное лицо|заказчик|подпись",
    ),
    "uk": (
        "пан|пані|пану|пане|доктор|професор|звати|звуть", "шановний|шановна|дорогий|дорога|привіт,?|вітаю,?",
        "з повагою|щиро ваш|щиро ваша|дякую", "піб|ім'я|ім’я|прізвище|клієнт|пацієнт|підпис",
    ),
    "bg": (
        "г-н|г-жа|господин|госпожа|д-р|проф\\.", "уважаеми|уважаема|скъпи|скъпа|здравей,?|здравейте,?",
        "с уважение|поздрави", "име|фамилия|клиент|пациент|подпис",
    ),
    "tr": (
        "sn\\.|bay|bayan|dr\\.|prof\\.|adım|ismim", "sayın|sevgili|merhaba,?|selam,?|değerli",
        "saygılarımla|sevgiler|iyi günler|selamlar", "ad|adı|soyad|soyadı|ad soyad|adı soyadı|müşteri|hasta|imza",
    ),
    "cs": (
        "pan|paní|pana|panu|pane|dr\\.|mudr\\.|ing\\.|jmenuji se|jmenuju se",
        "vážený pane|vážená paní|milý|milá|ahoj,?|drahý|drahá",
        "s pozdravem|s přátelským pozdravem|s úctou|děkuji", "jméno|příjmení|jméno a příjmení|klient|zákazník|pacient|podpis",
    ),
    "sk": (
        "pán|pani|pána|dr\\.|mudr\\.|ing\\.|volám sa", "vážený pán|vážená pani|milý|milá|ahoj,?|drahý|drahá",
        "s pozdravom|s úctou|ďakujem", "meno|priezvisko|meno a priezvisko|klient|zákazník|pacient|podpis",
    ),
    "sv": (
        "herr|fru|fröken|jag heter|mitt namn är", "hej|bästa|kära|käre",
        "med vänlig hälsning|med vänliga hälsningar|vänliga hälsningar|hälsningar|mvh",
        "namn|förnamn|efternamn|kund|patient|kontaktperson|underskrift",
    ),
    "da": (
        "hr\\.|fru|frøken|jeg hedder|mit navn er", "hej|kære", "med venlig hilsen|venlig hilsen|hilsen|mvh",
        "navn|fornavn|efternavn|kunde|patient|kontaktperson|underskrift",
    ),
    "no": (
        "herr|fru|frøken|jeg heter|mitt navn er", "hei|kjære", "med vennlig hilsen|vennlig hilsen|hilsen|mvh",
        "navn|fornavn|etternavn|kunde|pasient|kontaktperson|underskrift",
    ),
    "fi": (
        "herra|rouva|nimeni on", "hei|hyvä|arvoisa|rakas", "ystävällisin terveisin|terveisin|kunnioittavasti",
        "nimi|etunimi|sukunimi|asiakas|potilas|allekirjoitus",
    ),
    "ro": (
        "domnul|doamna|domnului|doamnei|dl\\.?|dna\\.?|dr\\.|mă numesc|numele meu este",
        "stimate domnule|stimată doamnă|dragă|bună,?|salut,?", "cu stimă|cu respect|toate cele bune|mulțumesc",
        "nume|prenume|nume și prenume|client|pacient|semnătura",
    ),
    "hu": (
        "dr\\.|a nevem", "tisztelt|kedves|szia,?|helló,?", "üdvözlettel|tisztelettel|köszönettel",
        "név|vezetéknév|keresztnév|ügyfél|beteg|aláírás",
    ),
    "el": (
        "κ\\.|κα\\.?|κύριος|κυρία|κύριο|κύριε|δρ\\.?|με λένε|ονομάζομαι", "αγαπητέ|αγαπητή|γεια σου,?",
        "με εκτίμηση|φιλικά|ευχαριστώ", "όνομα|επώνυμο|ονοματεπώνυμο|πελάτης|ασθενής|υπογραφή",
    ),
}  # fmt: skip
_BEFORE["nb"] = _BEFORE["nn"] = _BEFORE["no"]
_BEFORE["be"] = _BEFORE["ru"]
_AFTER = {"tr": "bey|hanım|beyefendi|hanımefendi", "hu": "úr|asszony|vagyok"}

_CHINESE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤張劉陳楊黃趙吳孫馬鄭謝許"
)
_KOREAN = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길"
_KANJI = "[一-龯々]"
_NO_NAMES = "客|皆|奥|神|王|仏|父|母|兄|姉|息子|娘|嬢|子|何|各位|同|両|某|患者|業者|看護師|店員|医者|上|一|二|三"
_UNCASED = {
    "zh": (
        rf"(?P<name>[{_CHINESE}][\u4e00-\u9fff]{{0,2}}?)(?:先生|女士|小姐|太太|夫人)",
        rf"(?:我叫|名叫|我是|姓名[:：]|客户[:：]|联系人[:：]|患者[:：])\s*(?P<name>[{_CHINESE}][\u4e00-\u9fff]{{1,2}})(?![\u4e00-\u9fff])",
        rf"(?:此致\s*敬礼|祝好|谢谢)[,，!！。]?\s*\n\s*(?P<name>[{_CHINESE}][\u4e00-\u9fff]{{1,2}})\s*\Z",
    ),
    "ja": (
        rf"(?<![一-龯々おご])(?P<name>(?!(?:{_NO_NAMES})(?:様|さま|さん|氏|殿)){_KANJI}{{1,4}}"
        rf"(?:[ 　]{_KANJI}{{1,3}})?)(?:様|さま|さん|氏|殿)(?![一-龯])",
        r"(?<![ァ-ヶー])(?P<name>[ァ-ヶー]{2,10}(?:[・ ][ァ-ヶー]{2,10})?)(?:様|さま|さん|氏)",
        rf"(?P<name>{_KANJI}{{2,4}}(?:[ 　]?{_KANJI}{{1,3}})?)と申します",
        rf"(?:氏名|お名前|名前|患者名|担当者?|差出人|宛先)[:：]\s*(?P<name>{_KANJI}{{2,6}}(?:[ 　]{_KANJI}{{1,4}})?)",
    ),
    "ko": (
        rf"(?<![가-힣])(?P<name>[{_KOREAN}][가-힣]{{2}})(?: ?(?:씨|님|선생님|교수|대표|과장|부장|사장))",
        rf"(?:이름|성명|고객명|고객|환자|담당자|서명)\s?[:：]\s*(?P<name>[{_KOREAN}][가-힣]{{1,3}})(?![가-힣])",
        rf"(?:제 이름은|저는)\s(?P<name>[{_KOREAN}][가-힣]{{2}})(?=입니다|이고|라고|이라고)",
        rf"(?:감사합니다|드림|올림)[.,]?\s*\n\s*(?P<name>[{_KOREAN}][가-힣]{{2}})(?:\s드림|\s올림)?\s*\Z",
    ),
    "ar": (
        rf"(?<!\w)(?:السيد|السيدة|الأستاذ|الأستاذة|الدكتور|الدكتورة|الآنسة|عزيزي|عزيزتي|اسمي)\s(?P<name>(?!ال){_PLAIN}{{3,}}(?:\s(?=ال){_PLAIN}{{4,}})?)",
        rf"(?:الاسم|الاسم الكامل|العميل|المريض|التوقيع)\s?:\s*(?P<name>{_PLAIN}{{2,}}(?:\s{_PLAIN}{{2,}}){{0,2}})\s*(?=$|\n|،)",
        rf"(?:مع أطيب التحيات|مع خالص التقدير|تحياتي|وشكرا)[،,]?\s*\n\s*(?P<name>{_PLAIN}{{2,}}(?:\s{_PLAIN}{{2,}}){{0,2}})\s*\Z",
    ),
    "hi": (
        rf"(?<!\w)(?:श्री|श्रीमती|सुश्री|डॉ\.?|प्रिय|कुमारी)\s(?P<name>(?!मान|जी){_PLAIN}{{2,}}(?:\s{_PLAIN}{{2,}}(?=\s?(?:जी|ने|को|का|की|के|से|,|।))|))",
        rf"(?:मेरा नाम)\s(?P<name>{_PLAIN}{{2,}}(?:\s{_PLAIN}{{2,}}){{0,2}}?)\s(?=है)",
        rf"(?:नाम|ग्राहक|रोगी|मरीज|हस्ताक्षर)\s?:\s*(?P<name>{_PLAIN}{{2,}}(?: {_PLAIN}{{2,}}){{0,2}})",
        rf"(?:सादर|धन्यवाद|भवदीय|आपका)[,।]?\s*\n\s*(?P<name>{_PLAIN}{{2,}}(?: {_PLAIN}{{2,}}){{0,2}})\s*\Z",
    ),
}  # fmt: skip


@functools.cache
def _patterns(language: str) -> tuple[re.Pattern[str], ...]:
    if language in _UNCASED:
        return tuple(re.compile(_without_signs(p), re.MULTILINE) for p in _UNCASED[language])
    if language not in _BEFORE:
        return ()
    inside, begin, end, field = (f"(?i:{words})" for words in _BEFORE[language])
    patterns = [
        rf"(?<!\w){inside}{_GAP}(?P<name>{_CASED})",
        rf"^{_GAP}*{begin}{_GAP}(?:{inside}{_GAP})?(?P<name>{_CASED})",
        rf"^{_GAP}*{end}[,.!]?\s*\n\s*(?P<name>{_CASED}){_GAP}*$",
        rf"^{_GAP}*{field}{_GAP}?:{_GAP}*(?P<name>{_CASED})",
    ]
    if language in _AFTER:
        patterns.append(rf"(?P<name>{_CASED}) (?i:{_AFTER[language]})(?!\w)")
    return tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns)


def _without_signs(pattern: str) -> str:
    """Removes what `confusables.normalize` removes: signs without a character of their own."""
    return "".join(c for c in pattern if unicodedata.category(c) != "Mn")


def mark(text: str, language: str) -> list[Mark]:
    """The names in `text` that a title, greeting, signature or field announces.

    Args:
        text: normalized.
        language: ISO 639 code.

    >>> [m.start for m in mark("Sayın Ayşe Yılmaz,", "tr")], mark("Sayın", "xx")
    ([6], [])
    """
    return [
        Mark(*match.span("name"), "PERSON", _SCORE)
        for pattern in _patterns(language)
        for match in pattern.finditer(text)
    ]
