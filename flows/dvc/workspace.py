"""Workspace of a learning run, and the lock that allows one run at a time.

A person's `newsloop run` works in the checkout, with its settings. A run of a schedule or an event
works in a clone under NEWSLOOP_HOME, at the commit of the champion's release. So production trains
new data with the released settings, and new settings take effect only when a person runs them.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from components.core import git, keys
from components.core.errors import Busy, GitError, NewsloopError, ReleaseError, cause_and_remedy
from components.core.ledger import Champion
from components.core.paths import Paths
from components.core.scrub import suppression

_SUPPRESSES = Version("0.2.0")  # every version from this on leaves out erased subjects


@contextlib.contextmanager
def alone(paths: Paths) -> Iterator[None]:
    """Holds the learning lock of this installation; a dead process releases it (flock).

    Raises:
        Busy: another living process holds it.
    """
    paths.home.mkdir(parents=True, exist_ok=True)
    with paths.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Busy(
                "Expected to be the only learning run, but another one is at work (it holds "
                f"{paths.lock}). Wait for its end; `newsloop status` shows it."
            ) from error
        yield


def settle(paths: Paths) -> None:
    """Creates the parts of a run that a git clone lacks: keys, and the address of DVC's remote.

    Raises:
        NewsloopError: no git repository, or no permission to write.
    """
    if git.query(paths.root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        raise NewsloopError(
            f"Expected a git repository with a commit at {paths.root}: versions are git tags. "
            "Run `git init && git add . && git commit -m start` there, or work in a clone."
        )
    keys.ensure(paths.keys)
    try:
        (paths.home / "remote").mkdir(parents=True, exist_ok=True)
        if paths.home != paths.root / ".newsloop":
            configure_dvc(paths, paths.root / ".dvc" / "cache")
    except OSError as error:
        raise NewsloopError(
            f"Expected to write {error.filename or paths.home}, got: {cause_and_remedy(error)}"
        ) from error


def changed_pins(root: Path) -> list[str]:
    """Lists the files that learning runs write and the branch lacks: dvc.lock, data/*.json.

    The first run of a clone changes none of them where the packages and the kind of processor are
    those of the run that made dvc.lock. A release commits the files beside the branch, not on it.
    """
    changed = git.query(root, "diff", "--name-only", "HEAD", "--", "dvc.lock", "data")
    return (changed or "").splitlines()


def prepare(paths: Paths, champion: Champion) -> Paths:
    """Prepares the workspace clone at the commit that `champion` was released from.

    Raises:
        ReleaseError: git cannot clone or find that commit, or the champion is too old to leave
            out erased subjects.
    """
    clone = Paths(paths.workspace, paths.home, checkout=paths.root)
    try:
        _move(clone, champion)
    except GitError:
        # The clone is torn. The checkout has every release that was made from it.
        if not (clone.root / ".git").exists():
            raise
        shutil.rmtree(clone.root)
        _move(clone, champion)
    configure_dvc(clone, paths.root / ".dvc" / "cache")
    if suppression.read(paths)["subjects"] and not suppresses(clone.root):
        raise ReleaseError(
            f"Expected {champion.tag} to leave out erased subjects, it is too old for that. Run "
            "`newsloop run` in the checkout to release a version that leaves them out."
        )
    return clone


def suppresses(root: Path) -> bool:
    """Returns True if the release checked out at `root` leaves out erased subjects.

    Every release since 0.2.0 does; one of 0.1.0 does if it contains the module for it.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    if Version(project["project"]["version"]) >= _SUPPRESSES:
        return True
    return (root / "components" / "core" / "suppression.py").is_file()


def _move(clone: Paths, champion: Champion) -> None:
    """Checks the champion's commit out in the clone; makes the clone first if it is missing."""
    source = clone.sources
    if not (clone.root / ".git").is_dir():
        shutil.rmtree(clone.root, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=clone.home, prefix=".workspace-") as folder:
            new = Path(folder) / "clone"
            git.run(clone.home, "clone", "--quiet", "--no-checkout", str(source), str(new))
            new.rename(clone.root)
    git.run(clone.root, "fetch", "--quiet", "--tags", "--force", "origin")
    git.run(clone.root, "checkout", "--quiet", "--force", "--detach", champion.commit)


def configure_dvc(paths: Paths, cache: Path | None = None) -> None:
    """Writes .dvc/config.local: the local remote, and the shared cache (None: no shared cache).

    A clone first copies the checkout's config.local, which holds the keys of an S3 remote. If
    .dvc/config names another default remote, such as S3, DVC pushes to that one.
    """
    from configobj import ConfigObj
    from dvc.config import Config

    folder = paths.root / ".dvc"
    checkout = paths.sources / ".dvc" / "config.local"
    if paths.checkout:
        (folder / "config.local").unlink(missing_ok=True)
        if checkout.is_file():
            shutil.copy(checkout, folder / "config.local")
    # The clone's commit may be older than a remote whose keys are in config.local.
    remotes = Config(str(folder), validate=False)["remote"]
    known = {f'remote "{name}"' for name, remote in remotes.items() if "url" in remote}
    # DVC's own writer fails at a path that is not ASCII.
    config = ConfigObj(str(folder / "config.local"), encoding="utf-8")
    before = config.dict()
    for section in set(config.sections) - known:
        if section.startswith("remote "):
            del config[section]
    config['remote "local"'] = {"url": str(paths.home / "remote")}
    caches = {key: value for key, value in config.get("cache", {}).items() if key != "dir"}
    config["cache"] = caches | ({"dir": str(cache)} if cache else {})
    if config.dict() != before:
        config.write()
