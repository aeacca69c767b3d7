"""Runs a command in a network namespace that has the loopback and nothing else.

Usage: python tests/offline.py COMMAND [ARGUMENT ...]

Where the kernel does not allow a namespace of our own, the command runs as it is and says so.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_INSIDE = "NEWSLOOP_TESTS_OFFLINE"


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
