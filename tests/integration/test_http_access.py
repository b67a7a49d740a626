"""Who may come in, over a real server: tokens and their scopes, users, rate limits, and what is told of all that."""

import socket

import bcrypt
import pytest
import requests
from structlog.testing import capture_logs

from lens_exporter.errors import ConfigError, UnknownDeclaration
from lens_exporter.exposition import documents
from tests.servers.lens_http import guarded, plain_ports
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

ALERTS, READER, ADMIN, OTHER = (letter * 32 for letter in "arbo")
ENVIRONMENT = {"ALERTS": ALERTS, "READER": READER, "ADMIN": ADMIN}
TOKENS = [
    {"name": "alertmanager", "token_env": "ALERTS", "scopes": ["webhook"]},
    {"name": "prometheus", "token_env": "READER", "scopes": ["read"]},
    {"name": "ops", "token_env": "ADMIN", "scopes": ["admin", "read"]},
]
REQUESTS = {
    "webhook": [("POST", "/webhook")],
    "read": [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("HEAD", "/metrics"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/expected"),
        ("GET", "/static/lens.css"),
        ("GET", "/nothing/here"),
        ("OPTIONS", "/webhook"),
    ],
    "admin": [
        ("POST", "/-/reload"),
        ("POST", "/api/v1/watchers/host/trigger"),
        ("DELETE", "/api/v1/expected/01JD"),
        ("POST", "/webhook/"),
        ("PUT", "/-/healthy"),
    ],
}


def ask(url, method, path, token=None, **more):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"data": "{}", "headers": {**headers, "Content-Type": "application/json"}} if method == "POST" else {"headers": headers}
    return requests.request(method, url + path, timeout=5, **{**body, **more})


def raising(error):
    def port(*_arguments):
        raise error

    return port


def closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def problem(answer, status, kind):
    assert answer.status_code == status, answer.text
    said = documents.Problem.model_validate(answer.json()).error
    assert said.type == kind
    return said.message


@pytest.mark.parametrize(("token", "scopes"), [(ALERTS, {"webhook"}), (READER, {"read"}), (ADMIN, {"admin", "read"})])
def test_a_token_does_what_its_scopes_say_and_nothing_else(token, scopes):
    """Each route of each scope, also those that do not exist: allowed is not refused, everything else is 403 and says why."""
    ports = plain_ports(withdraw=raising(UnknownDeclaration(id="01JD")))
    with guarded({"tokens": TOKENS}, ports, environment=ENVIRONMENT) as (url, told, telemetry):
        for scope, routes in REQUESTS.items():
            for method, path in routes:
                answer = ask(url, method, path, token)
                assert (answer.status_code == 403) == (scope not in scopes), (method, path, answer.text)
                if scope not in scopes:
                    said = f'Bearer realm="lens-exporter", error="insufficient_scope", scope="{scope}"'
                    assert answer.headers["WWW-Authenticate"] == said
        denied = told.of("access.denied")
        assert {each["reason"] for each in denied} == {"wrong_scope"}
        assert {each["scope"] for each in denied} == set(REQUESTS) - scopes
        assert telemetry.value("lens_http_refused_total", reason="wrong_scope") == len(denied)


@pytest.mark.parametrize(
    ("shown", "reason", "challenge"),
    [
        (None, "no_credentials", 'Bearer realm="lens-exporter"'),
        (f"Bearer {OTHER}", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
        (f"Bearer {READER}x", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
        ("Bearer ", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
        ("Basic shown-it!", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
        ("Digest shown-it", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
        ("Bearer \xe4\xff", "bad_credentials", 'Bearer realm="lens-exporter", error="invalid_token"'),
    ],
)
def test_who_does_not_show_a_known_token_is_401_told_and_counted(shown, reason, challenge):
    """A missing, a wrong and a garbled one, each with a challenge; the event says from where and what for, and never what was shown."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, told, telemetry):
        answer = requests.get(
            url + "/api/v1/events?q=1", headers={"Authorization": shown.encode("latin-1")} if shown else {}, timeout=5
        )
        problem(answer, 401, reason)
        assert answer.headers["WWW-Authenticate"] == challenge
        (event,) = told.of("access.denied")
        assert {key: event[key] for key in ("reason", "client", "scope", "request", "status", "left_out")} == {
            "reason": reason,
            "client": "127.0.0.1",
            "scope": "read",
            "request": "GET /api/v1/events",
            "status": 401,
            "left_out": 0,
        }
        assert not shown or shown == "Bearer " or shown.split(" ")[1] not in str(event)
        assert telemetry.value("lens_http_refused_total", reason=reason) == 1


def test_probes_are_for_everybody():
    """A kubelet has no token; nothing else is open."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, told, _):
        for path in ("/-/healthy", "/-/ready"):
            assert ask(url, "GET", path).status_code == 200
            assert ask(url, "HEAD", path, OTHER).status_code == 200
        assert told.events == []


def test_only_who_may_read_is_told_why_it_is_not_ready():
    """Reasons name databases and servers: a probe gets the code, a reader the reasons, and guessing at the probe is slowed too."""
    ports = plain_ports(readiness=lambda: (False, ["database postgresql://db/lens: away"]))
    web = {"tokens": TOKENS, "rate_limits": {"failed_logins": 2}}
    with guarded(web, ports, environment=ENVIRONMENT) as (url, told, _):
        for token in (None, ALERTS, OTHER, OTHER, OTHER):
            answer = ask(url, "GET", "/-/ready", token)
            assert "postgresql" not in problem(answer, 503, "not_ready")
        assert "postgresql" not in ask(url, "GET", "/-/ready", READER).text
        assert told.events == []
    with guarded(web, ports, environment=ENVIRONMENT) as (url, _, _telemetry):
        assert "postgresql" in problem(ask(url, "GET", "/-/ready", READER), 503, "not_ready")
    with guarded({}, ports) as (url, _, _telemetry):
        assert "postgresql" in problem(ask(url, "GET", "/-/ready"), 503, "not_ready")


def test_who_may_not_is_answered_before_the_body_is_read():
    """Thirty megabytes are announced and none is sent: the 401 is there."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, _, _telemetry):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(
                b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 31457280\r\n\r\n"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_token_is_replaced_while_both_work(tmp_path):
    """Two tokens of one scope; a file that changes counts with the next request, one that goes away is a token taken back."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("1" * 20 + "\n")
    new.write_text("2" * 20 + "\n")
    tokens = [{"name": path.name, "token_file": str(path), "scopes": ["read"]} for path in (old, new)]
    with guarded({"tokens": tokens}) as (url, told, telemetry):
        assert [ask(url, "GET", "/metrics", letter * 20).status_code for letter in "12"] == [200, 200]
        new.write_text("3" * 20)
        assert [ask(url, "GET", "/metrics", letter * 20).status_code for letter in "123"] == [200, 401, 200]
        assert told.of("web.config_loaded")[-1]["bearers"] == ["old", "new"]
        assert telemetry.value("lens_web_config_last_reload_successful") == 1
        old.unlink()
        assert [ask(url, "GET", "/metrics", letter * 20).status_code for letter in "13"] == [401, 200]
        assert "web.tokens[0].token_file" in told.of("web.config_rejected")[-1]["error"]
        assert telemetry.value("lens_web_config_last_reload_successful") == 0
        new.write_text("short")
        assert ask(url, "GET", "/metrics", "3" * 20).status_code == 401  # nobody's token is no open door
        assert ask(url, "GET", "/metrics", "short").status_code == 401


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"token_file": "gone"}, "cannot read the secret for web.tokens[0].token_file"),
        ({"token_env": "SHORT"}, "it has fewer than 16 characters; openssl rand -hex 32 makes one"),
        ({"token_env": "NONE"}, "it is not set"),
    ],
)
def test_a_token_that_cannot_be_read_is_no_start(token, words, tmp_path):
    """The error names the setting; the token is not in it."""
    if "token_file" in token:
        token = {"token_file": str(tmp_path / "gone")}
    web = {"tokens": [{"name": "x", "scopes": ["read"], **token}]}
    with pytest.raises(ConfigError) as caught, guarded(web, environment={"SHORT": "s3cret"}):
        pass
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.fixture(scope="module")
def users():
    return {name: bcrypt.hashpw(f"{name}'s".encode(), bcrypt.gensalt(4)).decode() for name in ("prometheus", "alice")}


def web_file(folder, users, more=""):
    path = folder / "web.yml"
    path.write_text("basic_auth_users:\n" + "".join(f"  {name}: {hashed}\n" for name, hashed in users.items()) + more)
    return path


def test_users_of_the_web_config_file_do_what_their_scopes_say(tmp_path, users):
    """Once somebody is named under user_scopes, who is not may do nothing; a wrong password and an unknown user are the same 401."""
    users = {**users, "bert": bcrypt.hashpw(b"bert's", bcrypt.gensalt(4)).decode()}
    web = {"config_file": str(web_file(tmp_path, users)), "user_scopes": {"prometheus": ["read"], "alice": ["read", "admin"]}}
    with guarded(web) as (url, told, _):

        def status(method, path, user, password):
            return ask(url, method, path, auth=(user, password)).status_code

        assert status("GET", "/metrics", "prometheus", "prometheus's") == 200
        assert status("POST", "/-/reload", "prometheus", "prometheus's") == 403
        assert status("POST", "/-/reload", "alice", "alice's") == 200
        assert [status(*what, "bert", "bert's") for what in (("GET", "/metrics"), ("POST", "/-/reload"))] == [403, 403]
        for user, password in (("alice", "prometheus's"), ("bob", "alice's"), ("bob", "prometheus's"), ("", ""), ("alice", "")):
            answer = ask(url, "GET", "/metrics", auth=(user, password))
            assert problem(answer, 401, "bad_credentials") == "user or password is wrong"
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="lens-exporter", charset="UTF-8"'
        assert [each["who"] for each in told.of("admin.acted")] == ["alice"]


def test_users_are_read_again_and_a_bad_file_changes_nothing(tmp_path, users):
    """A user added or removed counts with the next request; what is no such file, or would open everything, is refused and told once."""
    path = web_file(tmp_path, {"alice": users["alice"]})
    with guarded({"config_file": str(path)}) as (url, told, telemetry), requests.Session() as session:

        def status(user):  # on one connection, as Prometheus does
            return session.get(url + "/metrics", auth=(user, f"{user}'s"), timeout=5).status_code

        assert [status("alice"), status("prometheus")] == [200, 401]
        web_file(tmp_path, users, "http_server_config:\n  headers: {X-Frame-Options: deny}\n")
        answer = ask(url, "GET", "/metrics", auth=("prometheus", "prometheus's"))
        assert (answer.status_code, answer.headers["X-Frame-Options"]) == (200, "deny")
        assert told.of("web.config_loaded")[-1]["users"] == ["alice", "prometheus"]
        for text, words in (
            ("basic_auth_users:\n  alice: hunter2\n", "web.yml:2: basic_auth_users.alice: must be a bcrypt hash"),
            ("", "has no basic"),
        ):
            path.write_text(text)
            assert [status("alice"), status("prometheus"), status("bob")] == [200, 200, 401]
            assert words in told.of("web.config_rejected")[-1]["error"]
            assert "hunter2" not in str(told.events)
            assert telemetry.value("lens_web_config_last_reload_successful") == 0
        assert len(told.of("web.config_rejected")) == 2
        web_file(tmp_path, {"prometheus": users["prometheus"]})
        assert [status("alice"), status("prometheus")] == [401, 200]
        assert telemetry.value("lens_web_config_last_reload_successful") == 1


def test_a_token_is_taken_back_while_the_web_config_file_is_bad(tmp_path, users):
    """A mistake in one file keeps nobody's token alive, both are told, and users stay as the last good file has them."""
    path, token = web_file(tmp_path, users), tmp_path / "token"
    token.write_text("1" * 20)
    web = {"config_file": str(path), "tokens": [{"name": "stolen", "token_file": str(token), "scopes": ["read"]}]}
    with guarded(web) as (url, told, telemetry):
        assert ask(url, "GET", "/metrics", "1" * 20).status_code == 200
        path.write_text("basic_auth_users: [")
        assert ask(url, "GET", "/metrics", "1" * 20).status_code == 200
        token.write_text("2" * 20)
        assert [ask(url, "GET", "/metrics", letter * 20).status_code for letter in "12"] == [401, 200]
        assert told.of("web.config_loaded")[-1]["bearers"] == ["stolen"]
        token.unlink()
        assert ask(url, "GET", "/metrics", "2" * 20).status_code == 401
        assert ask(url, "GET", "/metrics", auth=("alice", "alice's")).status_code == 200
        errors = [each["error"] for each in told.of("web.config_rejected")]
        assert "web.yml" in errors[-2]
        assert "nobody can show this token" in errors[-1]
        assert telemetry.value("lens_web_config_last_reload_successful") == 0


def test_a_password_is_hashed_once(tmp_path):
    """bcrypt of a usual cost takes tenths of a second; fifty requests with a known password take less than ten of those."""
    hashed = bcrypt.hashpw(b"alice's", bcrypt.gensalt(11)).decode()
    with (
        guarded({"config_file": str(web_file(tmp_path, {"alice": hashed}))}) as (url, _, _telemetry),
        requests.Session() as session,
    ):
        session.auth = ("alice", "alice's")
        answers = [session.get(url + "/metrics", timeout=30) for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    took = [answer.elapsed.total_seconds() for answer in answers]
    assert sum(took[1:]) < 10 * took[0]


def test_guessing_is_slowed_and_nobody_else_is(tmp_path, users):
    """After so many wrong passwords an address gets 429 with Retry-After, the right one included; what worked before goes on working."""
    web = {"config_file": str(web_file(tmp_path, users)), "tokens": TOKENS, "rate_limits": {"failed_logins": 3}}
    with guarded(web, environment=ENVIRONMENT) as (url, told, telemetry):
        assert ask(url, "GET", "/metrics", READER).status_code == 200
        assert [ask(url, "GET", "/metrics", OTHER).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        answer = ask(url, "GET", "/metrics", auth=("alice", "alice's"))
        problem(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
        assert ask(url, "POST", "/-/reload", ADMIN).status_code == 429
        assert ask(url, "GET", "/metrics", READER).status_code == 200
        assert problem(ask(url, "GET", "/metrics"), 401, "no_credentials")
        assert telemetry.value("lens_http_refused_total", reason="rate_limited") == 4
        assert [each["status"] for each in told.of("access.denied")] == [401, 401, 401, 429, 429, 429, 429, 401]


def test_a_rotation_keeps_who_is_still_right_from_waiting_with_a_guesser(tmp_path, users):
    """Rules are read anew while somebody guesses at the scraper's address: token and user that did not change go on, what did not."""
    path, token = web_file(tmp_path, users), tmp_path / "token"
    token.write_text("1" * 20)
    rotated = {"name": "rotated", "token_file": str(token), "scopes": ["read"]}
    web = {"config_file": str(path), "tokens": [*TOKENS, rotated], "rate_limits": {"failed_logins": 3}}
    with guarded(web, environment=ENVIRONMENT) as (url, _, _telemetry):

        def statuses():
            shown = [ask(url, "GET", "/metrics", each).status_code for each in (READER, "1" * 20)]
            return shown + [ask(url, "GET", "/metrics", auth=(who, f"{who}'s")).status_code for who in ("alice", "prometheus")]

        assert statuses() == [200] * 4
        assert [ask(url, "GET", "/metrics", OTHER).status_code for _ in range(4)] == [401, 401, 401, 429]
        token.write_text("2" * 20)
        web_file(tmp_path, {"alice": users["alice"], "prometheus": bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()})
        assert statuses() == [200, 429, 200, 429]


def test_one_way_to_write_a_credential_is_as_good_as_another():
    """Blanks and capitals make no second credential: who shows one in 1,500 ways puts nobody out of what is remembered."""
    with (
        guarded({"tokens": TOKENS, "rate_limits": {"failed_logins": 1}}, environment=ENVIRONMENT) as (url, _, _telemetry),
        requests.Session() as session,
    ):
        session.headers["Authorization"] = f"Bearer {READER}"
        assert session.get(url + "/metrics", timeout=5).status_code == 200
        for blanks in range(1, 1501):
            written = f"{'Bearer' if blanks % 2 else 'bEARER'}{' ' * blanks}{ADMIN}"
            assert session.get(url + "/-/healthy", headers={"Authorization": written}, timeout=5).status_code == 200
        assert ask(url, "GET", "/metrics", OTHER).status_code == 401
        assert ask(url, "GET", "/metrics", OTHER).status_code == 429
        assert session.get(url + "/metrics", timeout=5).status_code == 200


def test_webhooks_and_acts_have_a_limit_each():
    """More in a minute than allowed are 429 with Retry-After, and reach nobody; reading goes on."""
    taken = []
    ports = plain_ports(webhook=lambda body: taken.append(body) or {"outcome": "accepted"})
    with guarded({"rate_limits": {"webhook": 3, "admin": 2}}, ports) as (url, told, _):
        assert [ask(url, "POST", "/webhook").status_code for _ in range(4)] == [200, 200, 200, 429]
        answers = [ask(url, "POST", "/-/reload") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "more than 2 requests" in problem(answers[-1], 429, "rate_limited")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 30
        assert ask(url, "GET", "/metrics").status_code == 200
        assert len(taken) == 3
        assert [each["request"] for each in told.of("admin.acted")] == ["POST /-/reload"] * 2
        assert [each["request"] for each in told.of("access.denied")] == ["POST /webhook", "POST /-/reload"]


def test_a_flood_of_refusals_is_counted_and_not_stored():
    """Every one is in the counter; the events stay below one a second and say how many they left out."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, told, telemetry), requests.Session() as session:
        for _ in range(200):
            assert session.get(url + "/metrics", timeout=5).status_code == 401
        assert telemetry.value("lens_http_refused_total", reason="no_credentials") == 200
        assert 60 <= len(told.of("access.denied")) < 100


def test_a_flood_hides_no_stolen_token():
    """Strangers without credentials and another's guesses use up what is told of them; each known token's refusals are told apart."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, told, _), requests.Session() as session:
        for _ in range(100):
            assert session.get(url + "/metrics", timeout=5).status_code == 401
            assert session.get(url + "/metrics", headers={"Authorization": f"Bearer {ALERTS}"}, timeout=5).status_code == 403
        assert ask(url, "POST", "/-/reload", READER).status_code == 403
        assert ask(url, "GET", "/metrics", OTHER).status_code == 401
        (stolen,) = [each for each in told.of("access.denied") if each["who"] == "prometheus"]
        (guess,) = [each for each in told.of("access.denied") if each["reason"] == "bad_credentials"]
        assert (stolen["reason"], stolen["left_out"], guess["left_out"]) == ("wrong_scope", 0, 0)


def test_a_request_from_a_page_of_another_site_is_counted_and_told():
    """Somebody's browser was made to try: from where, what, and the answer."""
    with guarded({"tokens": TOKENS}, environment=ENVIRONMENT) as (url, told, telemetry):
        answer = requests.post(url + "/-/reload", headers={"Origin": "http://evil.example"}, timeout=5)
        assert answer.status_code == 403
        (event,) = told.of("access.denied")
        assert [event[key] for key in ("reason", "client", "request", "status")] == [
            "cross_site",
            "127.0.0.1",
            "POST /-/reload",
            403,
        ]
        assert telemetry.value("lens_http_refused_total", reason="cross_site") == 1


def test_acts_are_told_with_who_and_what_came_of_them():
    """The name of the token, the address, the request and the answer; one that fails too. Whoever may not is in the other event."""
    made = []
    ports = plain_ports(declare=lambda *said: made.append(said[-1]) or 1 / 0, watchers=list)
    with capture_logs(), guarded({"tokens": TOKENS}, ports, environment=ENVIRONMENT) as (url, told, _):
        ask(url, "POST", "/-/reload", ADMIN)
        wish = '{"watcher": "host", "labels": {}, "from": 1, "to": 2}'
        assert ask(url, "POST", "/api/v1/expected", ADMIN, data=wish).status_code == 500
        assert ask(url, "POST", "/api/v1/expected", ADMIN, data="{}").status_code == 400
        assert ask(url, "POST", "/-/reload", READER).status_code == 403
        acts = told.of("admin.acted")
    assert [(act["who"], act["client"], act["request"], act["status"]) for act in acts] == [
        ("ops", "127.0.0.1", "POST /-/reload", 200),
        ("ops", "127.0.0.1", "POST /api/v1/expected", 500),
        ("ops", "127.0.0.1", "POST /api/v1/expected", 400),
    ]
    assert made == ["ops from 127.0.0.1"]


@pytest.mark.parametrize("address", ["0.0.0.0:10077", ":10077", "[::]:10077", "10.1.2.3:1", "lens.example:10077"])
def test_nobody_listens_open_to_other_machines_unasked(address):
    """Without any authentication the error says what to do; with a token, or where it is said, it is allowed."""
    with pytest.raises(ConfigError) as caught, guarded({"listen_address": address}):
        pass
    said = str(caught.value)
    assert said.startswith(f"web.listen_address: {address} can be reached from other machines")
    for way in ("web.tokens", "--web.config.file", "127.0.0.1", "--web.allow-unauthenticated"):
        assert way in said
    for allowed in ({"allow_unauthenticated": True}, {"tokens": TOKENS}):
        with guarded({"listen_address": address, **allowed}, environment=ENVIRONMENT) as (url, _, _telemetry):
            assert ask(url, "GET", "/-/healthy").status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1"])
def test_loopback_needs_no_authentication(address):
    """Only this machine reaches it."""
    with guarded({"listen_address": address}) as (url, _, _telemetry):
        assert ask(url, "GET", "/metrics").status_code == 200


def test_one_client_does_not_take_all_connections():
    """Idle connections of one address leave room for every other; those that are too many are closed, counted and told."""
    with guarded({}) as (url, told, telemetry):
        host, port = url.removeprefix("http://").split(":")

        def connect(source):
            return socket.create_connection((host, int(port)), timeout=5, source_address=(source, 0))

        idle = [connect("127.0.0.1") for _ in range(256)]
        with connect("127.0.0.1") as one_more:
            assert closed(one_more)
        until(lambda: told.of("access.denied"), 5)
        (event,) = told.of("access.denied")
        assert (event["reason"], event["client"]) == ("too_many_connections", "127.0.0.1")
        assert telemetry.value("lens_http_refused_total", reason="too_many_connections") == 1
        for source in ("127.0.0.2", "127.0.0.1"):
            with connect(source) as other:
                other.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
                assert other.recv(12) == b"HTTP/1.1 200"
            for each in idle:  # room for the next round
                each.close()
