"""However the demo ends, it leaves nothing running."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from tests.servers.waiting import until

pytestmark = [pytest.mark.acceptance, pytest.mark.integration]


def demo(tmp_path, **environment):
    # Whoever runs these tests in a shell's background has SIGINT ignored, and so would the demo: it is begun as at a terminal.
    begun = "import faulthandler, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    begun = f"{begun}; faulthandler.register(signal.SIGUSR1)"
    script = f"{begun}; from lens_exporter.demo.run import run_demo; sys.exit(run_demo())"
    output = (tmp_path / "out.txt").open("wb")
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1", **environment}
    return subprocess.Popen([sys.executable, "-c", script], stdout=output, stderr=output, env=env, start_new_session=True)


def text(tmp_path):
    return (tmp_path / "out.txt").read_text()


def ended(running, tmp_path, seconds):
    """Wait for its end and give its exit code; where it does not end, fail with what it said, runs and does."""
    try:
        return running.wait(seconds)
    except subprocess.TimeoutExpired:
        left = subprocess.run(
            ["ps", "-o", "pid,stat,etime,args", "-s", str(running.pid)], capture_output=True, text=True, check=False
        )
        before = len(text(tmp_path))
        running.send_signal(signal.SIGUSR1)
        until(lambda: len(text(tmp_path)) > before, 5, what="where it stands")
        raise AssertionError(f"not ended after {seconds} s:\n{text(tmp_path)}\n{left.stdout}") from None


def answers(url):
    try:
        return requests.get(url, timeout=1) is not None
    except requests.RequestException:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_its_servers(tmp_path, number):
    """Ctrl-C or SIGTERM in the middle: not 0, all four servers gone, the folder too."""
    running = demo(tmp_path)
    try:
        urls = until(
            lambda: len(found := re.findall(r"http://127\.0\.0\.1:\d+", text(tmp_path))) == 4 and found, 60, what="four servers"
        )
        assert all(answers(url) for url in urls)
        running.send_signal(number)
        assert ended(running, tmp_path, 30) != 0
        assert not any(answers(url) for url in urls)
        assert list(tmp_path.glob("lens-demo-*")) == []
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


def test_a_missing_server_is_said_in_one_line(tmp_path):
    """Without Prometheus on PATH: what to install, exit 1, and what was started before is stopped."""
    running = demo(tmp_path, PATH=str(tmp_path))
    assert ended(running, tmp_path, 60) == 1
    assert "is not on PATH: install it" in text(tmp_path)
    assert "Traceback" not in text(tmp_path)
    children = subprocess.run(["ps", "-o", "pid=", "-s", str(running.pid)], capture_output=True, text=True, check=False)
    assert children.stdout.split() == []
