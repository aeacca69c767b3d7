"""Column names that suggest a role, in several languages."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


class Role(StrEnum):
    """Part that a column plays in a document."""

    TEXT = "text"
    LABEL = "label"
    ID = "id"
    TIME = "time"
    AUTHOR = "author"
    PART = "part"


# Accents are left out on both sides of the comparison. English, German, French, Spanish, Italian,
# Portuguese, Dutch, Polish, Russian, Chinese, Japanese, Korean.
_WORDS = {
    Role.TEXT: """
        text texts body content contents message messages msg review reviews comment comments tweet
        document doc article description sentence utterance query question answer post abstract
        summary headline headlines title subject news statement complaint narrative note notes
        transcript request premise feedback input prompt lyrics plot email mail sms
        texte nachricht inhalt beschreibung kommentar bewertungstext satz meldung artikel frage
        antwort titel betreff uberschrift schlagzeile anfrage mitteilung
        message contenu commentaire avis phrase titre objet corps question reponse
        texto mensaje contenido comentario resena descripcion titulo asunto oracion frase pregunta
        testo messaggio contenuto commento recensione descrizione titolo oggetto
        mensagem conteudo descricao assunto corpo tekst bericht inhoud omschrijving onderwerp
        tresc wiadomosc opis tytul temat komentarz
        текст сообщение содержание комментарии описание заголовок тема отзыв
        正文 内容 文本 标题 评论 新闻 摘要 文本内容 本文 テキスト 見出し タイトル 件名 文章 記事
        내용 텍스트 제목 본문 리뷰 문장
    """,
    Role.LABEL: """
        label labels class classes category categories target tag topic sentiment intent queue
        department polarity emotion genre y gold annotation rubric section coarse fine spam toxic
        stars rating overall outcome newsgroup type product issue
        kategorie klasse thema abteilung ressort rubrik stimmung typ bereich etikett zustandig
        categorie classe etiquette sujet rubrique theme service
        categoria clase etiqueta tema sentimiento tipo seccion clasificacion departamento
        etichetta argomento reparto rotulo assunto secao
        onderwerp afdeling soort kategoria klasa etykieta dzial
        категория класс метка рубрика тема тональность
        标签 类别 分类 類別 分類 标注 情感 カテゴリ カテゴリー ラベル 分類名 카테고리 라벨 분류
    """,
    Role.ID: """
        id ids identifier uuid guid key nr no num number nummer index idx pk docid textid
        kennung schluessel vorgang aktenzeichen belegnummer ticketnummer numero identifiant
        identificador clave codice chiave numer
        номер идентификатор 编号 序号 番号 번호 아이디
    """,
    Role.TIME: """
        time date datetime timestamp created published posted updated modified sent received opened
        closed pubdate createdat when
        zeit datum zeitpunkt zeitstempel erstellt eingang uhrzeit
        heure horodatage cree publie fecha hora creado publicado ora creato pubblicato
        dia criado tijd tijdstip aangemaakt czas
        дата время создано 日期 时间 時間 日時 日付 날짜 시간 작성일
    """,
    Role.AUTHOR: """
        author authors user username userid sender from customer client reporter writer by
        screenname handle account creator name fullname nickname person poster reviewer speaker
        requester
        autor verfasser absender kunde kundin benutzer nutzer melder kundenname kundennummer
        auteur expediteur utilisateur usuario cliente remitente autore utente mittente
        remetente klant afzender gebruiker auteur klient uzytkownik nadawca
        автор пользователь отправитель клиент 作者 用户 用户名 投稿者 著者 ユーザー 작성자 사용자
    """,
    Role.PART: """
        split part partition subset fold set usage phase dataset
        aufteilung teil teilmenge ensemble conjunto insieme
        выборка 划分 数据集 分割
    """,
}
_VOCABULARY = {role: frozenset(words.split()) for role, words in _WORDS.items()}
# Columns that describe a document beside its subject; few of them are what a person sorts by.
_METADATA_WORDS = """
    lang language sprache langue idioma lingua country land pays pais region city ort stadt gender
    sex age alter source quelle channel kanal status state version year month day week hour weekday
    count score length likes retweets favorites device platform browser url link href file filename
    path page confidence verified helpful votes price amount zip agent annotator worker priority
    prioritat
"""
_METADATA = frozenset(_METADATA_WORDS.split())
# Texts that stand before a longer one: they are joined with it.
_TITLE_WORDS = """
    title titles headline heading subject subjectline summary
    titel betreff uberschrift schlagzeile kurzbeschreibung titre objet titulo asunto titolo oggetto
    assunto onderwerp tytul temat заголовок тема 标题 題名 見出し タイトル 件名 제목
"""
_TITLES = frozenset(_TITLE_WORDS.split())
_PARTS = {
    "train": "train training trn",
    "validation": "validation valid val dev development eval evaluation",
    "test": "test testing tst holdout",
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words.split()}


def words(name: str) -> list[str]:
    """Splits a column name into words without accents and case.

    >>> words("TicketQueue_Größe"), words("データ")
    (['ticket', 'queue', 'grosse'], ['データ'])
    """
    parts = _WORD.findall(_CAMEL.sub(" ", name.replace("ß", "ss")))
    return [_plain(part) for part in parts]


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    bare = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare).casefold()


def fit(name: str, role: Role) -> float:
    """Scores how well a name suggests a role: 1 the whole name, 0.5 one of its words, 0 nothing.

    >>> fit("Message", Role.TEXT), fit("news_text", Role.TEXT), fit("Ort", Role.TEXT)
    (1.0, 0.5, 0.0)
    """
    parts = words(name)
    vocabulary = _VOCABULARY[role]
    if "".join(parts) in vocabulary or name == role:
        return 1.0
    return 0.5 if vocabulary.intersection(parts) else 0.0


def is_title(name: str) -> bool:
    """Tests if a name is that of a title or subject line."""
    return not _TITLES.isdisjoint(words(name))


def is_metadata(name: str) -> bool:
    """Tests if a name is that of a property beside the subject, such as a language."""
    return not _METADATA.isdisjoint(words(name))


def part_of(value: str) -> str | None:
    """Returns the side of an official split that a value or file name says.

    >>> part_of("TRAIN"), part_of("test-00000-of-00001"), part_of("dev"), part_of("latest")
    ('train', 'test', 'validation', None)
    """
    for word in words(value):
        if word in _PART_OF:
            return _PART_OF[word]
    return None
