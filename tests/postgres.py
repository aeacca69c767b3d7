"""A PostgreSQL server of its own for tests, on the loopback, run by a user who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.project import free_ports

PASSWORD = "hunter2-of-the-test"  # that no message and no pin may hold


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl, or None; Debian keeps it off the path."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def new_database(server: str) -> str:
    """Makes an empty database on the server; gives its address."""
    address = sa.make_url(server)
    name = f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(address, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0"))
    return address.set(database=name).render_as_string(hide_password=False)


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """Starts a server with an empty database; gives its SQLAlchemy address with the password."""
    # Not below pytest's folders: they are closed to other users, and root may not run a server.
    place = Path(tempfile.mkdtemp(prefix="newsloop-postgres-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if user:
        os.chown(place, user.pw_uid, user.pw_gid)

    def run(*command: str) -> None:
        done = subprocess.run(
            [str(programs / command[0]), *command[1:]],
            check=False, cwd=place, stdin=subprocess.DEVNULL, timeout=120,
            # Into a file: the server would keep a pipe open.
            stdout=(log := (place / "log").open("ab")), stderr=log,
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        )  # fmt: skip
        log.close()
        assert done.returncode == 0, (place / "log").read_text()

    (port,) = free_ports(1)
    (place / "password").write_text(PASSWORD)
    (place / "password").chmod(0o644)
    data = str(place / "data")
    try:
        run(
            "initdb", "-D", data, "--auth=scram-sha-256", "--username=tester", "--encoding=UTF8",
            "--no-locale", "--no-sync", f"--pwfile={place / 'password'}",
        )  # fmt: skip
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        )
        run("pg_ctl", "-D", data, "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place)
