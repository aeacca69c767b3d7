"""Sections `ingest`, `validate` and `split`: sources, data quality and the sides of the split."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components.core.params.base import Between, Positive, Rate, Settings, Share
from components.core.params.sources import Limits, Source

LONGEST_LABEL = 200  # characters of a class name

# What YAML reads as a boolean or null, as people write it.
_WRITTEN = {
    "true": '"yes", "on" or "true"',
    "false": '"no", "off" or "false"',
    "null": '"null" or "~"',
}

Policy = Literal["mask", "pseudonym", "keep", "drop"]

# Entities that are masked by default, with a description. Places, dates and groups are left out:
# news is about them, and alone they are no personal data.
ENTITIES = {
    "PERSON": "names, and addresses without a word like street; the slowest entity to detect",
    "EMAIL_ADDRESS": "e-mail addresses",
    "PHONE_NUMBER": "telephone numbers",
    "STREET_ADDRESS": "street and house number",
    "POSTAL_CODE": "postal codes",
    "CREDIT_CARD": "card numbers",
    "IBAN_CODE": "bank accounts",
    "US_BANK_NUMBER": "bank accounts of the United States",
    "US_SSN": "social security numbers of the United States",
    "UK_NINO": "national insurance numbers of the United Kingdom",
    "UK_NHS": "patient numbers of the United Kingdom",
    "NATIONAL_ID": "numbers of persons of more than sixty states, such as BR_CPF or PL_PESEL",
    "PASSPORT": "passport numbers",
    "DRIVER_LICENSE": "numbers of driving licences",
    "IP_ADDRESS": "IP addresses, versions 4 and 6",
    "MAC_ADDRESS": "hardware addresses of network cards",
    "PRIVATE_URL": "links with a user's name or a token",
    "SECRET": "API keys, passwords, private keys",
    "USER_HANDLE": "user names after an @",
    "DATE_OF_BIRTH": "dates of birth, beside their word",
    "LICENSE_PLATE": "registration numbers of vehicles, beside their word",
    "LOCATION": "latitude and longitude",
    "SPECIAL_CATEGORY": "health, religion, origin, views, orientation: GDPR, article 9",
}
# In most texts, special categories are the subject.
_POLICIES: dict[str, Policy] = {
    entity: "keep" if entity == "SPECIAL_CATEGORY" else "mask" for entity in ENTITIES
}


class Scrub(Settings):
    """`ingest.scrub`: detection of personal data, and the action for each entity."""

    entities: Annotated[dict[str, Policy], Field(min_length=1)] = Field(
        _POLICIES,
        description="action for each entity. mask: <ENTITY> replaces the value. pseudonym: "
        "<ENTITY_1f0c...> replaces it, equal values get equal tokens by the key in "
        ".newsloop/keys. keep: the value stays. drop: a document that contains the "
        "value is not used. An entity that is not named keeps its default; "
        "docs/privacy.md lists more entities",
    )
    min_score: Share = Field(
        0.4, description="score of a rule, 0 to 1, from which its match counts"
    )
    tagger_threshold: Between = Field(
        0.3,
        description="probability, from which the tagger counts a word as part of a name or an "
        "address",
    )
    unknown_language: Literal["rules", "quarantine", "mask_all"] = Field(
        "rules",
        description="action for texts in a language without a tagger. rules: names and addresses "
        "are not searched, and each report counts these texts; quarantine: the texts are not used; "
        "mask_all: the English tagger masks all that looks like a name, which destroys most of "
        "the text",
    )
    workers: Positive = Field(2, description="scrubbing processes")
    batch: Positive = Field(64, description="documents that a process gets at a time")


class Stream(Settings):
    """`ingest.stream`: batches, cache and retries of ingest; docs/scale.md."""

    rows: Positive = Field(
        2048, description="documents that are read, cached and written as one batch"
    )
    characters: Positive = Field(
        8_000_000,
        description="characters of a batch; a batch ends at this limit even with fewer than "
        "`rows` documents",
    )
    compression: Literal["zstd", "lz4", "none"] = Field(
        "zstd", description="codec of documents.parquet: zstd, lz4 or none"
    )
    remember: Literal["always", "persons", "never"] = Field(
        "always",
        description="when scrubbed texts are cached: always; persons (only if PERSON is masked); "
        "never",
    )
    attempts: Positive = Field(
        3, description="attempts at a batch whose worker process dies; then the run stops"
    )
    cluster_seconds: Rate = Field(
        60, description="seconds to wait for a worker of the Dask cluster; then the run stops"
    )


class Ingest(Settings):
    """`ingest`: classes, sources and scrubbing."""

    labels: Annotated[list[str], Field(min_length=2)] = Field(
        description="the classes; a document with another label goes to quarantine"
    )
    sources: Annotated[list[Source], Field(min_length=1)] = Field(
        description="sources of documents; docs/your-data.md has an example of each kind"
    )
    limits: Limits = Limits()
    scrub: Scrub = Scrub()
    stream: Stream = Stream()

    @model_validator(mode="before")
    @classmethod
    def completed(cls, values: Any) -> Any:
        """Gives `limits` to each source, and adds the default for entities that are not named.

        A source's own limits win. Naming one entity must not unmask the others.
        """
        if not isinstance(values, dict):
            return values
        common, sources, scrub = (
            values.get("limits", {}), values.get("sources"), values.get("scrub"),
        )  # fmt: skip
        common = common.model_dump() if isinstance(common, Limits) else common
        if isinstance(common, dict) and isinstance(sources, list):
            values = {**values, "sources": [_limited(source, common) for source in sources]}
        if isinstance(scrub, dict) and isinstance(scrub.get("entities"), dict):
            entities = {**_POLICIES, **scrub["entities"]}
            values = {**values, "scrub": {**scrub, "entities": entities}}
        return values

    @field_validator("labels", mode="before")
    @classmethod
    def names(cls, labels: Any) -> Any:
        """Refuses what stands for no class name; reports, files and pages show the names as is."""
        for number, label in enumerate(labels if isinstance(labels, list) else [], 1):
            if label is None or isinstance(label, bool | int | float):
                shown = "null" if label is None else str(label).lower()
                written = _WRITTEN.get(shown, f'"{shown}"')
                raise ValueError(
                    f"label {number} is no text for YAML, but {shown}: put it in quotes: {written}"
                )
            if isinstance(label, str) and not is_class_name(label):
                raise ValueError(
                    f"label {number} must have 1 to {LONGEST_LABEL} characters, no line break or "
                    "other control character, and no space at its ends"
                )
        return labels

    @model_validator(mode="after")
    def unique(self) -> Ingest:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"source names must differ, got {', '.join(names)}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must differ, got {', '.join(self.labels)}")
        return self


def is_class_name(label: str) -> bool:
    """Tests if `label` may be a class: printable, no space at its ends, not too long."""
    # Joiners (Cf) stay: Persian and Hindi words, and some emoji, need them.
    broken = {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in label}
    return 0 < len(label) <= LONGEST_LABEL and label.strip() == label and not broken


def _limited(source: Any, common: dict[str, Any]) -> Any:
    own = source.get("limits", {}) if isinstance(source, dict) else None
    if not isinstance(own, dict):
        return source  # the validation of Source reports the error
    # First, because messages show the beginning of a wrong entry, and addresses may contain keys.
    return {"limits": {**common, **own}, **{k: v for k, v in source.items() if k != "limits"}}


class Validate(Settings):
    """`validate`: limits that stop a run, and limits that send a row to quarantine."""

    min_documents: Positive = Field(
        20,
        description="documents; with fewer the run stops, because nothing can be measured on them",
    )
    min_class_documents: Positive = Field(
        1,
        description="documents of each class; a class with few is learned, and the reports show "
        "what is known of it",
    )
    min_characters: Positive = Field(
        1,
        description="characters of a text, which must hold a letter or digit; a shorter one goes "
        "to quarantine",
    )
    max_characters: Positive = Field(
        200_000,
        description="characters of a text; a longer one is a dump, not a document, and goes to "
        "quarantine",
    )
    max_bad_share: Share = Field(
        0.1,
        description="share of rows in quarantine, 0 to 1; above it the run stops; rows without "
        "text do not count",
    )
    max_leak_share: Share = Field(
        0.02,
        description="share of rows in which the leak test finds personal data that was not masked, "
        "0 to 1; above it the run stops",
    )
    languages: list[str] = Field(
        ["en"],
        description="languages to train on, ISO 639 codes; a document in another one goes to "
        "quarantine; []: no language detection",
    )
    language_characters: Positive = Field(
        100,
        description="characters, from which the language is detected; on shorter texts the "
        "detector is wrong too often",
    )
    language_score: Share = Field(
        0.5, description="confidence of the language detector, 0 to 1, from which its answer counts"
    )
    damaged: Literal["quarantine", "mend"] = Field(
        "quarantine",
        description="action for texts that were decoded with a wrong encoding. quarantine: move "
        "to quarantine; mend: repair and scrub again",
    )
    damage_marks: Positive = Field(
        1,
        description="character sequences typical of a wrong encoding, from which a text counts as"
        " damaged",
    )
    max_duplicate_share: Share = Field(
        0.2, description="share of documents whose text repeats an earlier one exactly"
    )
    max_source_share: Share = Field(
        0.9,
        description="share of all documents from one source, 0 to 1; above it that source floods "
        "the others",
    )
    max_volume_loss: Share = Field(
        0.3, description="share of the last snapshot's rows, 0 to 1, that may be missing now"
    )
    max_volume_growth: Annotated[float, Field(ge=1)] = Field(
        10, description="rows of this run divided by rows of the last snapshot"
    )
    max_class_shift: Share = Field(
        0.1,
        description="change of a class's share since the last release, 0 to 1; the run stops if a"
        " larger change is proven at class_shift_level",
    )
    class_shift_level: Between = Field(
        0.01, description="significance level of that test, over all classes together"
    )
    max_label_noise: Share = Field(0.15, description="estimated share of wrong labels, 0 to 1")
    noise_class_documents: Positive = Field(
        60,
        description="documents per class, on average; with fewer the estimate of wrong labels is "
        "too rough and is skipped",
    )
    noise_documents: Positive = Field(
        5000,
        description="documents sampled for the estimate of wrong labels; 5000 take about 10 "
        "seconds",
    )
    max_age_days: Rate | None = Field(
        None,
        description="days; age of the newest document when the snapshot is taken; null: any age",
    )


class Split(Settings):
    """`split`: assignment of documents to the training, validation and test side."""

    by: Literal["content", "time", "column"] = Field(
        "content",
        description="content: by a hash of the text; time: the newest documents become the test "
        "side; column: the source names the side, by `part` or `fixed_part` under ingest.sources",
    )
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.15, description="share of the documents for early stopping and calibration"
    )
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.2, description="share of the documents that measure the model"
    )
    near_duplicate_similarity: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="Jaccard similarity of word shingles, from which two texts are near-"
        "duplicates and stay on one side; texts of 4 to 19 words also if they have the same label "
        "and differ in one word or in numbers only",
    )
    shingle_words: Positive = Field(4, description="words of a shingle")
    permutations: Positive = Field(
        128,
        description="hash functions of MinHash; the standard error of the similarity is "
        "1/sqrt(128) = 0.09",
    )
    seed: int = Field(20061, description="key of the hash that assigns a side")
    cross_validation: Literal["small", "always", "never"] = Field(
        "small",
        description="evaluation by cross-validation instead of one test side, after which the "
        "model is trained on all documents; for by: content. small: where the test side would have "
        "fewer documents than the next two settings say; always; never",
    )
    min_test_documents: Positive = Field(
        50,
        description="documents of a test side that is large enough: with 50 the interval of an "
        "accuracy of 0.9 is 0.16 wide",
    )
    min_class_test_documents: Positive = Field(
        5, description="documents of each class on a test side that is large enough"
    )
    max_cross_validated: Positive = Field(
        2000,
        description="documents, from which a small class alone is no reason for cross-validation, "
        "which takes as many trainings as folds",
    )
    folds: Annotated[int, Field(ge=3)] = Field(
        8, description="folds of the cross-validation: one tests, one validates, the others train"
    )
