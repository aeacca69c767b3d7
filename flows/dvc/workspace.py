"""Where a learning run works, and the lock that keeps it alone.

A person's `newsloop run` works in the checkout where it was typed, with its settings as they are.
A run that a schedule or an event started works in a clone under NEWSLOOP_HOME, at the commit of
the champion's release: production learns from new data by the recipe that was released, and a new
recipe comes in only when a person runs it.
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

_SUPPRESSES = Version("0.2.0")  # the first version whose number says that it suppresses


@contextlib.contextmanager
def alone(paths: Paths) -> Iterator[None]:
    """Holds the learning lock of this installation. It ends with the process, however that ends.

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
                f"{paths.lock}). Wait for it, or look at it with `newsloop status`."
            ) from error
        yield


def settle(paths: Paths) -> None:
    """Makes what a run needs and a clone does not bring: keys, and where DVC's remote lies.

    Raises:
        NewsloopError: no git repository, or no right to write.
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


def prepare(paths: Paths, champion: Champion) -> Paths:
    """The workspace clone, at the commit that `champion` was released from.

    Raises:
        ReleaseError: git cannot clone or find that commit.
    """
    clone = Paths(paths.workspace, paths.home, checkout=paths.root)
    try:
        _move(clone, champion)
    except GitError:
        # A clone that git cannot use was torn. Whatever was released from it is in the checkout.
        if not (clone.root / ".git").exists():
            raise
        shutil.rmtree(clone.root)
        _move(clone, champion)
    configure_dvc(clone, paths.root / ".dvc" / "cache")
    if suppression.read(paths)["subjects"] and not suppresses(clone.root):
        raise ReleaseError(
            f"Expected {champion.tag} to know the list of erased subjects, it is older than that. "
            "Run `newsloop run` in the checkout to release a version that leaves them out."
        )
    return clone


def suppresses(root: Path) -> bool:
    """Tells whether the release checked out at `root` leaves out erased subjects.

    Every release since 0.2.0 does. Those of 0.1.0 do if they hold the module that did it then.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    if Version(project["project"]["version"]) >= _SUPPRESSES:
        return True
    return (root / "components" / "core" / "suppression.py").is_file()


def _move(clone: Paths, champion: Champion) -> None:
    """Brings the clone to the champion's commit; makes it first where there is none."""
    source = clone.sources
    if not (clone.root / ".git").is_dir():
        shutil.rmtree(clone.root, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=clone.home, prefix=".workspace-") as folder:
            made = Path(folder) / "clone"
            git.run(clone.home, "clone", "--quiet", "--no-checkout", str(source), str(made))
            made.rename(clone.root)
    git.run(clone.root, "fetch", "--quiet", "--tags", "--force", "origin")
    git.run(clone.root, "checkout", "--quiet", "--force", "--detach", champion.commit)


def configure_dvc(paths: Paths, cache: Path | None = None) -> None:
    """Writes .dvc/config.local: where the local remote lies, and whose cache is shared (None: own).

    A clone takes the checkout's config.local first: keys of an S3 remote stand there. Where
    .dvc/config names another default remote, such as S3, that one is pushed to.
    """
    from configobj import ConfigObj
    from dvc.config import Config

    folder = paths.root / ".dvc"
    theirs = paths.sources / ".dvc" / "config.local"
    if paths.checkout:
        (folder / "config.local").unlink(missing_ok=True)
        if theirs.is_file():
            shutil.copy(theirs, folder / "config.local")
    # The clone's commit may be older than a remote whose keys stand here.
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
