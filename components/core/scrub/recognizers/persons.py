"""Names of persons in places where the tagger sees no sentence: folders, files, links, tables, forms.

Most of these rules look the first name up (`first_names.py`), as any word may be a surname.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.core.scrub.recognizers.first_names import is_first_name
from components.core.scrub.recognizers.rule import Rule, Scan, whole

_NO_NAME = r"(?!(?:mrn|dob|id|nhs|age|ssn|tel|phone|no|nr|file)\b)"  # what follows a name in forms
_CAPITALIZED = rf"{_NO_NAME}(?-i:[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿāăąćčďđēėęěğīįıłńňőřśşšťūůűųźżž]+(?:['’-]?[A-ZÀ-ÖØ-Þ][^\W\d_A-Z]+)*)"
_CAPITALS = rf"{_NO_NAME}(?-i:[A-ZÀ-ÖØ-Þ]{{2,}}(?:['’-][A-ZÀ-ÖØ-Þ]+)?)"
_NAME = (
    rf"(?:{_CAPITALIZED}(?: (?:(?-i:[A-Z])\.?|van|von|de|der|la|di|da|del|al|bin|{_CAPITALIZED})){{0,3}} "
    rf"{_CAPITALIZED}|{_CAPITALS}(?: {_CAPITALS}){{1,3}})"
)
_WORD = r"[^\W\d_]"
_ENDINGS = r"(?:pdf|docx?|odt|rtf|txt|md|xlsx?|csv|pptx?|jpe?g|png|gif|tiff?|heic|mp[34]|m4a|wav|mov|zip|eml|msg|vcf|html?|tex|json|xml)"
_NO_USERS = {
    "public", "default", "defaultuser", "user", "users", "admin", "administrator", "root", "ubuntu",
    "runner", "guest", "me", "you", "shared", "all", "ec2-user", "centos", "debian", "pi", "vagrant",
    "test", "www", "git", "jenkins", "app", "node", "home", "username", "name", "someuser", "myuser",
    "yourname", "your", "local", "lib", "bin", "src", "data", "dev", "docker", "postgres", "oracle",
    "jovyan", "vscode", "codespace", "deploy", "build", "backup", "hadoop", "spark", "airflow",
}  # fmt: skip
_NO_SURNAMES = {  # words after a first name in a file or link that are no surname
    "and", "the", "of", "for", "in", "on", "at", "to", "is", "was", "has", "with", "from", "as", "cv",
    "resume", "report", "final", "letter", "invoice", "draft", "copy", "new", "old", "day", "news",
    "wins", "says", "said", "gets", "vs", "app", "api", "test", "photo", "pic", "scan", "files", "docs",
    "river", "street", "island", "city", "county", "bay", "school", "university", "college", "hotel",
    "airport", "station", "park", "lake", "hospital", "church", "notes", "data", "index", "readme",
    "bridge", "museum", "prize", "award", "awards", "act", "dies", "dead", "arrested", "book", "film",
}  # fmt: skip


def _two_names(first: str, last: str) -> bool:
    """Tests if two words are a first name and a surname, in this order or in the other."""
    words = {first.casefold(), last.casefold()}
    if words & _NO_SURNAMES:
        return False
    both = first[0].isupper() and last[0].isupper()
    return is_first_name(first, sure=True) or (both and is_first_name(last, sure=True))


_JOINT = re.compile(rf"({_WORD}{{2,20}})([_ .-])({_WORD}{{2,20}})(?![^\W\d_])")
_JOINED = re.compile(r"([A-ZÀ-Þ][^\W\d_A-Z]{2,15})([A-ZÀ-Þ][^\W\d_A-Z]{2,20})")


def _names_in(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the names in the characters [start, end), words joined by a mark or by capitals."""
    position = start
    while match := _JOINT.search(text, position, end):
        before = text[match.start() - 1] if match.start() else " "
        if not before.isalpha() and _two_names(match[1], match[3]):
            yield match.span()
            position = match.end()
        else:
            position = match.start(3)
    for match in _JOINED.finditer(text, start, end):
        around = (
            text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
        )
        if not any(map(str.isalpha, around)) and is_first_name(match[1], sure=True):
            yield match.span()


_FILE = re.compile(rf"(?<![\w/\\@-])[\w.-]{{3,80}}\.{_ENDINGS}(?!\w|\.\w|@)", re.IGNORECASE)
_HOME = re.compile(
    r"(?:[a-z]:)?[\\/]{1,2}(?:users|home|documents and settings|export/home|var/home)[\\/]{1,2}"
    r"([^\\/\s:;,'\"<>|*?)]{2,40}?)(?=[\\/\s:;,'\"<>)]|\.?\Z)",
    re.IGNORECASE,
)
_LINK = re.compile(r"(?:://|\bwww\.)[^\s<>\"'`]{3,2000}", re.IGNORECASE)
_CAMEL = re.compile(
    r"(?<![\w@./\\-])([A-Z][a-zà-ÿ]{3,15})([A-Z][a-zà-ÿ]{2,20})\d{0,4}(?![\w(]|[./\\-]\w|::)"
)


_FIRM = re.compile(r"\s(?:inc|corp|corporation|ltd|llc|gmbh|ag|plc|co)\b", re.IGNORECASE)
_PARTS = {  # of products' names that begin like a first name
    "vision", "card", "soft", "ware", "net", "tech", "works", "base", "book", "phone", "cast", "land",
    "town", "script", "type", "shop", "space", "time", "line", "point", "power", "view", "wave", "lab",
    "labs", "mail", "chat", "bot", "pay", "bank", "force", "hub", "cloud", "store", "med", "care",
}  # fmt: skip


def _files(text: str) -> Iterator[tuple[int, int]]:
    for match in _FILE.finditer(text):
        yield from _names_in(text, match.start(), match.end())


def _homes(text: str) -> Iterator[tuple[int, int]]:
    for match in _HOME.finditer(text):
        if match[1].casefold().strip("<>{}$%[]") not in _NO_USERS and not match[1].startswith(
            ("<", "{", "$", "%", "[", ".")
        ):
            yield match.span(1)


def _slugs(text: str) -> Iterator[tuple[int, int]]:
    for link in _LINK.finditer(text):
        path = text.find("/", link.start() + 3, link.end())
        if path >= 0:
            yield from _names_in(text, path, link.end())


def _camels(text: str) -> Iterator[tuple[int, int]]:
    for match in _CAMEL.finditer(text):
        second = match[2].casefold()
        firm = _FIRM.match(text, match.end())
        if is_first_name(match[1], sure=True) and second not in _NO_SURNAMES | _PARTS and not firm:
            yield match.span()


_COLUMN = (
    r"(?:(?:full|first|last|sur|given|family|middle|customer|client|patient|employee|contact|user|author|"
    r"student|member|owner|person|applicant)?[ _-]?names?|surname|customer|client|patient|employee|"
    r"author|student|contact|vorname|nachname|kunde|nom|prénom|prenom|nombre|apellidos?|nome|"
    r"cognome|naam|voornaam|achternaam|imię|nazwisko|имя|фамилия|фио|姓名|名前|氏名|이름|성명)"
)
_HEADER = re.compile(_COLUMN, re.IGNORECASE)
# Columns that stand beside the names of persons; things have names, too.
_PERSONAL = re.compile(
    r".*(?:mail|phone|tel|mobil|address|birth|dob|age|gender|sex|city|salary|department|title|role|"
    r"first|last|sur|contact|diagnos|mrn|ssn|geburt|adresse|ville|correo|teléfono|email).*",
    re.IGNORECASE,
)
_CELL = re.compile(r"[^\W\d_][^\d_@<>/=(){}\[\]]{1,60}")
_ROWS = 2000  # of a table in a text
_NAME_WORDS = 5  # in a cell


def _cells(text: str) -> Iterator[tuple[int, int]]:
    """Yields the cells of the columns of names in tables that begin with a header."""
    lines = text.splitlines(keepends=True)
    start = 0
    columns: list[int] = []
    mark, width, rows, sure = "", 0, 0, False
    for line in lines:
        cells = line.rstrip("\r\n")
        found = _header(cells)
        if found:
            mark, width, columns, sure = found
            rows = 0
        elif columns and rows < _ROWS:
            rows += 1
            parts = _split(cells, mark)
            if len(parts) != width:
                columns = []
            else:
                yield from _named(parts, columns, start, cells, sure)
        start += len(line)


def _header(line: str) -> tuple[str, int, list[int], bool] | None:
    """Returns the separator, the number of cells and the columns of names of a table's header.

    The last value is True if another column shows that the names are those of persons.
    """
    for mark in ("\t", "|", ";", ","):
        if mark in line:
            cells = [line[a:b].strip(" \"'") for a, b in _split(line, mark)]
            named = [i for i, cell in enumerate(cells) if _HEADER.fullmatch(cell)]
            shaped = all(cell and len(cell.split()) <= 3 for cell in cells if cell)  # noqa: PLR2004
            if named and shaped and len(cells) > 1:
                return mark, len(cells), named, any(map(_PERSONAL.fullmatch, cells))
    return None


def _split(line: str, mark: str) -> list[tuple[int, int]]:
    """Splits a line at `mark` outside quotes, into spans."""
    spans, start, quoted = [], 0, False
    for i, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == mark and not quoted:
            spans.append((start, i))
            start = i + 1
    return [*spans, (start, len(line))]


def _named(
    spans: list[tuple[int, int]], columns: list[int], start: int, line: str, sure: bool
) -> Iterator[tuple[int, int]]:
    for column in columns:
        a, b = spans[column]
        cell = line[a:b]
        bare = cell.strip(" \"'")
        words = bare.split()
        named = sure or any(map(is_first_name, words))
        if named and _CELL.fullmatch(bare) and len(words) <= _NAME_WORDS and not bare.islower():
            at = start + a + cell.index(bare)
            yield at, at + len(bare)


def _lower_name(text: str) -> tuple[int, int] | None:
    """Two words in small letters, the first of which is a first name."""
    first, last = text.split()
    if is_first_name(first) and last.casefold() not in _NO_SURNAMES | _FOLLOWING:
        return 0, len(text)
    return None


_FOLLOWING = {
    "about", "yesterday", "today", "on", "last", "this", "that", "again", "and", "or", "but", "who",
    "my", "your", "her", "his", "their", "our", "a", "an", "if", "so", "because", "when", "before",
    "after", "by", "via", "over", "people", "them", "him", "us", "me", "you", "it", "team", "first",
    "more", "here", "there", "tomorrow", "earlier", "now", "then", "please", "regarding", "re",
}  # fmt: skip
_FOREIGN = r"[\u0370-\u1fff\u2c80-\u2cff\u3005-\u3007\u3040-\ud7ff]"  # letters outside Latin script
_TITLES = r"(?:mr|mrs|ms|miss|dr|prof|herr|frau|mme|sr|sra)\.?"

_READERS = {
    "用户",
    "客户",
    "顾客",
    "朋友",
    "读者",
    "会员",
    "家长",
    "各位",
    "朋友们",
    "同学们",
    "领导",
    "用戶",
    "客戶",
    "顧客",
}

RULES = (
    Scan("PERSON", (r"(?i)[\\/](?:users|home|settings)[\\/]",), 0.7, _homes),
    Scan("PERSON", (rf"(?i)[\w.-]{{3}}\.{_ENDINGS}",), 0.7, _files),
    Scan("PRIVATE_URL", (r"(?i)(?:://|www\.)[^\s]{3,400}[a-z][-_.][a-z]", r"(?i)(?:://|www\.)[^\s]{3,400}[a-z][A-Z]"), 0.7, _slugs),
    Scan("PERSON", (r"[A-Z][a-z]{3,15}[A-Z][a-z]{2}",), 0.6, _camels),
    Scan(
        "PERSON",
        (r"(?i)(?:names?|surname|customer|client|patient|employee|author|student|contact|kunde|nom|pr(?:é|e)nom|"
         r"nombre|apellidos?|nome|naam|imię|nazwisko|имя|фамилия|фио|姓名|名前|氏名|이름|성명)[\"']?[,;|\t\r\n]",),
        0.7, _cells, needs=(r"(?i)[,;|\t][\"']?[a-z_]", r"[,;|\t][\"']?[\xc3-\xed]"),
    ),
    # "Pt: NAME MRN", "Patient: NAME", "Signed by NAME"
    Rule(
        "PERSON",
        rf"(?<![\w-])(?:(?:pt|pat|patient|client|customer|guest|passenger|attn|signed by|reviewed by|"
        rf"prepared by|insured|policyholder|account holder|cardholder|beneficiary|next of kin|emergency contact)\s?"
        rf"(?:name)?[:#.]?|(?:full )?name:)\s{{1,3}}(?P<pii>{_NAME})(?=\s+(?:mrn|dob|id|nhs|age|ssn|tel|phone)\b|\W|\Z)",
        (r"\b(?i:pt|pat|patient|client|customer|guest|passenger|attn|signed by|reviewed by|prepared by|insured|"
         r"policyholder|account holder|cardholder|beneficiary|next of kin|emergency contact|name)\s?(?i:name)?[:#.]?"
         r"\s{1,3}(?:[A-Z]|[\xc3-\xc5])",),
        0.7, refine=lambda text: whole(text, not _is_heading(text)),
    ),
    # Names in other scripts inside a text in Latin letters: "Dear 李小明," "written by प्रिया शर्मा"
    Rule(
        "PERSON",
        rf"(?<![^\W\d_])(?:dear|hi|hello|hey|{_TITLES}|by|to|from|with|and|named|called|name is|name:|met|for)\s{{1,2}}"
        rf"(?P<pii>{_FOREIGN}{{2,20}}(?: {_FOREIGN}{{1,20}}){{0,2}})(?=[\s,.:;!?)]{{1,2}}[A-Za-z\n]|[,.:;!?)]?\s*\Z|,)",
        ("(?i)(?:dear|hi|hello|hey|mr|mrs|ms|dr|by|to|from|with|and|named|called|is|name:|met|for)\\.? {1,2}[\\xcd-\\xed]",), 0.6,
    ),
    # 亲爱的李小明, 李小明先生
    Rule(
        "PERSON", r"(?:亲爱的|尊敬的|親愛的)(?P<pii>[\u4e00-\u9fff]{2,4}?)(?=先生|女士|小姐|[,:!]|\s|\Z)",
        ("(?:亲爱的|尊敬的|親愛的)",), 0.6,
        refine=lambda text: whole(text, text not in _READERS),
    ),
    # "i talked to rose field about the invoice"
    Rule(
        "PERSON",
        r"(?<!\w)(?:(?:talk|talked|talking|speak|spoke|spoken|speaking|write|wrote|written|chat|chatted|married|met) (?:to|with)|"
        r"my name is|this is|i am|i'm|met|emailed|called|contacted|phoned|texted)\s"
        r"(?P<pii>(?-i:[a-z]{2,15} [a-z]{3,20}))(?=\s(?:about|regarding|yesterday|today|on|last|this|from|at|again|who|earlier|in|and)\b|[,.!?\n]|\Z)",
        (r"(?i:(?:talk|talked|talking|speak|spoke|spoken|speaking|write|wrote|written|chat|chatted|married|met) (?:to|with)|name is|this is|i am|i'm|met|emailed|called|contacted|phoned|texted)\s[a-z]{2,15} [a-z]{3,20}"
         r"(?:\s(?i:about|regarding|yesterday|today|on|last|this|from|at|again|who|earlier|in|and)\b|[,.!?\n]|\z)",),
        0.6,
        refine=_lower_name,
    ),
)  # fmt: skip


def _is_heading(text: str) -> bool:
    """Tests if words in capitals are a heading of a form: "PATIENT HISTORY FORM"."""
    return text.isupper() and not any(is_first_name(word) for word in text.split())
