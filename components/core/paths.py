"""Paths of all artifacts. Computing a path makes no folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import UsageError

SPOOL = "spool"  # what the service could not yet write to the ledger
AHEAD = "ahead"  # beside it: what it is about to write there


def state_of(root: Path) -> Path:
    """Returns the state folder of the project at `root`: NEWSLOOP_HOME, or `.newsloop` in it."""
    home = os.environ.get("NEWSLOOP_HOME")
    return Path(home).resolve() if home else root / ".newsloop"


@dataclass(frozen=True)
class Paths:
    """Places of one project and of its state.

    Attributes:
        root: the folder that holds params.yaml and dvc.yaml: a checkout or the workspace clone.
        home: what is neither git nor DVC: ledger, bundle store, keys, servers' own state.
        checkout: the person's checkout that a workspace clone was made from; None in a checkout.
    """

    root: Path
    home: Path
    checkout: Path | None = None

    @classmethod
    def find(cls, start: Path | None = None) -> Paths:
        """The project at or above `start` (default: the working directory).

        `NEWSLOOP_HOME` moves the state; by default it is `.newsloop` in the project.

        Raises:
            UsageError: no params.yaml at or above `start`.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
                checkout = os.environ.get("NEWSLOOP_CHECKOUT")
                return cls(folder, state_of(folder), Path(checkout) if checkout else None)
        raise UsageError(
            f"Expected a newsloop project (params.yaml and dvc.yaml) at or above {start}, found "
            "none. Change into the project's folder and try again."
        )

    @property
    def sources(self) -> Path:
        """Folder where relative paths of sources start: files lie beside a person's checkout."""
        return self.checkout or self.root

    @property
    def project(self) -> str:
        """Name of the project: of the folder that holds its checkout."""
        return self.sources.name

    # What a person writes, and what is pinned in git.
    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def behaviour(self) -> Path:
        return self.root / "behaviour.yaml"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def snapshot(self) -> Path:
        return self.data / "sources.json"

    @property
    def baseline(self) -> Path:
        return self.data / "baseline.json"

    @property
    def candidate(self) -> Path:
        return self.data / "candidate.json"

    # One folder a stage.
    @property
    def settings(self) -> Path:
        return self.data / "00_settings"

    @property
    def resolved(self) -> Path:
        return self.settings / "params.json"

    @property
    def ingested(self) -> Path:
        return self.data / "01_ingested"

    @property
    def validated(self) -> Path:
        return self.data / "02_validated"

    @property
    def split(self) -> Path:
        return self.data / "03_split"

    @property
    def trained(self) -> Path:
        return self.data / "04_trained"

    @property
    def evaluated(self) -> Path:
        return self.data / "05_evaluated"

    @property
    def packaged(self) -> Path:
        return self.data / "06_packaged"

    @property
    def bundle(self) -> Path:
        return self.packaged / "bundle"

    @property
    def bento(self) -> Path:
        return self.packaged / "bento"

    # State outside git and DVC.
    @property
    def home_page(self) -> Path:
        return self.home / "home.html"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def bundles(self) -> Path:
        return self.home / "bundles"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger.sqlite"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    @property
    def vectors(self) -> Path:
        return self.home / "vectors"

    @property
    def spool(self) -> Path:
        return self.home / SPOOL

    @property
    def ahead(self) -> Path:
        return self.home / AHEAD

    @property
    def loading(self) -> Path:
        return self.home / "loading"

    @property
    def scrub_cache(self) -> Path:
        return self.home / "scrub-cache.sqlite"

    @property
    def feeds(self) -> Path:
        return self.home / "feeds.sqlite"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    @property
    def refused_rows(self) -> Path:
        """The bad rows of the last validation, if it refused the table."""
        return self.data_docs / "quarantine.parquet"

    @property
    def evaluation_page(self) -> Path:
        return self.home / "reports" / "evaluation.html"

    @property
    def monitoring_reports(self) -> Path:
        return self.home / "reports" / "monitoring"

    @property
    def decisions(self) -> Path:
        return self.home / "decisions"

    @property
    def rehearsals(self) -> Path:
        return self.home / "rehearsals"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def processes(self) -> Path:
        return self.home / "processes"

    @property
    def workspace(self) -> Path:
        return self.home / "workspace"

    @property
    def lock(self) -> Path:
        return self.home / "learning.lock"

    @property
    def journal(self) -> Path:
        return self.home / "release.json"
