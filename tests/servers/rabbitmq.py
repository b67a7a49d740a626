"""A real RabbitMQ for one test, with rabbitmq_prometheus, on loopback only; Debian's service is not touched."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests

from lens_exporter.demo.servers import free_port
from lens_exporter.errors import ServerMissing
from tests.servers.erlang import COOKIE, Epmd, erlang_program
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on PATH insists on the service's user and folders


class RabbitServer:
    """Runs until the end of the block. A context manager. page is its own Prometheus endpoint."""

    def __init__(self, folder: Path, *, name: str = "lens_rabbit@localhost", cookie: str = COOKIE) -> None:
        with skip_or_fail():
            if not _SERVER.exists():
                raise ServerMissing(program="rabbitmq-server", package="rabbitmq-server")
        self.name, self.cookie = name, cookie
        self._erl_call = erlang_program("erl_call")
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "rabbitmq.log").open("ab")
        self.epmd = Epmd(folder)
        self.port = free_port()
        (folder / ".erlang.cookie").write_text(cookie, encoding="utf-8")
        (folder / ".erlang.cookie").chmod(0o600)
        (folder / "plugins").write_text("[rabbitmq_prometheus].\n", encoding="utf-8")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{free_port()}\nprometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.port}\n",
            encoding="utf-8",
        )
        self._environment = {
            **self.epmd.environment,
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._process = subprocess.Popen(
            [str(_SERVER)],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a shell, which starts the node as its child
        )
        self.pid = 0
        try:
            until(self._answers, 90, what="RabbitMQ answers")
            self.pid = int(self.run("os:getpid()").strip('"'))
        except BaseException:
            self.__exit__()
            raise

    @property
    def target(self) -> str:
        """Where Prometheus scrapes it."""
        return f"127.0.0.1:{self.port}"

    def page(self) -> str:
        """Read its own metrics."""
        return requests.get(f"http://{self.target}/metrics", timeout=10).text

    def run(self, expressions: str, *, timeout: float = 30.0) -> str:
        """Evaluate Erlang expressions on the node through erl_call, and give what the last of them is, as Erlang writes it."""
        argv = [self._erl_call, "-sname", self.name, "-c", self.cookie, "-timeout", str(round(timeout))]
        argv += ["-fetch_stdout", "-no_result_term", "-e"]
        source = f'io:format("~s", [io_lib:format("~0p", [begin {expressions.rstrip().rstrip(".")} end])]).\n'
        done = subprocess.run(
            argv, input=source, env=self._environment, capture_output=True, text=True, check=False, timeout=timeout
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text(encoding="utf-8", errors="replace")[-3000:]
        with suppress(requests.RequestException):
            return "erlang_vm_process_count" in self.page()
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(ProcessLookupError):
            # The node first: then the shell that has started it sees it end, and ends too.
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._log.close()
        self.epmd.__exit__()
