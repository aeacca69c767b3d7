"""Each form of personal data is found, and what only looks like it is not."""

from __future__ import annotations

import random
import string
from functools import cache

import pytest

from components.core.scrub.confusables import normalize
from components.core.scrub.recognizers import RULES, RuleSet

MIN_SCORE = 0.4


@cache
def rules() -> RuleSet:
    return RuleSet(RULES)


def found(text: str) -> set[tuple[str, str]]:
    return {
        (span.entity, text[span.start : span.end])
        for span in rules().search(text)
        if span.score >= MIN_SCORE
    }


@pytest.mark.parametrize(
    ("entity", "value", "text"),
    [
        ("EMAIL_ADDRESS", "ann.o'hara+news@mail.example.co.uk", "to {}, please"),
        ("EMAIL_ADDRESS", "jürgen@müller.example", "{}"),
        ("CREDIT_CARD", "4111-1111-1111-1111", "card {} 12/27"),
        ("CREDIT_CARD", "378282246310005", "amex {}"),
        ("CREDIT_CARD", "5555 5555 5555 4444", "no {} 123"),
        ("IBAN_CODE", "DE89 3704 0044 0532 0130 00", "IBAN {} and then"),
        ("IBAN_CODE", "gb33bukb20201555555555", "iban {}"),
        ("US_SSN", "123-45-6789", "ssn {}"),
        ("US_SSN", "123456789", "my social security number is {}"),
        ("US_SSN", "912-45-6789", "SSN: {}"),
        ("UK_NINO", "AB 12 34 56 C", "NI number {}"),
        ("UK_NHS", "943 476 5919", "NHS no {}"),
        ("PASSPORT", "C01X00T47"[:1] + "01234567", "passport {}"),
        ("DRIVER_LICENSE", "MORGA657054SM9IJ", "licence {}"),
        ("DRIVER_LICENSE", "A1234567", "driver's license number is {}"),
        ("DRIVER_LICENSE", "94 123 456", "my driving licence: {}"),
        ("US_BANK_NUMBER", "945456787654", "bank account {}"),
        ("IP_ADDRESS", "192.0.2.1", "from {}:"),
        ("IP_ADDRESS", "2001:db8::8a2e:370:7334", "host {} down"),
        ("MAC_ADDRESS", "00:1A:2b:3C:4d:5E", "mac {}"),
        ("PHONE_NUMBER", "+1 202 555 0143", "{}"),
        ("PHONE_NUMBER", "(202) 555-0143", "or {}."),
        ("PHONE_NUMBER", "202.555.0143 x12", "fax {}"),
        ("PHONE_NUMBER", "020 7946 0958", "ring {}"),
        ("PHONE_NUMBER", "555 8949", "call {} now"),
        ("PHONE_NUMBER", "96 237271", "phone: {}"),
        ("STREET_ADDRESS", "221B Baker Street", "at {}, London"),
        ("STREET_ADDRESS", "10 north main st", "at {}, ohio"),
        ("STREET_ADDRESS", "Hauptstraße 12a", "in der {}"),
        ("STREET_ADDRESS", "12 rue de la Paix", "au {}"),
        ("STREET_ADDRESS", "Via Roma 5", "in {}"),
        ("STREET_ADDRESS", "P.O. Box 123", "to {}"),
        ("STREET_ADDRESS", "Apt. 4", "{}, please"),
        ("POSTAL_CODE", "SW1A 2AA", "London {}"),
        ("POSTAL_CODE", "94105-1234", "San Francisco, CA {}"),
        ("POSTAL_CODE", "K1A 0B1", "Ottawa {}"),
        ("POSTAL_CODE", "75001", "postal code {}"),
        ("PRIVATE_URL", "https://ann:pw@host.example/x", "see {}"),
        ("PRIVATE_URL", "https://host.example/?access_token=abc", "see {}."),
        ("PRIVATE_URL", "https://twitter.com/ann_smith", "({})"),
        ("USER_HANDLE", "@ann_smith", "ask {} there"),
        ("USER_HANDLE", "xx_ann_97", "my username is {}"),
        ("SECRET", "AKIAIOSFODNN7EXAMPLE", "key {}"),
        ("SECRET", "ghp_" + "a1B2" * 9, "token {}"),
        ("SECRET", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt {}"),
        ("SECRET", "hunter2!", "password: {}"),
        ("SECRET", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "{}\n"),
    ],
)
def test_what_is_found(entity: str, value: str, text: str) -> None:
    assert (entity, value) in found(text.format(value))


@pytest.mark.parametrize(
    "text",
    [
        "They beat them 6-3 7-6 6-4 in 2004 and 2005",
        "Sales of 1,234,567 and 12.345.678 rose 3.5% to $1,200,000.00",
        "between 1998-2004 and on 2004-12-05 10:22:33",
        "The card 4111 1111 1111 1112 is wrong, so is IBAN GB34BUKB20201555555555",
        "version 1.2.3 and section 10.4.1.2.5 of 999.1.1.1",
        "Pi is 3.14159265358979, or 22/7",
        "see https://host.example/news/2004/story.html",
        "300 people on the street, 2 men on the way, 10 years in court",
        "The 2004 Olympic Games closed at 12:30:45",
        "password reset, token ring and secret service",
        "Meet me @ 5 or at noon dot",
        "std::vector::size at 10:20:30",
        "in the first half of 2003 and 2004 the 100 biggest banks earned 25.5 billion",
    ],
)
def test_what_only_looks_like_it_is_not_found(text: str) -> None:
    assert found(text) == set()


def test_a_gate_is_open_wherever_its_rule_finds_something() -> None:
    """The gates only save time: without them the same is found."""
    from components.tagger import corpus, templates

    draw = random.Random(7)
    alphabet = "0123456789  --..()/@:+" + string.ascii_letters
    values = [
        "4111 1111 1111 1111", "a at b dot com", "GB33BUKB20201555555555", "AB123456C", "call",
        "passport", "licence", "123-45-6789", "::1", "rue", "street", "Apt. 5", "u/abc",
    ]  # fmt: skip
    noise = []
    for _ in range(1500):
        middle = ["".join(draw.choices(alphabet, k=12)) for _ in range(3)]
        noise.append(" ".join([draw.choice(values), *middle, draw.choice(values)]))
    sentences = [text for text, _ in corpus.sentences(800, templates.TEMPLATES, seed=5)]
    for text in [*noise, *sentences]:
        plain = normalize(text).text
        assert [s for s in rules().search(plain) if s.score >= MIN_SCORE] == [
            s for rule in RULES for s in rule.search(plain) if s.score >= MIN_SCORE
        ]


@pytest.mark.parametrize(
    "piece", ["1 ", "a@", "at dot ", "12 Ab ", "a:", "(at)", "password is ", "GB12 "]
)
def test_no_text_makes_a_rule_hang(piece: str) -> None:
    """Quadratic rules would need minutes here, and pytest's timeout ends them."""
    rules().search(piece * (200_000 // len(piece)))
