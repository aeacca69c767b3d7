"""Runs a command in a network namespace that has the loopback and nothing else.

Usage: python tests/offline.py COMMAND [ARGUMENT ...]

Where the kernel does not allow a namespace of our own, the command runs as it is and says so.

`watching` counts attempts: an audit hook in each Python process writes down whom it asks for.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

# Imported by each Python that finds it on its path. Port 9 is that of a proxy nobody listens at.
_HOOK = """
import os, socket, sys

def hook(event, arguments, inside=("localhost", "::1", "0.0.0.0", "::", "", "None")):
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host, port = arguments[0], 0
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if port == 9 or not (host in (*inside, socket.gethostname()) or host.startswith("127.")):
        with open({file!r}, "a") as file:
            file.write(f"{{event}} {{host}} {{port}} {{sys.orig_argv[:4]}}\\n")

sys.addaudithook(hook)
"""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_INSIDE = "NEWSLOOP_TESTS_OFFLINE"


def watching(folder: Path) -> tuple[dict[str, str], Path]:
    """Variables for a shell whose Pythons write down each attempt to leave this machine.

    Returns:
        The variables, and the file with a line for each attempt; it is missing without any.
    """
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(_HOOK.format(file=str(folder / "attempts")))
    return {"PYTHONPATH": str(folder)}, folder / "attempts"


def raise_loopback() -> None:
    """Brings `lo` up, which a new namespace starts without (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


def main() -> int:
    command = sys.argv[1:]
    if os.environ.get(_INSIDE):
        raise_loopback()
        os.execvp(command[0], command)
    unshare = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    try:
        allowed = (
            subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        allowed = False
    if not allowed:
        sys.stderr.write(
            "tests run with the network: this machine allows no namespace of our own\n"
        )
        os.execvp(command[0], command)
    os.environ[_INSIDE] = "1"
    os.execvp(unshare[0], [*unshare, sys.executable, __file__, *command])


if __name__ == "__main__":
    sys.exit(main())
