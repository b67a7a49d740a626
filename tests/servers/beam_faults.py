"""Faults to be made on a node, as Erlang expressions. Each leaves registered processes that have it; end(name) ends one."""


def _named(name: str, body: str) -> str:
    return f"register({name}, spawn(fun() -> {body} end))"


def end(name: str) -> str:
    """Write what ends a process, and waits until it is gone with all that was its own."""
    return (
        f"case whereis({name}) of undefined -> gone; P -> R = monitor(process, P), exit(P, kill), "
        "receive {'DOWN', R, _, _, _} -> gone end end"
    )


MAILBOX = ", ".join(
    [
        _named("slow_consumer", "receive never_sent -> ok end"),
        _named(
            "producer", "S = fun S(N) -> slow_consumer ! {order, N}, (N rem 10 =:= 0) andalso timer:sleep(10), S(N + 1) end, S(1)"
        ),
    ]
)
SPIN = _named("spinner", "S = fun S(N) -> S(N + 1) end, S(0)")
# Ten binaries of 64 KiB each tenth of a second.
BINARIES = (
    "P = self(), "
    + _named(
        "frame_cache",
        "S = fun S(Kept) -> timer:sleep(100), S([binary:copy(<<0>>, 65536) || _ <- lists:seq(1, 10)] ++ Kept) end, "
        "First = [binary:copy(<<1>>, 65536) || _ <- lists:seq(1, 300)], P ! kept, S(First)",
    )
    + ", receive kept -> ok end"
)
ATOMS = _named(
    "json_parser",
    'S = fun S(N) -> _ = binary_to_atom(<<"key_", (integer_to_binary(N))/binary>>), timer:sleep(3), S(N + 1) end, S(1)',
)
TABLE = _named(
    "cart_store",
    "ets:new(carts, [named_table, public]), "
    "S = fun S(N) -> ets:insert(carts, {N, lists:seq(1, 100)}), (N rem 20 =:= 0) andalso timer:sleep(10), S(N + 1) end, S(1)",
)
PORTS = (
    "P = self(), "
    + _named(
        "sensor_poller",
        "[{ok, _} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]) || _ <- lists:seq(1, 900)], P ! opened, receive stop -> ok end",
    )
    + ", receive opened -> ok end"
)
# It sends to a socket that nobody reads.
STUCK = (
    "P = self(), "
    + _named(
        "uploader",
        "{ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}, {recbuf, 4096}]), {ok, Port} = inet:port(L), "
        "{ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [{sndbuf, 4096}, {high_watermark, 16777216}, {send_timeout, 1000}]), "
        "{ok, _} = gen_tcp:accept(L), ok = gen_tcp:send(C, binary:copy(<<0>>, 8388608)), P ! sent, receive stop -> ok end",
    )
    + ", receive sent -> ok end"
)
CROWD = (
    "P = self(), "
    + _named("crowd", "[spawn_link(timer, sleep, [infinity]) || _ <- lists:seq(1, 500)], P ! spawned, receive stop -> ok end")
    + ", receive spawned -> ok end"
)
# A child of a supervisor of OTP's that restarts children four times an hour; it is killed twice while one looks.
RESTARTS = (
    "{ok, C} = supervisor:start_child(kernel_safe_sup, {crasher, {gen_event, start_link, [{local, crasher}]}, permanent, 10, worker, "
    "[gen_event]}), spawn(fun() -> timer:sleep(1500), exit(C, kill), timer:sleep(1000), exit(whereis(crasher), kill) end), ok"
)
TIMED = (
    "P = self(), "
    + _named("timekeeper", "erlang:system_flag(scheduler_wall_time, true), P ! timed, receive stop -> ok end")
    + ", receive timed -> ok end"
)
