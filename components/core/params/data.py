"""Sections `ingest`, `validate` and `split`: which documents there are, and which are good."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components.core.params.base import Between, Positive, Rate, Settings, Share
from components.core.params.sources import Limits, Source

LONGEST_LABEL = 200  # characters of a class name

Policy = Literal["mask", "pseudonym", "keep", "drop"]

# Entities that are masked by default, each with its reason. Places, dates and groups are not
# searched for: they are what news is about, and no personal data alone.
ENTITIES = {
    "PERSON": "names, and addresses without a word like street; the slowest entity to find",
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
    "PASSPORT": "passport numbers",
    "DRIVER_LICENSE": "numbers of driving licences",
    "IP_ADDRESS": "of version 4 and 6",
    "MAC_ADDRESS": "of network cards",
    "PRIVATE_URL": "links with a user's name or a token",
    "SECRET": "API keys, passwords, private keys",
    "USER_HANDLE": "names of users after an @",
}


class Scrub(Settings):
    """`ingest.scrub`: what is personal data, and what happens to it."""

    entities: Annotated[dict[str, Policy], Field(min_length=1)] = Field(
        dict.fromkeys(ENTITIES, "mask"),
        description="mask: <ENTITY> takes its place; pseudonym: <ENTITY_1f0c...>, equal values get "
        "equal tokens, by the key in .newsloop/keys; keep: it stays; drop: a document that holds "
        "one is not used at all; an entity that is not named keeps its default; docs/privacy.md "
        "lists more entities",
    )
    min_score: Share = Field(
        0.4, description="score of a rule, 0 to 1, from which its finding counts"
    )
    tagger_threshold: Between = Field(
        0.3, description="probability from which a word belongs to a name or an address"
    )
    unknown_language: Literal["rules", "quarantine", "mask_all"] = Field(
        "rules",
        description="texts in a language that no tagger knows: rules (names and addresses are not "
        "searched, and each report counts these texts), quarantine (they are not used), mask_all "
        "(the tagger for English masks what looks like a name, which destroys most of the text)",
    )
    workers: Positive = Field(2, description="processes")
    batch: Positive = Field(64, description="documents that a process takes at a time")


class Stream(Settings):
    """`ingest.stream`: how documents pass through ingest; docs/scale.md."""

    rows: Positive = Field(2048, description="documents that are read, cached and written together")
    characters: Positive = Field(
        8_000_000, description="characters of a batch; reaching them ends it before `rows` do"
    )
    compression: Literal["zstd", "lz4", "none"] = Field(
        "zstd", description="of documents.parquet: zstd, lz4 or none"
    )
    remember: Literal["always", "persons", "never"] = Field(
        "always",
        description="cache of scrubbed texts: always, persons (only where persons are masked), "
        "never",
    )
    attempts: Positive = Field(
        3, description="tries of a batch whose process dies, before the run stops"
    )
    cluster_seconds: Rate = Field(60, description="to wait for a Dask cluster without a worker")


class Ingest(Settings):
    """`ingest`: classes, sources and scrubbing."""

    labels: Annotated[list[str], Field(min_length=2)] = Field(
        description="the classes; a document with another label goes to quarantine"
    )
    sources: Annotated[list[Source], Field(min_length=1)] = Field(
        description="where documents come from; docs/your-data.md shows an example of each kind"
    )
    limits: Limits = Limits()
    scrub: Scrub = Scrub()
    stream: Stream = Stream()

    @model_validator(mode="before")
    @classmethod
    def completed(cls, values: Any) -> Any:
        """Gives `limits` to each source, and adds the entities that are not named.

        The limits of a source itself stay. To name one entity must not unmask the others.
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
            entities = {**dict.fromkeys(ENTITIES, "mask"), **scrub["entities"]}
            values = {**values, "scrub": {**scrub, "entities": entities}}
        return values

    @field_validator("labels", mode="before")
    @classmethod
    def names(cls, labels: Any) -> Any:
        """Refuses what stands for no class name; reports, files and pages show the names as is."""
        for number, label in enumerate(labels if isinstance(labels, list) else [], 1):
            if isinstance(label, bool | int | float):
                raise ValueError(
                    f"label {number} is no text for YAML, but {str(label).lower()}: put it in "
                    "quotes"
                )
            if isinstance(label, str) and not _is_name(label):
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


def _is_name(label: str) -> bool:
    # Joiners (Cf) stay: Persian and Hindi words, and some emoji, need them.
    broken = {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in label}
    return 0 < len(label) <= LONGEST_LABEL and label.strip() == label and not broken


def _limited(source: Any, common: dict[str, Any]) -> Any:
    own = source.get("limits", {}) if isinstance(source, dict) else None
    if not isinstance(own, dict):
        return source  # its own check says what is wrong
    # First, because messages show the beginning of a wrong entry, and addresses may hold keys.
    return {"limits": {**common, **own}, **{k: v for k, v in source.items() if k != "limits"}}


class Validate(Settings):
    """`validate`: what stops a run, and what sends a row to quarantine."""

    min_documents: Positive = Field(60, description="documents; fewer are too few to learn from")
    min_class_documents: Annotated[int, Field(ge=3)] = Field(
        6, description="documents of a class; each side of the split needs some"
    )
    min_characters: Positive = Field(20, description="characters of a text")
    max_characters: Positive = Field(
        200_000, description="characters of a text; a longer one is a dump, not a document"
    )
    max_bad_share: Share = Field(
        0.02, description="share of rows in quarantine, above which the run stops"
    )
    languages: list[str] = Field(
        ["en"],
        description="languages that are learned from; a document in another one goes to "
        "quarantine; []: the language is not detected",
    )
    language_characters: Positive = Field(
        100,
        description="characters from which a language is detected; the detector errs too often on "
        "shorter texts",
    )
    language_score: Share = Field(
        0.5, description="confidence of the detector, 0 to 1, from which its answer counts"
    )
    damaged: Literal["quarantine", "mend"] = Field(
        "quarantine",
        description="texts that were decoded wrongly: quarantine, or mend (and scrub again)",
    )
    damage_marks: Positive = Field(
        1, description="traces of a wrong decoding that make a text damaged"
    )
    max_duplicate_share: Share = Field(
        0.2, description="share of documents that repeat an earlier one word for word"
    )
    max_source_share: Share = Field(
        0.9, description="share of the documents from which one source floods the others"
    )
    max_volume_loss: Share = Field(
        0.3, description="share of the last snapshot's rows that may be missing now"
    )
    max_volume_growth: Annotated[float, Field(ge=1)] = Field(
        10, description="times as many rows as in the last snapshot"
    )
    max_class_shift: Share = Field(
        0.1,
        description="how far the share of a class may have moved since the last release; refused "
        "when the data show more with error probability class_shift_level",
    )
    class_shift_level: Between = Field(
        0.01, description="error probability of that test, all classes together"
    )
    max_label_noise: Share = Field(0.15, description="estimated share of wrong labels")
    noise_class_documents: Positive = Field(
        60,
        description="documents of a class, on average, that the estimate needs; with fewer it is "
        "too rough",
    )
    noise_documents: Positive = Field(
        5000, description="documents that are sampled for the estimate; about 10 seconds"
    )
    max_age_days: Rate | None = Field(
        None,
        description="days; age of the newest document at the time of the snapshot; null: any age",
    )


class Split(Settings):
    """`split`: which documents train, stop and test a model."""

    by: Literal["content", "time"] = Field(
        "content",
        description="content: by a hash of the text; time: the newest documents to the test side",
    )
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.15, description="share of the documents that stop the training"
    )
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.2, description="share of the documents that measure the model"
    )
    near_duplicate_similarity: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="Jaccard similarity of word shingles from which two texts are the same"
    )
    shingle_words: Positive = Field(4, description="words of a shingle")
    permutations: Positive = Field(
        128, description="of MinHash; standard error of the similarity: 1/sqrt(128) = 0.09"
    )
    seed: int = Field(20061, description="key of the hash that chooses a side")
