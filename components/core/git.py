"""Runs git. The only place that does: each call has a time limit, and never waits for a person."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.core.errors import GitError
from components.core.runtime import limited, stale_processes

LIMIT_SECONDS = 600.0  # a clone, fetch or push of a large repository over a slow network
_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "newsloop"), ("EMAIL", "newsloop@localhost"))
}
# Nobody is there to type a password, and callers read git's answers in English.
_PLAIN = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
# A person's signing key would ask for its passphrase. Bundles carry newsloop's own signature.
_UNSIGNED = ("-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false")


def run(
    root: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    seconds: float = LIMIT_SECONDS,
) -> str:
    """The output of `git ARGUMENTS` in `root`, without outer space.

    Args:
        env: added to the environment.
        seconds: time limit; after it git and what it started (ssh, a helper) are killed.

    Raises:
        GitError: git is missing, refused, or ran past the limit.
    """
    code, output, errors = _completed(root, arguments, env or {}, seconds)
    if code:
        cause = " ".join(errors.split()) or f"exit status {code}"
        raise GitError(
            f"Expected `git {' '.join(arguments)}` to work in {root}, got: {cause}. The champion "
            "stays; fix that and run again, nothing has to be trained anew."
        )
    return output.strip()


def query(root: Path, *arguments: str) -> str | None:
    """As `run`; None where git says no, such as for a commit that it does not have.

    Raises:
        GitError: git is missing, or ran past the limit.
    """
    code, output, _ = _completed(root, arguments, {}, LIMIT_SECONDS)
    return None if code else output.strip()


def has(root: Path, commit: str) -> bool:
    """Tells whether the repository at `root` holds that commit."""
    return query(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def _completed(
    root: Path, arguments: Sequence[str], env: Mapping[str, str], seconds: float
) -> tuple[int, str, str]:
    """Exit status, output and errors of one call."""
    shown = f"`git {' '.join(arguments)}`"
    try:
        return limited.run(
            ["git", *_UNSIGNED, *arguments], root,
            {**stale_processes.marked(root), **_PLAIN, **_IDENTITY, **env}, seconds,
        )  # fmt: skip
    except OSError as error:
        raise GitError(
            f"Expected to run {shown} in {root}, got: {error.strerror}: {error.filename}. Install "
            "git, and see that the folder is there."
        ) from error
    except subprocess.TimeoutExpired:
        raise GitError(
            f"Expected {shown} to end within {seconds:.0f} seconds in {root}, it did not and "
            "was ended. The champion stays. See that the git remote answers, and run again."
        ) from None
