# ruff: noqa: E501 - rows stand here as they stand in the files
"""Files of the shapes of public data sets, for first_hour.py.

The English texts are sentences of 20 Newsgroups. The German and Chinese ones are made of words.
Each function writes one data set into a folder and returns the arguments of `newsloop init`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import mailbox
import random
import re
import sqlite3
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SEED = 17
_SENTENCES = (2, 6)  # of a text
_LENGTH = (30, 400)  # characters of a sentence that is used
GERMAN = {
    "Rechnung": "Rechnung Betrag Mahnung Konto Zahlung Lastschrift Beleg Gutschrift",
    "Störung": "Ausfall Fehlermeldung Absturz Anmeldung Verbindung Neustart Bildschirm Router",
    "Lieferung": "Paket Versand Zusteller Sendung Adresse Lager Verpackung Rückgabe",
}
_GERMAN_FRAME = (
    "Guten Tag, seit gestern geht es um {a} und {b}, bitte prüfen Sie das.",
    "Die {a} ist nicht richtig, außerdem fehlt {b} noch immer.",
    "Können Sie mir sagen, wann {a} und {b} erledigt werden?",
    "Ich habe schon dreimal wegen {a} geschrieben und warte auf {b}.",
)
CHINESE = {
    "体育": "球队 比赛 教练 冠军 进球 联赛 赛季 球迷",
    "财经": "股市 银行 利率 投资 基金 汇率 公司 利润",
    "科技": "手机 芯片 软件 网络 数据 电脑 系统 用户",
}
_CHINESE_FRAME = ("{a}最新消息：{b}引发关注", "今天{a}和{b}有了新的变化", "{a}为什么影响{b}？", "{b}之后{a}怎么办")  # fmt: skip


class Corpus:
    """Texts of 20 Newsgroups by their class.

    Args:
        path: newsgroups20.jsonl.gz: a JSON object with label and text a line.
    """

    def __init__(self, path: Path) -> None:
        self.draw = random.Random(SEED)
        self._bodies = defaultdict[str, list[str]](list)
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                body = row["text"].partition("\n\n")[2]
                own = "\n".join(
                    x for x in body.splitlines() if not x.lstrip().startswith((">", "|"))
                )
                self._bodies[row["label"]].append(own)
        self.labels = sorted(self._bodies)

    def sentences(self, label: str, count: int) -> list[str]:
        """Returns `count` different sentences of the messages of `label`, in random order."""
        low, high = _LENGTH
        found = {
            " ".join(part.split())
            for body in self._bodies[label]
            for part in re.split(r"(?<=[.!?])\s+", body)
            if low < len(part) < high and part.count(" ") > 4
        }
        return self.draw.sample(sorted(found), count)

    def texts(self, label: str, count: int) -> list[str]:
        """Returns `count` texts of two to six sentences of `label`."""
        sizes = [self.draw.randint(*_SENTENCES) for _ in range(count)]
        sentences = iter(self.sentences(label, sum(sizes)))
        return [" ".join(next(sentences) for _ in range(size)) for size in sizes]

    def made(self, words: str, frames: Sequence[str], count: int) -> list[str]:
        """Returns `count` texts of two to three filled frames."""
        chosen = words.split()
        return [
            " ".join(
                self.draw.choice(frames).format(
                    a=self.draw.choice(chosen), b=self.draw.choice(chosen)
                )
                for _ in range(self.draw.randint(1, 3))
            )
            for _ in range(count)
        ]

    def rows(self, labels: Sequence[str], count: int, short: bool = False) -> list[tuple[str, str]]:
        """Returns `count` pairs of label and text for each label, in random order."""
        make = self.sentences if short else self.texts
        pairs = [(label, text) for label in labels for text in make(label, count)]
        self.draw.shuffle(pairs)
        return pairs


def _delimited(rows: Iterable[Sequence[Any]], delimiter: str = ",", **dialect: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, **dialect).writerows(rows)
    return buffer.getvalue()


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def german_tickets(corpus: Corpus, to: Path) -> list[str]:
    rows = [(k, t) for k, words in GERMAN.items() for t in corpus.made(words, _GERMAN_FRAME, 120)]
    corpus.draw.shuffle(rows)
    table = [["Nr", "Erstellt am", "Text", "Kategorie"]]
    table += [[i, f"{i % 28 + 1:02}.03.2026", text, kind] for i, (kind, text) in enumerate(rows)]
    (to / "tickets.csv").write_bytes(_delimited(table, ";").encode("cp1252"))
    return ["tickets.csv"]


def sms(corpus: Corpus, to: Path) -> list[str]:
    rows = [("ham", t) for t in corpus.sentences("rec.motorcycles", 700)]
    rows += [("spam", t) for t in corpus.sentences("misc.forsale", 110)]
    corpus.draw.shuffle(rows)
    (to / "SMSSpamCollection").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return ["SMSSpamCollection"]


def ag_news(corpus: Corpus, to: Path) -> list[str]:
    labels = corpus.labels[-4:]
    for name, count in (("train.csv", 200), ("test.csv", 50)):
        rows = [
            (labels.index(label) + 1, text[:60], text)
            for label, text in corpus.rows(labels, count, short=True)
        ]
        (to / name).write_text(_delimited(rows, quoting=csv.QUOTE_ALL))
    (to / "classes.txt").write_text("\n".join(labels) + "\n")
    return ["train.csv", "test.csv", "classes.txt"]


def imdb(corpus: Corpus, to: Path) -> list[str]:
    for side, count in (("train", 150), ("test", 75)):
        for kind, label in (("pos", "rec.autos"), ("neg", "sci.med")):
            folder = to / "aclImdb" / side / kind
            folder.mkdir(parents=True)
            for i, text in enumerate(corpus.texts(label, count)):
                (folder / f"{i}_7.txt").write_text(text)
    (to / "aclImdb" / "README").write_text(
        "Large Movie Review Dataset, as its authors packed it.\n"
    )
    return ["aclImdb"]


def newsgroups_archive(corpus: Corpus, to: Path) -> list[str]:
    with tarfile.open(to / "20news-bydate.tar.gz", "w:gz") as archive:
        for side, count in (("train", 60), ("test", 30)):
            for label in corpus.labels[:6]:
                for i, text in enumerate(corpus.texts(label, count)):
                    content = f"From: someone\nSubject: {text[:20]}\n\n{text}".encode(
                        "latin-1", "replace"
                    )
                    member = tarfile.TarInfo(f"20news-bydate-{side}/{label}/{10000 + i}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return ["20news-bydate.tar.gz"]


def many_intents(corpus: Corpus, to: Path) -> list[str]:
    things = [
        "card",
        "transfer",
        "loan",
        "account",
        "refund",
        "cheque",
        "top-up",
        "exchange",
        "mortgage",
        "receipt",
    ]
    acts = [
        "lost",
        "stolen",
        "late",
        "declined",
        "pending",
        "fee",
        "limit",
        "cancel",
        "order",
        "close",
        "activate",
        "renew",
    ]
    frames = (
        "why is my {t} {a}", "help me, the {t} is {a} again", "{a} {t} what now",
        "I want to know about a {a} {t}", "my {t} shows as {a}, is that right?",
        "can you explain {a} for a {t} please",
    )  # fmt: skip
    rows = [
        (f"{corpus.draw.choice(['hi ', 'hello ', '', 'please ', 'ok '])}{frame.format(t=t, a=a)}{end}", f"{t}_{a}")
        for t in things for a in acts for frame in frames for end in ("", "?")
    ]  # fmt: skip
    corpus.draw.shuffle(rows)
    (to / "banking.csv").write_text(_delimited([("text", "category"), *rows]))
    return ["banking.csv"]


def clinc(corpus: Corpus, to: Path) -> list[str]:
    labels = corpus.labels[:8]
    parts = {
        part: [[text, label] for label, text in corpus.rows(labels, count, short=True)]
        for part, count in (("train", 60), ("val", 15), ("test", 20))
    }
    (to / "data_full.json").write_text(json.dumps(parts))
    return ["data_full.json"]


def trec(corpus: Corpus, to: Path) -> list[str]:
    codes = {
        "DESC:manner": "sci.space",
        "ENTY:food": "sci.med",
        "HUM:ind": "rec.autos",
        "NUM:date": "sci.crypt",
    }
    for name, count in (("train_5500.label", 150), ("TREC_10.label", 40)):
        rows = [
            (code, text) for code, label in codes.items() for text in corpus.sentences(label, count)
        ]
        corpus.draw.shuffle(rows)
        (to / name).write_bytes("".join(f"{a} {b}\n" for a, b in rows).encode("latin-1", "replace"))
    return ["train_5500.label", "TREC_10.label"]


def reviews(corpus: Corpus, to: Path) -> list[str]:
    stars = {1.0: "talk.politics.guns", 3.0: "sci.electronics", 5.0: "rec.sport.hockey"}
    rows = [
        {"reviewerID": f"A{i:06}", "asin": f"B{i % 40:05}", "reviewText": text, "overall": star,
         "summary": text[:30], "unixReviewTime": 1_300_000_000 + 86_400 * (i % 900)}
        for star, label in stars.items() for i, text in enumerate(corpus.texts(label, 150))
    ]  # fmt: skip
    corpus.draw.shuffle(rows)
    with gzip.open(to / "reviews_5.json.gz", "wt", encoding="utf-8") as file:
        file.write(_lines(rows))
    return ["reviews_5.json.gz"]


def hugging_face(corpus: Corpus, to: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels = corpus.labels[3:9]
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": labels, "_type": "ClassLabel"},
    }
    folder = to / "emotion" / "data"
    folder.mkdir(parents=True)
    for side, count in (("train", 100), ("validation", 20), ("test", 30)):
        pairs = corpus.rows(labels, count, short=True)
        table = pa.table(
            {"text": [t for _, t in pairs], "label": [labels.index(k) for k, _ in pairs]}
        )
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        pq.write_table(
            table.replace_schema_metadata(metadata), folder / f"{side}-00000-of-00001.parquet"
        )
    return ["emotion"]


def excel(corpus: Corpus, to: Path) -> list[str]:
    """Writes a workbook with one sheet, whose strings stand in the cells."""
    pairs = corpus.rows(corpus.labels[7:10], 90)
    table = [
        ("No.", "Message", "Team"),
        *((i, text, label) for i, (label, text) in enumerate(pairs)),
    ]
    cells = "".join(
        "<row>"
        + "".join(f'<c t="inlineStr"><is><t>{escape(str(v))}</t></is></c>' for v in row)
        + "</row>"
        for row in table
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{links}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Export" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }  # fmt: skip
    with zipfile.ZipFile(to / "Helpdesk export.xlsx", "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return ["Helpdesk export.xlsx"]


def chinese_headlines(corpus: Corpus, to: Path) -> list[str]:
    rows = [(k, t) for k, words in CHINESE.items() for t in corpus.made(words, _CHINESE_FRAME, 200)]
    corpus.draw.shuffle(rows)
    names = list(CHINESE)
    for name, part in (
        ("train.txt", rows[:480]),
        ("dev.txt", rows[480:540]),
        ("test.txt", rows[540:]),
    ):
        (to / name).write_text("".join(f"{text}\t{names.index(k)}\n" for k, text in part))
    (to / "class.txt").write_text("\n".join(names) + "\n")
    return ["train.txt", "dev.txt", "test.txt", "class.txt"]


def reuters(corpus: Corpus, to: Path) -> list[str]:
    labels = corpus.labels[10:14]
    for name, count in (("r8-train-all-terms.txt", 100), ("r8-test-all-terms.txt", 40)):
        rows = [
            (label, re.sub(r"[^a-z ]", "", text.lower()))
            for label, text in corpus.rows(labels, count)
        ]
        (to / name).write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return ["r8-train-all-terms.txt", "r8-test-all-terms.txt"]


def airline_tweets(corpus: Corpus, to: Path) -> list[str]:
    moods = {
        "negative": ("talk.politics.misc", 300),
        "neutral": ("sci.space", 120),
        "positive": ("rec.sport.baseball", 90),
    }
    rows = [
        [570306133677760513 + i, mood, 1.0, "Late Flight" if mood == "negative" else "", "United", f"user{i}",
         i % 3, f"@united {text[:110]}", "2015-02-24 11:35:52 -0800", "Lets Play", "Eastern Time"]
        for mood, (label, count) in moods.items() for i, text in enumerate(corpus.sentences(label, count))
    ]  # fmt: skip
    corpus.draw.shuffle(rows)
    header = ["tweet_id", "airline_sentiment", "airline_sentiment_confidence", "negativereason", "airline", "name",
              "retweet_count", "text", "tweet_created", "tweet_location", "user_timezone"]  # fmt: skip
    (to / "Tweets.csv").write_text(_delimited([header, *rows]))
    return ["Tweets.csv"]


def fasttext(corpus: Corpus, to: Path) -> list[str]:
    for name, count in (("cooking.train", 120), ("cooking.valid", 40)):
        pairs = corpus.rows(corpus.labels[14:18], count, short=True)
        (to / name).write_text("".join(f"__label__{k} {t}\n" for k, t in pairs))
    return ["cooking.train", "cooking.valid"]


def doccano(corpus: Corpus, to: Path) -> list[str]:
    pairs = corpus.rows(corpus.labels[:4], 80)
    (to / "all.jsonl").write_text(
        _lines({"id": i, "text": t, "label": [k]} for i, (k, t) in enumerate(pairs))
    )
    return ["all.jsonl"]


def label_studio(corpus: Corpus, to: Path) -> list[str]:
    tasks = [
        {"id": i, "data": {"text": text}, "annotations": [{"id": i, "completed_by": 1, "result": [
            {"type": "choices", "from_name": "topic", "to_name": "text", "value": {"choices": [label]}}]}]}
        for i, (label, text) in enumerate(corpus.rows(corpus.labels[4:7], 80))
    ]  # fmt: skip
    (to / "project-3-at-2026-11-30.json").write_text(json.dumps(tasks))
    return ["project-3-at-2026-11-30.json"]


def sqlite(corpus: Corpus, to: Path) -> list[str]:
    with sqlite3.connect(to / "helpdesk.db") as database:
        database.execute(
            "create table messages (id integer primary key, created text, body text, queue text)"
        )
        database.executemany(
            "insert into messages (created, body, queue) values (?, ?, ?)",
            [
                (f"2026-02-{i % 28 + 1:02}T09:00:00Z", t, k)
                for i, (k, t) in enumerate(corpus.rows(corpus.labels[8:11], 90))
            ],
        )
    database.close()
    return ["helpdesk.db"]


def mailboxes(corpus: Corpus, to: Path) -> list[str]:
    (to / "mail").mkdir()
    for name, label in (("spam", "misc.forsale"), ("ham", "comp.windows.x")):
        box = mailbox.mbox(to / "mail" / f"{name}.mbox")
        for i, text in enumerate(corpus.texts(label, 100)):
            message = EmailMessage()
            message["From"], message["Subject"], message["Message-ID"] = (
                "a@example.org",
                text[:30],
                f"<{name}{i}@example.org>",
            )
            message.set_content(text)
            box.add(message)
        box.close()
    return ["mail"]


def toxic(corpus: Corpus, to: Path) -> list[str]:
    header = [
        "id",
        "comment_text",
        "toxic",
        "severe_toxic",
        "obscene",
        "threat",
        "insult",
        "identity_hate",
    ]
    rows = [
        [f"{i:016x}", text, *(int(corpus.draw.random() < 0.2) for _ in range(6))]
        for i, text in enumerate(corpus.texts("talk.politics.mideast", 200))
    ]
    (to / "toxic.csv").write_text(_delimited([header, *rows]))
    return ["toxic.csv"]


def folder(corpus: Corpus, to: Path) -> list[str]:
    for label in ("sci.space", "rec.autos"):
        (to / "texts" / label).mkdir(parents=True)
        for i, text in enumerate(corpus.texts(label, 100)):
            (to / "texts" / label / f"{i}.txt").write_text(text)
    return ["texts"]


def tiny(corpus: Corpus, to: Path) -> list[str]:
    rows = [("text", "label"), *((t, k) for k, t in corpus.rows(corpus.labels[5:10], 8))]
    (to / "tiny.csv").write_text(_delimited(rows))
    return ["tiny.csv"]


def cola(corpus: Corpus, to: Path) -> list[str]:
    for name, count in (("in_domain_train.tsv", 250), ("in_domain_dev.tsv", 60)):
        rows = [
            ("gj04", int(label == "sci.med"), "" if label == "sci.med" else "*", text)
            for label, text in corpus.rows(["sci.med", "rec.autos"], count, short=True)
        ]
        (to / name).write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return ["in_domain_train.tsv", "in_domain_dev.tsv"]


def glue(corpus: Corpus, to: Path) -> list[str]:
    (to / "SST-2").mkdir()
    for name, count in (("train.tsv", 250), ("dev.tsv", 50)):
        pairs = corpus.rows(["sci.med", "rec.autos"], count, short=True)
        lines = [f"{text}\t{int(label == 'sci.med')}\n" for label, text in pairs]
        (to / "SST-2" / name).write_text("".join(["sentence\tlabel\n", *lines]))
    texts = corpus.sentences("sci.med", 40)
    lines = [f"{i}\t{text}\n" for i, text in enumerate(texts)]
    (to / "SST-2" / "test.tsv").write_text("".join(["index\tsentence\n", *lines]))
    return ["SST-2"]


def kaggle_spam(corpus: Corpus, to: Path) -> list[str]:
    rows = [("ham", t) for t in corpus.sentences("sci.electronics", 500)]
    rows += [("spam", t) for t in corpus.sentences("misc.forsale", 80)]
    corpus.draw.shuffle(rows)
    table = [["v1", "v2", "", "", ""], *([k, t, "", "", ""] for k, t in rows)]
    (to / "spam.csv").write_bytes(_delimited(table).encode("latin-1", "replace"))
    return ["spam.csv"]


def huffpost(corpus: Corpus, to: Path) -> list[str]:
    rows = [
        {"link": f"https://news.example.org/entry/{i}", "headline": text[:70], "category": label.upper(),
         "short_description": text, "authors": "Staff", "date": f"2022-09-{i % 28 + 1:02}"}
        for i, (label, text) in enumerate(corpus.rows(corpus.labels[11:15], 110))
    ]  # fmt: skip
    (to / "News_Category_Dataset_v3.json").write_text(_lines(rows))
    return ["News_Category_Dataset_v3.json"]


def polarity(corpus: Corpus, to: Path) -> list[str]:
    (to / "rt-polaritydata").mkdir()
    for name, label in (("pos", "rec.sport.hockey"), ("neg", "sci.crypt")):
        lines = "\n".join(corpus.sentences(label, 300))
        (to / "rt-polaritydata" / f"rt-polarity.{name}").write_bytes(
            lines.encode("latin-1", "replace")
        )
    return ["rt-polaritydata"]


def rare(corpus: Corpus, to: Path) -> list[str]:
    rows = [("claim", t) for t in corpus.texts("sci.electronics", 500)]
    rows += [("fraud", t) for t in corpus.texts("soc.religion.christian", 15)]
    corpus.draw.shuffle(rows)
    (to / "claims.csv").write_text(_delimited([("outcome", "note"), *rows]))
    return ["claims.csv"]


SHAPES: dict[str, Callable[[Corpus, Path], list[str]]] = {
    made.__name__: made
    for made in (
        german_tickets, sms, ag_news, imdb, newsgroups_archive, many_intents, clinc, trec, reviews,
        hugging_face, excel, chinese_headlines, reuters, airline_tweets, fasttext, doccano,
        label_studio, sqlite, mailboxes, toxic, folder, tiny, cola, glue, kaggle_spam, huffpost,
        polarity, rare,
    )
}  # fmt: skip
