"""The distribution client on real Erlang nodes."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lens_exporter.config.beam import Beam, NodeTls
from lens_exporter.config.secrets import Secrets
from lens_exporter.errors import (
    AnswerTooLarge,
    CallFailed,
    CallRefused,
    CallTimeout,
    LensError,
    NodeBusy,
    NodeUnavailable,
    NotThere,
    ServerMissing,
)
from lens_exporter.lenses.beam.asks import Cause
from lens_exporter.lenses.beam.calls import _MEMORY, _PORT, _PROCESS, _STATISTICS, _SYSTEM_INFO, _TABLE, ALLOWED, PAGE, Weight
from lens_exporter.lenses.beam.connect import connector
from lens_exporter.lenses.beam.decode import decode
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.terms import Atom, BitBinary, Export, ImproperList, Pid, Port, Reference, text
from tests.servers.erlang import COOKIE, Epmd, ErlangNode
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

PROCESS_INFO = Export(Atom("erlang"), Atom("process_info"), 2)
SHORT = {Weight.LIGHT: 0.5, Weight.HEAVY: 0.5}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErlangNode]:
    with ErlangNode(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[ErlangNode]:
    """A node for tests that stop it."""
    with ErlangNode(tmp_path / "node") as running:
        yield running


def client(node: ErlangNode, **options: Any) -> NodeClient:
    return NodeClient(node.address, lambda: COOKIE, **options)


def whereis(asks: NodeClient, name: str) -> Pid:
    """Find a process of the node by its registered name."""
    pids = asks.call("erlang", "processes")
    names = asks.call("lists", "zipwith", PROCESS_INFO, pids, [Atom("registered_name")] * len(pids))
    return pids[names.index(("registered_name", name))]


def hidden(node: ErlangNode) -> list[str]:
    """Ask the node for its hidden neighbours, of which the program that asks is one."""
    return [name for name in re.findall(r"[\w.]+@[\w.:]+", node.run("nodes(hidden)")) if not re.match(r"c\d+@", name)]


def test_it_says_what_the_node_says_of_itself(node):
    """What is fixed equals what erl_call reads; pids are the node's own."""
    asks = client(node)
    for item in ("process_limit", "port_limit", "atom_limit", "schedulers_online", "dirty_io_schedulers", "ets_limit"):
        assert asks.call("erlang", "system_info", Atom(item)) == int(node.run(f"erlang:system_info({item})"))
    assert text(asks.call("erlang", "system_info", Atom("otp_release"))) == node.run("erlang:system_info(otp_release)").strip('"')
    assert asks.call("erlang", "node") == node.name
    first = asks.call("erlang", "processes")[0]
    assert str(first) == "<0.0.0>"
    assert whereis(asks, "init") == first
    asks.close()


def test_every_allowed_call_is_answered(node):
    """No entry of the list is one the node does not know."""
    asks = client(node)
    pids, ports, tables = (asks.call(*each) for each in (("erlang", "processes"), ("erlang", "ports"), ("ets", "all")))
    supervisor = whereis(asks, "kernel_sup")
    arguments: dict[str, list[tuple[Any, ...]]] = {
        "erlang:memory/1": [([Atom(kind)],) for kind in _MEMORY],
        "erlang:statistics/1": [(Atom(item),) for item in _STATISTICS - {"scheduler_wall_time", "scheduler_wall_time_all"}],
        "erlang:system_info/1": [(Atom(item),) for item in _SYSTEM_INFO],
        "lists:map/2": [(Export(Atom("proc_lib"), Atom("translate_initial_call"), 1), pids)],
        "lists:zipwith/3": [
            *((PROCESS_INFO, pids, [[Atom(item)]] * len(pids)) for item in _PROCESS),
            *((Export(Atom("ets"), Atom("info"), 2), tables, [Atom(item)] * len(tables)) for item in _TABLE),
            *((Export(Atom("erlang"), Atom("port_info"), 2), ports, [Atom(item)] * len(ports)) for item in _PORT),
        ],
        "supervisor:count_children/1": [(supervisor,)],
        "supervisor:which_children/1": [(supervisor,)],
    }
    for each in ALLOWED:
        module, function, arity = each.replace("/", ":").split(":")
        if module == "vm_memory_monitor":
            continue  # RabbitMQ's
        for given in arguments.get(each, [()]):
            assert len(given) == int(arity)
            assert asks.call(module, function, *given) != "undefined", each
    asks.close()


def test_a_page_of_thousands_is_one_call(node):
    """Twelve thousand processes are listed, and read in three calls that agree with the node."""
    node.run(
        "register(crowd, spawn(fun() -> [spawn_link(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 12000)], receive stop -> exit(kill) end end))"
    )
    asks = client(node)
    until(lambda: asks.call("erlang", "system_info", Atom("process_count")) > 12_000)
    pids = asks.call("erlang", "processes")
    found: list[Any] = []
    for start in range(0, len(pids), PAGE):
        page = pids[start : start + PAGE]
        found += asks.call("lists", "zipwith", PROCESS_INFO, page, [[Atom("memory"), Atom("message_queue_len")]] * len(page))
    assert len(found) == len(pids) > 12_000
    gone = [each for each in found if each == "undefined"]
    assert len(gone) < 20
    assert all(each[0][0] == "memory" and each[0][1] > 0 for each in found if each != "undefined")
    node.run("crowd ! stop")
    asks.close()


def test_terms_are_the_same_on_both_sides(node, tmp_path):
    """What the node writes is read, what is written the node reads, and both are the same term."""
    erlang = (
        '[ok, \'é\', -1, 255, 256, -129, 134217728, 1 bsl 70, -(1 bsl 3000), 1.5, -0.0, <<"bytes">>, <<5:3>>, "text", "", [1|2], '
        '[a,[b|c]], {}, {1,{2}}, list_to_tuple(lists:seq(1,300)), lists:seq(1,1000), #{a => 1}, #{"k" => #{}}, fun erlang:process_info/2, '
        'list_to_pid("<0.85.3>"), hd(erlang:ports()), make_ref(), fun(X) -> X end, lists:duplicate(1000, self())]'
    )
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    node.run(f'T = {erlang}, persistent_term:put(sent, T), file:write_file("{theirs}", term_to_binary(T))')
    term = decode(theirs.read_bytes())
    kinds = (Atom, BitBinary, ImproperList, Export, Pid, Port, Reference, dict)
    assert all(any(isinstance(each, kind) for each in term) for kind in kinds)
    node.run(f'T = {erlang}, file:write_file("{theirs}.z", term_to_binary(lists:duplicate(100, T), [compressed]))')
    assert len(decode((tmp_path / "theirs.z").read_bytes())) == 100
    ours.write_bytes(encode(term))
    assert node.run(f'{{ok, B}} = file:read_file("{ours}"), binary_to_term(B) =:= persistent_term:get(sent)') == "true"


def test_it_is_a_hidden_node_that_leaves_no_names_behind(node):
    """The node sees one hidden neighbour, its cluster none; connecting again and again makes no atoms."""
    asks = client(node)
    assert asks.call("erlang", "nodes") == []
    assert len(hidden(node)) == 1
    asks.close()
    before = 0
    for number in range(31):
        until(lambda: "[]" in node.run("nodes(hidden) -- nodes(known)"))
        if number == 1:  # what runs for the first time loads code
            before = int(node.run("erlang:system_info(atom_count)"))
        again = client(node)
        again.call("erlang", "node")
        again.close()
        until(lambda: len(node.run("nodes(hidden)").split(",")) == 1)  # erl_call itself
    assert int(node.run("erlang:system_info(atom_count)")) - before < 10


def test_threads_share_one_connection(node):
    """Many callers at once get each their own answer, over one connection, and never two heavy calls at a time."""
    asks = client(node)
    wrong: list[Any] = []

    def work(number: int) -> None:
        for _ in range(20):
            light = asks.call("erlang", "memory", *([[Atom("binary")]] if number % 2 else []))
            if (len(light) == 1) != (number % 2 == 1) or text(asks.call("os", "getpid")) != str(node.pid):
                wrong.append(light)
            if not isinstance(asks.call("erlang", "ports")[0], Port):
                wrong.append("ports")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert wrong == []
    assert len(hidden(node)) == 1
    asks.close()


def test_several_calls_fail_each_alone(node):
    """Answers come in the order of the calls; one that fails has its error in its place."""
    asks = client(node)
    elsewhere = Pid(Atom("other@127.0.0.1"), 85, 0, 1)
    found = asks.calls(
        [
            ("erlang", "node", ()),
            ("lists", "zipwith", (PROCESS_INFO, [elsewhere], [Atom("memory")])),
            ("vm_memory_monitor", "get_memory_limit", ()),
            ("erlang", "ports", ()),
            ("os", "getpid", ()),
        ]
    )
    assert found[0] == node.name
    assert type(found[1]) is CallFailed
    assert "badarg" in found[1].reason
    assert isinstance(found[2], NotThere)
    assert "noproc" in found[2].reason
    assert isinstance(found[3][0], Port)
    assert text(found[4]) == str(node.pid)
    with pytest.raises(CallRefused):
        asks.calls([("erlang", "node", ()), ("erlang", "halt", ())])
    asks.close()


def test_an_answer_that_is_too_large_is_let_go_by(node):
    """A server that answers twenty megabytes: that call fails by name, the connection stays, the next call works."""
    node.run(
        "register(many, spawn(fun() -> receive {'$gen_call', From, _} -> gen_server:reply(From, binary:copy(<<0>>, 20000000)) end end))"
    )
    asks = client(node)
    many = whereis(asks, "many")
    connection = asks._link
    with pytest.raises(AnswerTooLarge, match=r"which_children/1 at .* more than 16777216 bytes"):
        asks.call("supervisor", "which_children", many)
    assert asks.call("erlang", "node") == node.name
    assert asks._link is connection
    asks.close()


def test_the_wrong_cookie_is_named(node):
    """A wrong cookie says so, and is not tried again at once: each attempt leaves a warning in the node's log."""
    asks = NodeClient(node.address, lambda: "another")
    for _ in range(3):
        with pytest.raises(NodeUnavailable) as caught:
            asks.call("erlang", "node")
        assert caught.value.cause == Cause.COOKIE_WRONG
    assert "the next attempt is made in" in caught.value.reason
    assert "another" not in str(caught.value)
    until(lambda: "Connection attempt from node" in node.log)
    assert node.log.count("Connection attempt from node") == 1


def test_a_node_that_is_down_is_named(own_node):
    """epmd away, name unknown, port closed: each has its cause, and none is taken for another."""
    own_node.kill()
    until(lambda: own_node.epmd.names() == [])
    causes = {}
    for name, address in {
        "unknown": own_node.address,
        "no epmd": replace(own_node.address, epmd_port=1),
        "closed": replace(own_node.address, port=1),
        "no host": replace(own_node.address, host="nobody.invalid"),
    }.items():
        with pytest.raises(NodeUnavailable) as caught:
            NodeClient(address, lambda: COOKIE).call("erlang", "node")
        causes[name] = caught.value.cause
    assert causes == {
        "unknown": Cause.NOT_REGISTERED,
        "no epmd": Cause.EPMD_UNREACHABLE,
        "closed": Cause.UNREACHABLE,
        "no host": Cause.EPMD_UNREACHABLE,
    }


def test_a_node_that_restarts_in_mid_call(own_node):
    """The call that was under way fails by name at once; when the node is back, the next call is answered by it."""
    own_node.run("register(mute, spawn(fun() -> receive stop -> ok end end))")
    asks = client(own_node)
    mute, before = whereis(asks, "mute"), own_node.pid
    assert text(asks.call("os", "getpid")) == str(before)
    failures: list[LensError] = []

    def ask() -> None:
        try:
            asks.call("supervisor", "which_children", mute)
        except LensError as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: own_node.run("element(2, process_info(whereis(mute), message_queue_len))") == "1")
    own_node.kill()
    asking.join(4)
    assert not asking.is_alive()
    assert isinstance(failures[0], NodeUnavailable)
    assert failures[0].cause == Cause.LOST
    until(lambda: own_node.epmd.names() == [])
    own_node.start()
    assert text(asks.call("os", "getpid")) == str(own_node.pid) != str(before)
    assert isinstance(asks.call("erlang", "ports")[0], Port)  # a heavy call, though the one before was never answered
    asks.close()


def test_a_heavy_call_without_an_answer_keeps_its_place(own_node):
    """While the node is still at work on a heavy call that was given up, no other one is sent; light ones are."""
    own_node.run("register(mute, spawn(fun() -> receive stop -> ok end end))")
    unhurried = client(own_node)
    mute = whereis(unhurried, "mute")
    unhurried.close()
    asks = client(own_node, seconds={Weight.LIGHT: 5.0, Weight.HEAVY: 0.3})
    with pytest.raises(CallTimeout) as caught:
        asks.call("supervisor", "which_children", mute)
    assert not isinstance(caught.value, NodeBusy)
    with pytest.raises(NodeBusy):
        asks.call("erlang", "ports")
    assert asks.call("erlang", "node") == own_node.name
    until(lambda: not isinstance(asks.calls([("erlang", "ports", ())])[0], LensError), 10, what="the node has given up by itself")
    asks.close()


def test_a_node_that_hangs(own_node):
    """A frozen node times out by name, within its time; thawed, it is asked again."""
    asks = client(own_node, seconds=SHORT, connect_seconds=0.5)
    until(lambda: asks.calls([("erlang", "node", ())]) == [own_node.name])  # a busy machine may need more than one attempt
    own_node.freeze()
    with pytest.raises(CallTimeout):
        asks.call("erlang", "memory")
    with pytest.raises(NodeUnavailable) as caught:
        until(lambda: asks.call("erlang", "node"))
    assert caught.value.cause == Cause.TIMED_OUT
    own_node.thaw()
    until(lambda: asks.calls([("erlang", "node", ())]) == [own_node.name])
    asks.close()


def test_ticks_keep_the_connection(tmp_path):
    """A node that hangs up after two seconds of silence keeps us, though nothing is asked for twice that time."""
    with ErlangNode(tmp_path / "node", flags=["-kernel", "net_ticktime", "2"]) as node:
        asks = client(node)
        asks.call("erlang", "node")
        connection = asks._link
        begun = int(node.run("element(1, statistics(wall_clock))"))
        until(lambda: int(node.run("element(1, statistics(wall_clock))")) > begun + 5000, what="five seconds of the node's")
        assert connection is not None
        assert connection.lost == ""
        assert asks.call("erlang", "node") == node.name
        assert asks._link is connection
        asks.close()


def _ssl(*command: object) -> None:
    with skip_or_fail():
        if shutil.which("openssl") is None:
            raise ServerMissing(program="openssl", package="openssl")
    subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)


def test_distribution_over_tls(tmp_path, monkeypatch):
    """A node that speaks TLS only, and asks for a certificate, is asked; a stranger's certificate, either way, is refused by name."""
    for name in ("own", "stranger"):
        made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        _ssl(*made, "-subj", f"/CN={name} authority", "-out", tmp_path / f"{name}.ca", "-keyout", tmp_path / f"{name}.ca.key")
        signed = [
            "-CA",
            tmp_path / f"{name}.ca",
            "-CAkey",
            tmp_path / f"{name}.ca.key",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]
        host = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        _ssl(*made, *host, *signed, "-out", tmp_path / name, "-keyout", tmp_path / f"{name}.key")
    options = tmp_path / "options"
    files = f'{{certfile, "{tmp_path}/own"}}, {{keyfile, "{tmp_path}/own.key"}}, {{cacertfile, "{tmp_path}/own.ca"}}'
    options.write_text(f"[{{server, [{files}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}]}}, {{client, [{files}]}}].")
    with ErlangNode(
        tmp_path / "node", flags=["-proto_dist", "inet_tls", "-ssl_dist_optfile", str(options)], erl_call=False
    ) as node:
        own = {"cert_file": str(tmp_path / "own"), "key_file": str(tmp_path / "own.key")}

        def encrypted(**tls) -> NodeClient:
            section = Beam(nodes=(node.name,), epmd_port=node.epmd.port, cookie_env="COOKIE", tls=NodeTls(**tls))
            return connector(Secrets({"COOKIE": COOKIE}))(node.name, section)

        asks = encrypted(ca_file=str(tmp_path / "own.ca"), **own)
        assert asks.call("erlang", "node") == node.name
        pids = asks.call("erlang", "processes")
        page = pids * (4000 // len(pids))  # more than one record of TLS
        assert len(asks.call("lists", "zipwith", PROCESS_INFO, page, [[Atom("memory"), Atom("status")]] * len(page))) == len(page)
        asks.close()
        unverified = encrypted(ca_file=str(tmp_path / "stranger.ca"), insecure_skip_verify=True, **own)
        assert unverified.call("erlang", "node") == node.name
        unverified.close()
        # This machine trusts the node's authority: one that is named counts instead of those, not beside them.
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.ca"))
        causes = []
        for each in (
            {"ca_file": "stranger.ca", "cert_file": "own", "key_file": "own.key"},
            {"ca_file": "own.ca", "cert_file": "stranger", "key_file": "stranger.key"},
            {"ca_file": "own.ca"},
        ):
            with pytest.raises(NodeUnavailable) as caught:
                encrypted(**{setting: str(tmp_path / name) for setting, name in each.items()}).call("erlang", "node")
            causes.append(caught.value.cause)
        assert causes == [Cause.TLS_FAILED] * 3
        trusting = encrypted(**own)
        assert trusting.call("erlang", "node") == node.name
        trusting.close()
        with pytest.raises(NodeUnavailable) as caught:
            client(node).call("erlang", "node")
        assert caught.value.cause in {Cause.REFUSED, Cause.NONSENSE, Cause.UNREACHABLE}


@pytest.mark.parametrize(
    ("name", "flags"),
    [("lens_short", ()), ("lens_six@::1", ("-proto_dist", "inet6_tcp"))],
)
def test_short_names_and_ipv6(tmp_path, name, flags):
    """A node with a short name, and one that only speaks IPv6, are asked as any other."""
    with ErlangNode(tmp_path / "node", name=name, flags=flags) as node:
        address = node.address if "@" in name else replace(node.address, host="127.0.0.1")
        asks = NodeClient(address, lambda: COOKIE)
        assert asks.call("erlang", "node") == node.name
        asks.close()


def test_a_name_of_our_own(node):
    """With a name configured we appear under it, and a second connection under it takes over from the first."""
    address = replace(node.address, own_name="lens@127.0.0.1")
    first, second = NodeClient(address, lambda: COOKIE), NodeClient(address, lambda: COOKIE)
    assert first.call("erlang", "node") == node.name
    assert "lens@127.0.0.1" in hidden(node)
    assert second.call("erlang", "node") == node.name
    assert hidden(node).count("lens@127.0.0.1") == 1
    until(lambda: first._link is not None and first._link.lost)
    first.close()
    second.close()


def test_two_nodes_of_one_epmd(tmp_path):
    """epmd's answer is for the node that was asked for."""
    with Epmd(tmp_path) as epmd, ErlangNode(tmp_path / "a", name="a@127.0.0.1", epmd=epmd) as a:
        with ErlangNode(tmp_path / "b", name="b@127.0.0.1", epmd=epmd) as b:
            asked = [client(each).call("erlang", "node") for each in (a, b)]
        assert asked == ["a@127.0.0.1", "b@127.0.0.1"]
