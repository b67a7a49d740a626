"""A real Erlang node for one test, with an epmd and a cookie of its own, on loopback only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from lens_exporter.demo.servers import free_port
from lens_exporter.errors import ServerMissing
from lens_exporter.lenses.beam.opening import Address
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until

COOKIE = "lens-test-cookie"
_TRIES = 3


def erlang_program(name: str) -> str:
    """Find one of Erlang's programs. Without it: skip at a desk, fail in CI."""
    path = shutil.which(name)
    with skip_or_fail():
        if path is None:
            raise ServerMissing(program=name, package="erlang-base")
    assert path is not None
    return path


class Epmd:
    """An epmd on a free port of loopback. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._program = erlang_program("epmd")
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        # Erlang keeps a cookie in its user's home; the tests' one must neither be read nor made there.
        self.environment = {**os.environ, "ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": "127.0.0.1,::1", "HOME": str(folder)}
        self._process = subprocess.Popen(
            [self._program], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self.names() is not None, 15, what="epmd answers")

    def names(self) -> list[str] | None:
        """Give the nodes it knows; None while it does not answer."""
        done = subprocess.run(
            [self._program, "-names"], env=self.environment, capture_output=True, text=True, check=False, timeout=15
        )
        if done.returncode:
            return None
        return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("name ")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait(10)


class ErlangNode:
    """Runs `erl` without a shell until the end of the block. A context manager.

    name has an @ and a host for a long name, and only letters for a short one. flags are further arguments of erl.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "lens_test@127.0.0.1",
        cookie: str = COOKIE,
        epmd: Epmd | None = None,
        flags: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        erl_call: bool = True,
    ) -> None:
        self._erl, self._erl_call = erlang_program("erl"), erlang_program("erl_call")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._own_epmd = None if epmd else Epmd(folder)
        found = epmd or self._own_epmd
        assert found is not None
        self.epmd = found
        self.cookie = cookie
        self._asked, self._flags, self._reachable = name, flags, erl_call
        self._environment = {**self.epmd.environment, "HOME": str(folder), **(environment or {})}
        self._log: IO[bytes] = (folder / "erl.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.name = name
        self.start()

    @property
    def address(self) -> Address:
        """Where it is, for a NodeClient."""
        return Address(self.name, epmd_port=self.epmd.port)

    @property
    def pid(self) -> int:
        """The process of the operating system."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "erl.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, and wait until it runs what it is told. Also after stop() or kill()."""
        naming = ["-name" if "@" in self._asked else "-sname", self._asked]
        loopback = "{0,0,0,0,0,0,0,1}" if any("inet6" in flag for flag in self._flags) else "{127,0,0,1}"
        argv = [self._erl, "-noinput", *naming, "-setcookie", self.cookie, "-kernel", "inet_dist_use_interface", loopback]
        # The node says its full name when it is up; nothing is asked of it before.
        hello = self.folder / "name"
        hello.unlink(missing_ok=True)
        said = f'file:write_file("{hello}.new", atom_to_list(node())), file:rename("{hello}.new", "{hello}").'
        self._process = subprocess.Popen(
            [*argv, *self._flags, "-eval", said],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        until(lambda: self._up(hello), 30, what=f"the node {self._asked} is up")
        self.name = hello.read_text(encoding="utf-8")

    def _up(self, hello: Path) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        return hello.exists()

    def run(self, expressions: str, *, timeout: float = 60.0) -> str:
        """Evaluate Erlang expressions on the node through erl_call, and give what the last of them is, as Erlang writes it."""
        assert self._reachable, "erl_call does not reach a node like this one"
        argv = [self._erl_call, "-name" if "@" in self._asked else "-sname", self.name, "-c", self.cookie]
        argv += ["-r", "-timeout", str(round(timeout)), "-fetch_stdout", "-no_result_term", "-e"]
        source = f'io:format("~s", [io_lib:format("~0p", [begin {expressions.rstrip().rstrip(".")} end])]).\n'
        for _ in range(_TRIES):
            done = subprocess.run(
                argv, input=source, env=self._environment, capture_output=True, text=True, check=False, timeout=timeout
            )
            if "failed to connect" not in done.stderr:  # a busy node lets it wait too long; nothing has been evaluated then
                break
        assert done.returncode == 0, (done.stdout + done.stderr + self.log)[-3000:]
        return done.stdout

    def kill(self) -> None:
        """End it without a word, as a crash does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it do nothing while its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.pid}/task")
        # A busy machine stops the threads one after another; until then some of them answer.
        until(lambda: all(_state(task) == "T" for task in tasks.iterdir()), what="the node to stand still")

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                self._signal(signal.SIGKILL)
        self._log.close()
        if self._own_epmd is not None:
            self._own_epmd.__exit__()


def _state(task: Path) -> str:
    """Give the letter by which the kernel names the state of a thread: what follows its name."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
