"""`bentoml serve` with a supervisor that only this user commands: `python -m serving.supervisor`.

BentoML's supervisor (Circus) obeys commands, such as to start a program, from two TCP ports of the
loopback: any user of the machine could send them. Here it listens at sockets in a folder of mode
0700 instead.
"""

from __future__ import annotations

from bentoml_cli.cli import cli

from serving import bentoml_adapter


def main() -> None:
    bentoml_adapter.close_supervisor()
    cli(prog_name="bentoml")


if __name__ == "__main__":
    main()
