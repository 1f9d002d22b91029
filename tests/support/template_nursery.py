"""Starts the process that fills a council's own templates as a copy of one that has imported everything already.

A campaign tries thousands of templates, and the start of a Python takes longer than what it is started for. The command
is a small program that hands its three pipes to the nursery, and ends as its child does.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = """
import os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
socket.send_fds(line, [" ".join(sys.argv[2:]).encode()], [0, 1, 2])
status = line.recv(100)
code = int(status) if status else 1
os._exit(code) if code >= 0 else os.kill(os.getpid(), -code)
"""


@dataclass(frozen=True)
class Nursery:
    """``command``: what ``OwnTemplates`` is given."""

    command: tuple[str, ...]
    process_id: int

    def seconds(self) -> float:
        """Processor time of the nursery and of the children that have ended."""
        told = Path(f"/proc/{self.process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def template_nursery() -> Iterator[Nursery]:
    """A nursery for one campaign, which has one template process at a time."""
    with tempfile.TemporaryDirectory(prefix="nursery") as folder:
        place = str(Path(folder) / "line")
        with subprocess.Popen([sys.executable, __file__, place], stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            try:
                yield Nursery((sys.executable, "-S", "-E", "-c", LAUNCHER, place), process.pid)
            finally:
                process.kill()


def serve(place: str) -> None:
    from monitor.messages import template_process

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen()
    print(flush=True)
    while True:
        line, _ = listening.accept()
        asked, pipes, _, _ = socket.recv_fds(line, 1000, 3)
        child = os.fork()
        if child == 0:
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
                os.close(pipe)
            line.close()
            listening.close()
            sys.argv[1:] = asked.decode().split()
            template_process.serve()
            os._exit(0)
        for pipe in pipes:
            os.close(pipe)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(OSError), line:  # whoever asked may have been ended first
            line.sendall(str(status).encode())


if __name__ == "__main__":
    serve(sys.argv[1])
