"""`lens_exporter.instrument()` in programs of its own, as users call it."""

import os
import subprocess
import sys
import textwrap

import pytest

HEAVY = ("numpy", "sqlalchemy", "fastapi", "dbos", "pydantic", "requests", "structlog", "psutil", "asyncio", "opentelemetry")


def run(program: str, *, head: str = "import lens_exporter\n") -> str:
    """Run a program in a fresh interpreter and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_heavy_is_imported():
    """The three lines, one scrape included, import no heavy package; the import alone takes well under a second."""
    out = run(
        f"""
        import sys, time, urllib.request
        begun = time.perf_counter()
        lens = lens_exporter.instrument("api", port=0)
        took = time.perf_counter() - begun
        urllib.request.urlopen(f"http://127.0.0.1:{{lens.port}}/metrics").read()
        print([name for name in {HEAVY!r} if name in sys.modules], round(took, 3))
        """
    )
    heavy, _, seconds = out.strip().rpartition(" ")
    print(f"lens_exporter.instrument(): {seconds} s")
    assert heavy == "[]"
    assert float(seconds) < 1.0


def test_the_package_alone_imports_nothing():
    """Importing lens_exporter costs nothing before one of its two names is asked for, and there are no others."""
    out = run(
        """
        import sys
        print([name for name in sys.modules if name.startswith(("prometheus_client", "lens_exporter."))])
        print(lens_exporter.__version__)
        try:
            lens_exporter.nothing
        except AttributeError as error:
            print(error)
        """
    )
    first, version, error = out.splitlines()
    assert first == "[]"
    assert version.count(".") == 2
    assert "no attribute 'nothing'" in error


def test_serves_its_own_registry():
    """With a port it serves its metrics and nothing of the user's; closed, the port is free and a second close does nothing."""
    out = run(
        """
        import gc, socket, urllib.request
        from prometheus_client import Counter
        Counter("users_own", "x")
        before = len(gc.callbacks)
        with lens_exporter.instrument("api", port=0) as lens:
            page = urllib.request.urlopen(f"http://127.0.0.1:{lens.port}/metrics").read().decode()
            port = lens.port
        lens.close()
        assert 'lens_python_memory_used_bytes{pid="",process="api"}' in page
        assert 'lens_up{lens="python"} 1.0' in page
        assert "users_own" not in page
        assert len(gc.callbacks) == before
        socket.create_server(("127.0.0.1", port)).close()
        print("ok")
        """
    )
    assert out == "ok\n"


def test_joins_the_default_registry():
    """Without a port it joins what prometheus_client serves anyway; a second call gives the same handle, another name is refused."""
    out = run(
        """
        from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
        lens = lens_exporter.instrument("api")
        assert lens_exporter.instrument() is lens
        assert lens_exporter.instrument("api") is lens
        assert lens_exporter.instrument("api", registry=REGISTRY) is lens
        try:
            lens_exporter.instrument("other")
        except ValueError as error:
            print(error)
        page = generate_latest(REGISTRY).decode()
        assert page.count("# TYPE lens_python_memory_used_bytes") == 1
        other = lens_exporter.instrument("other", registry=CollectorRegistry())
        assert other is not lens
        lens.close()
        assert "lens_python" not in generate_latest(REGISTRY).decode()
        assert lens_exporter.instrument("again") is not lens
        """
    )
    assert out == "this process is instrumented already, as 'api'\n"


def test_port_in_use():
    """A port that is taken is the caller's error, and leaves nothing registered."""
    out = run(
        """
        import gc, socket
        from prometheus_client import CollectorRegistry, generate_latest
        before, registry = len(gc.callbacks), CollectorRegistry()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            try:
                lens_exporter.instrument("api", registry=registry, port=taken.getsockname()[1])
            except OSError as error:
                print(type(error).__name__)
        assert generate_latest(registry) == b""
        assert len(gc.callbacks) == before
        """
    )
    assert out == "OSError\n"


def test_after_a_fork():
    """A forked worker is published under its own pid, and calling it again there starts anew while the parent goes on."""
    out = run(
        """
        import os, urllib.request
        def page(lens):
            return urllib.request.urlopen(f"http://127.0.0.1:{lens.port}/metrics").read().decode()
        parent = lens_exporter.instrument("api", port=0)
        page(parent)
        worker = os.fork()
        if worker == 0:
            lens = lens_exporter.instrument("api", port=0)
            fine = lens is not parent and f'pid="{os.getpid()}"' in page(lens) and 'lens_up{lens="python"} 1.0' in page(lens)
            os._exit(0 if fine else 1)
        _, status = os.waitpid(worker, 0)
        assert f'pid="{os.getpid()}"' in page(parent)
        assert lens_exporter.instrument(port=0) is parent
        print(status)
        """
    )
    assert out == "0\n"


def test_registry_copied_by_a_fork():
    """A registry that was instrumented before the fork serves in the worker too, as gunicorn with preload does."""
    out = run(
        """
        import os
        from prometheus_client import REGISTRY, generate_latest
        lens_exporter.instrument("api")
        generate_latest(REGISTRY)
        worker = os.fork()
        if worker == 0:
            again = lens_exporter.instrument("api")
            page = generate_latest(REGISTRY).decode()
            os._exit(0 if f'pid="{os.getpid()}"' in page and page.count("# TYPE lens_python_info") == 1 else 1)
        print(os.waitpid(worker, 0)[1])
        """
    )
    assert out == "0\n"


def test_event_loop_of_the_caller():
    """Called inside a running loop it finds that loop; closed, the loop ends without complaint."""
    out = run(
        """
        import asyncio
        from prometheus_client import REGISTRY
        name = "lens_python_event_loop_lag_seconds"
        def lag():
            return REGISTRY.get_sample_value(name, {"process": "api", "pid": ""})
        async def main():
            lens = lens_exporter.instrument("api")
            while lag() is None:
                await asyncio.sleep(0.01)
            seen = lag()
            lens.close()
            return seen
        print(0 <= asyncio.run(main(), debug=True) < 10)
        """
    )
    assert out == "True\n"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["-c", "PROGRAM"], "python"), (["shop.py"], "shop"), (["-m", "shop"], "shop"), (["-m", "store"], "store")],
)
def test_default_name(tmp_path, arguments, name):
    """Without a service name the program is called what its user started."""
    program = "import lens_exporter\nprint(lens_exporter.instrument().lens.process)\n"
    (tmp_path / "shop.py").write_text(program)
    (tmp_path / "store").mkdir()
    (tmp_path / "store/__main__.py").write_text(program)
    words = [program if word == "PROGRAM" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    expected = "-c" if name == "python" else name
    assert done.stdout.strip() in {name, expected}, done.stderr


@pytest.mark.parametrize("deep", [0, 84, 200])
def test_siblings_are_told_by_one_page(tmp_path, deep):
    """Four workers and the process that forked them stand on one page once each, by pid; one that was killed is gone from the next.

    A socket's address holds 107 bytes: where the directory leaves room for just the start of a name, or none, nothing changes.
    """
    where = tmp_path if not deep else tmp_path / ("d" * max(1, deep - len(str(tmp_path))))
    out = run(
        f"""
        import os, re, signal, urllib.request
        where = {str(where / "siblings")!r}
        parent = lens_exporter.instrument("api", port=0, siblings=where)
        ready, told = os.pipe()
        workers = []
        for number in range(4):
            workers.append(os.fork())
            if workers[-1] == 0:
                own = lens_exporter.instrument("api", siblings=where)
                os.write(told, b"x")
                signal.pause()
        for _ in workers:
            os.read(ready, 1)
        def page():
            return urllib.request.urlopen(f"http://127.0.0.1:{{parent.port}}/metrics").read().decode()
        def pids(text):
            found = re.findall(r'^lens_python_memory_used_bytes{{pid="(\\d+)",process="api"}}', text, re.M)
            assert len(found) == len(set(found)), found
            return set(map(int, found))
        first = page()
        assert pids(first) == {{os.getpid(), *workers}}, first
        assert first.count("# TYPE lens_python_memory_used_bytes") == 1
        for worker in workers:
            assert f'lens_up{{{{lens="python:{{worker}}"}}}} 1.0' in first
        os.kill(workers[0], signal.SIGKILL)
        os.waitpid(workers[0], 0)
        second, third = page(), page()
        assert f'lens_up{{{{lens="python:{{workers[0]}}"}}}} 0.0' in second
        assert pids(second) == pids(third) == {{os.getpid(), *workers[1:]}}
        assert f"python:{{workers[0]}}" not in third
        for worker in workers[1:]:
            os.kill(worker, signal.SIGKILL)
        parent.close()
        print(sorted(name for name in os.listdir(where) if str(os.getpid()) in name))
        """
    )
    assert out == "[]\n"


def test_a_directory_that_others_may_enter_is_refused(tmp_path):
    """Whoever could put a socket there could tell lies about the program."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    out = run(
        f"""
        import gc
        before = len(gc.callbacks)
        try:
            lens_exporter.instrument("api", port=0, siblings={str(shared)!r})
        except PermissionError as error:
            print("chmod 700" in str(error), len(gc.callbacks) == before)
        """
    )
    assert out == "True True\n"


def test_what_a_sibling_forks_does_not_keep_its_socket_alive(tmp_path):
    """A child that never calls instrument goes on when its parent is killed: the parent is gone from the page all the same."""
    out = run(
        f"""
        import os, signal, urllib.request
        where = {str(tmp_path / "siblings")!r}
        parent = lens_exporter.instrument("api", port=0, siblings=where)
        ready, told = os.pipe()
        worker = os.fork()
        if worker == 0:
            own = lens_exporter.instrument("api", siblings=where)
            child = os.fork()
            if child == 0:
                signal.pause()
            os.write(told, str(child).encode())
            signal.pause()
        child = int(os.read(ready, 20))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        def page():
            return urllib.request.urlopen(f"http://127.0.0.1:{{parent.port}}/metrics").read().decode()
        page()
        print(f"python:{{worker}}" in page())
        os.kill(child, signal.SIGKILL)
        """
    )
    assert out == "False\n"


def test_a_socket_that_is_not_listened_on_yet_is_not_taken_for_a_dead_one(tmp_path):
    """It stands under its name only once it answers, and is gone when the program ends."""
    out = run(
        f"""
        import os, pathlib, socket
        where = pathlib.Path({str(tmp_path / "siblings")!r})
        seen, listen = [], socket.socket.listen
        class Slow(socket.socket):
            def listen(self, *waiting):
                seen.extend(where.glob("lens-*.sock"))
                listen(self, *waiting)
        socket.socket = Slow
        lens_exporter.instrument("api", siblings=where)
        print(seen, len(list(where.glob("lens-*.sock"))))
        """
    )
    assert out == "[] 1\n"
    assert list((tmp_path / "siblings").iterdir()) == []
