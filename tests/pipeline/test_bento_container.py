"""What `bentoml build` writes for a container: nobody builds it here, so its file is read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from components.core import keys
from components.package import pinned
from tests import tiny
from tests.served import PROJECT

BUILD = (
    "import sys; from pathlib import Path; from components.package import build_bento\n"
    "build_bento(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))"
)
IMPORTED = (
    "import sys, serving.service, serving.recording.scrubbing, components.core.scrub, psycopg\n"
    "import opentelemetry.exporter.otlp.proto.http.trace_exporter\n"
    "print(*{name.partition('.')[0] for name in sys.modules})"
)

OPTIONAL = (
    "h2",
    "hpack",
    "hyperframe",
    "sniffio",
    "socksio",
)  # that httpx takes where it finds them


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bento")
    source = place / "source"
    ours = shutil.ignore_patterns("__pycache__")
    for package in ("serving", "components/core"):
        shutil.copytree(PROJECT / package, source / package, ignore=ours)
    shutil.copy(PROJECT / "components" / "__init__.py", source / "components")
    shutil.copy(PROJECT / "params.yaml", source)
    name = tiny.make_bundle(source / "bundle", place / "keys")
    (source / "keys").mkdir()
    shutil.copy(place / "keys" / keys.PUBLIC, source / "keys")
    subprocess.run(
        [sys.executable, "-c", BUILD, str(source), name, str(place / "built")],
        check=True, cwd=PROJECT, timeout=300, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    return place / "built"


def test_it_is_not_root_has_a_health_check_and_asks_nobody(bento: Path) -> None:
    lines = (bento / "env" / "docker" / "Dockerfile").read_text().splitlines()
    instructions = [line.split()[0] for line in lines if re.match("[A-Z]+ ", line)]
    assert [line for line in lines if line.startswith("USER ")] == ["USER bentoml"]
    assert lines.index("USER bentoml") > max(
        number for number, line in enumerate(lines) if line.startswith("RUN ")
    )
    assert instructions.count("HEALTHCHECK") == 1
    assert instructions.count("ENTRYPOINT") == 1
    assert "http://127.0.0.1:3000/readyz" in "\n".join(lines)
    assert "ENV BENTOML_DO_NOT_TRACK=True" in lines
    assert "ENV BENTOML_HOST=0.0.0.0" in lines


def test_what_it_installs_is_pinned_and_all_that_the_service_imports(bento: Path) -> None:
    lines = (bento / "env" / "python" / "requirements.txt").read_text().split()
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9a-z.+]+", line) for line in lines)
    assert set(lines) >= set(pinned())
    installed = {line.partition("==")[0] for line in lines}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        check=True, cwd=PROJECT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    owners = packages_distributions()
    needed = {
        canonicalize_name(owner)
        for module in done.stdout.split()
        for owner in owners.get(module, [])[:1]
    }
    assert needed - installed == {"newsloop", *OPTIONAL}


def test_nothing_secret_is_in_it(bento: Path) -> None:
    there = {file.name for file in (bento / "src" / "keys").iterdir()}
    assert there == {keys.PUBLIC}
