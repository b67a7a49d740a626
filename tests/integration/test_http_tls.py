"""TLS in front of every route: certificates, client certificates, their change, and how refusals are told."""

import asyncio
import shutil
import socket
import ssl
import subprocess

import bcrypt
import pytest
import requests
import yaml

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.web import Web
from lens_exporter.errors import ConfigError, ServerMissing
from lens_exporter.exposition.access import Access
from lens_exporter.exposition.app import auditing
from lens_exporter.exposition.doorstep import Doorsteps
from lens_exporter.foundation.telemetry import Telemetry
from tests.servers.certificates import Authority
from tests.servers.lens_http import Recorded, guarded, plain_ports
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("server")


@pytest.fixture(scope="module")
def client(authority):
    return authority.sign("prometheus", names="DNS:prometheus.example")


def web(folder, server, *, tls=(), **sections):
    """Write a web config file and give the settings that name it."""
    section = {"cert_file": str(server.cert), "key_file": str(server.key), **dict(tls)}
    (folder / "web.yml").write_text(yaml.safe_dump({"tls_server_config": section, **sections}))
    return {"config_file": str(folder / "web.yml")}


def asks(authority, kind="RequireAndVerifyClientCert", **more):
    return {"client_auth_type": kind, "client_ca_file": str(authority.cert), **more}


def get(url, authority, pair=None, path="/metrics"):
    return requests.get(url + path, verify=str(authority.cert), cert=pair and (str(pair.cert), str(pair.key)), timeout=5)


def gone(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_every_route_speaks_tls_and_plain_http_is_no_answer(tmp_path, authority, server):
    """The certificate is the configured one; who does not speak TLS gets nothing and is told of."""
    with guarded(web(tmp_path, server)) as (url, told, _):
        assert url.startswith("https")
        answer = get(url, authority, path="/")
        assert answer.status_code == 200
        assert requests.get(url + "/-/healthy", verify=str(authority.cert), timeout=5).status_code == 200
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            requests.get(url, timeout=5)
        with pytest.raises(requests.ConnectionError):
            requests.get(url.replace("https", "http"), timeout=5)
        until(lambda: any("http request" in each["error"] for each in told.of("access.denied")), 5)


def test_a_client_certificate_is_asked_for_and_says_who_it_is(tmp_path, authority, server, client):
    """With a certificate of the authority everything works, under its name; without one nothing does."""
    with guarded({**web(tmp_path, server, tls=asks(authority)), "user_scopes": {"prometheus": ["read"]}}) as (url, told, _):
        assert get(url, authority, client).status_code == 200
        cert = (str(client.cert), str(client.key))
        assert requests.post(url + "/-/reload", verify=str(authority.cert), cert=cert, timeout=5).status_code == 403
        with pytest.raises(requests.exceptions.SSLError, match=r"(?i)certificate required"):
            get(url, authority)
        assert [each["who"] for each in told.of("access.denied")][:1] == ["prometheus"]


@pytest.mark.parametrize("who", ["expired", "stranger"])
def test_a_bad_certificate_is_refused_in_words_on_both_sides(who, tmp_path, authority, server):
    """The client gets a TLS alert that says why, the event has the reason and from where, and the counter counts."""
    if who == "expired":
        pair, alert, reason = authority.sign("expired", days=-1), "(?i)certificate expired", "certificate has expired"
    else:
        pair = Authority(tmp_path, "other").sign("stranger")
        alert, reason = "(?i)unknown ca", "unable to get local issuer certificate"
    with guarded(web(tmp_path, server, tls=asks(authority))) as (url, told, telemetry):
        with pytest.raises(requests.exceptions.SSLError, match=alert):
            get(url, authority, pair)
        until(lambda: told.of("access.denied"), 5)
        (event,) = told.of("access.denied")
        assert (event["reason"], event["client"], event["status"]) == ("certificate", "127.0.0.1", 0)
        assert event["error"] == f"the client's certificate was refused: {reason}"
        assert telemetry.value("lens_http_refused_total", reason="certificate") == 1


def test_only_certificates_with_an_allowed_name_come_in(tmp_path, authority, server, client):
    """client_allowed_sans: another one that the authority signed is 403 and told."""
    other = authority.sign("other", names="DNS:other.example")
    with guarded(web(tmp_path, server, tls=asks(authority, client_allowed_sans=["prometheus.example"]))) as (url, told, _):
        assert get(url, authority, client).status_code == 200
        answer = get(url, authority, other)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "certificate")
        assert [each["reason"] for each in told.of("access.denied")] == ["certificate"]


def test_a_certificate_if_given_is_checked_and_none_is_needed(tmp_path, authority, server, client):
    """VerifyClientCertIfGiven: it is no authentication by itself, a bad one is refused all the same."""
    users = {"alice": bcrypt.hashpw(b"pw", bcrypt.gensalt(4)).decode()}
    settings = web(tmp_path, server, tls=asks(authority, "VerifyClientCertIfGiven"), basic_auth_users=users)
    with guarded(settings) as (url, _, _telemetry):
        assert get(url, authority).status_code == 401
        assert get(url, authority, client).status_code == 401
        answer = requests.get(url + "/metrics", auth=("alice", "pw"), verify=str(authority.cert), timeout=5)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            get(url, authority, Authority(tmp_path, "other").sign("stranger"))


def test_a_new_certificate_and_a_new_authority_count_at_once(tmp_path, authority, server, client):
    """The next connection sees them, without a restart; half of a pair is refused and the last good one stays."""
    other = Authority(tmp_path / "other", "other")
    fresh, guest = other.sign("fresh"), other.sign("guest")
    with guarded(web(tmp_path, server)) as (url, told, telemetry):
        assert get(url, authority).status_code == 200
        web(tmp_path, fresh)
        assert get(url, other).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            get(url, authority)
        web(tmp_path, server._replace(key=fresh.key))
        assert get(url, other).status_code == 200
        assert "does not belong to key_file" in told.of("web.config_rejected")[-1]["error"]
        assert telemetry.value("lens_web_config_last_reload_successful") == 0
        (tmp_path / "web.yml").write_text("")
        assert get(url, other).status_code == 200
        assert "has no tls_server_config any more" in told.of("web.config_rejected")[-1]["error"]
        web(tmp_path, fresh, tls=asks(other))
        assert get(url, other, guest).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            get(url, other)
        assert telemetry.value("lens_web_config_last_reload_successful") == 1
        assert told.of("web.config_loaded")[-1]["tls"] is True


def test_a_file_that_would_let_more_clients_in_is_refused_while_serving(tmp_path, authority, server, client):
    """Half a file may lack the names, the authority or the version it had: each of them stays, and the event says which."""
    full = asks(authority, client_allowed_sans=["prometheus.example"], min_version="TLS13")
    other = authority.sign("other", names="DNS:other.example")
    with guarded(web(tmp_path, server, tls=full)) as (url, told, _):
        for part, words in (
            (asks(authority, min_version="TLS13"), "has no client_allowed_sans any more"),
            ({**full, "min_version": "TLS12"}, "has no min_version as high as TLSv1_3 any more"),
            (asks(authority, "VerifyClientCertIfGiven", min_version="TLS13"), "no client certificates and no client_allowed_sans"),
        ):
            web(tmp_path, server, tls=part)
            assert get(url, authority, other).status_code == 403
            assert get(url, authority, client).status_code == 200
            assert words in told.of("web.config_rejected")[-1]["error"]
        with_more = {**full, "client_allowed_sans": ["prometheus.example", "other.example"]}
        web(tmp_path, server, tls=with_more)
        assert get(url, authority, other).status_code == 200
    optional = asks(authority, "VerifyClientCertIfGiven")
    with guarded(web(tmp_path, server, tls=optional)) as (url, told, _):
        web(tmp_path, server)
        with pytest.raises(requests.exceptions.SSLError):
            get(url, authority, Authority(tmp_path / "s", "other").sign("stranger"))
        assert "has no client_ca_file any more" in told.of("web.config_rejected")[-1]["error"]


@pytest.mark.parametrize(
    "text",
    [
        'tls_server_config: {cert_file: "a\\0b", key_file: "k"}',
        "basic_auth_users: {alice: $2y$99$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}",
        "basic_auth_users: {alice: $2y$17$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}",
        "basic_auth_users: {alice: $2y$04$X0h1gDsPszWURQaxFh.zozbFi6DXncSjhoQNJgRrnGs7EsimhC7zG}",
        "&a [*a, " * 2000,
    ],
    ids=["zero byte", "cost 99", "cost 17", "no salt", "deep"],
)
def test_whatever_is_in_the_file_the_last_good_one_serves(text, tmp_path, authority, server):
    """No content ends serving: what libraries fail on in ways of their own is refused as any mistake."""
    users = {"alice": bcrypt.hashpw(b"pw", bcrypt.gensalt(4)).decode()}
    with guarded(web(tmp_path, server, basic_auth_users=users)) as (url, told, _):
        if text.startswith("basic"):
            web(tmp_path, server)
            text = (tmp_path / "web.yml").read_text() + text
        (tmp_path / "web.yml").write_text(text)
        for password, status in (("pw", 200), ("pw", 200), ("wrong", 401)):
            answer = requests.get(url + "/metrics", auth=("alice", password), verify=str(authority.cert), timeout=5)
            assert answer.status_code == status
        assert len(told.of("web.config_rejected")) == 1


def test_a_failure_of_our_own_ends_the_connection(tmp_path, authority, server):
    """An event store that fails while the rules are read anew costs that one client an error, and no hanging."""
    with guarded(web(tmp_path, server)) as (url, told, _):
        told.events = None  # what append falls over
        web(tmp_path, server, http_server_config={"http2": False})
        with pytest.raises(requests.ConnectionError):
            get(url, authority)
        told.events = []
        assert get(url, authority).status_code == 200


def test_a_certificate_renewed_in_place_counts_too(tmp_path, authority):
    """cert-manager and certbot write the same files anew; the web config file stays as it is."""
    old, new = authority.sign("old"), authority.sign("new")
    pair = old._replace(cert=tmp_path / "tls.crt", key=tmp_path / "tls.key")

    def shown(url):
        host, port = url.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(authority.cert))
        with socket.create_connection((host, int(port)), timeout=5) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
            return dict(part[0] for part in tls.getpeercert()["subject"])["commonName"]

    def put(source):
        pair.key.write_bytes(source.key.read_bytes())
        pair.cert.write_bytes(source.cert.read_bytes())

    put(old)
    with guarded(web(tmp_path, pair)) as (url, _, _telemetry):
        assert shown(url) == "old"
        put(new)
        assert shown(url) == "new"


def test_versions_and_suites_are_honoured(tmp_path, authority, server):
    """A client that can only do what is not allowed does not come in."""
    settings = web(tmp_path, server, tls={"min_version": "TLS13"})
    old = ssl.create_default_context(cafile=str(authority.cert))
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    def spoken(url):
        host, port = url.removeprefix("https://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as raw, old.wrap_socket(raw, server_hostname=host) as tls:
            return tls.cipher()[0]

    with guarded(settings) as (url, _, _telemetry), pytest.raises(ssl.SSLError):
        spoken(url)
    suite = {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], "curve_preferences": ["CurveP384"]}
    with guarded(web(tmp_path, server, tls=suite)) as (url, _, _telemetry):
        assert spoken(url) == "ECDHE-ECDSA-AES256-GCM-SHA384"
        old.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError):
            spoken(url)


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"client_auth_type": "RequireAnyClientCert"}, "takes certificates that nobody checks"),
        ({"client_auth_type": "RequireAndVerifyClientCert"}, "RequireAndVerifyClientCert needs client_ca_file"),
        ({"client_ca_file": "x"}, "client_ca_file: needs a client_auth_type"),
        ({"min_version": "TLS10"}, "TLS10 is broken"),
        ({"min_version": "TLS13", "max_version": "TLS12"}, "expected min_version <= max_version"),
        ({"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}, "TLS_RSA_WITH_RC4_128_SHA is not spoken here; known: TLS_ECDHE"),
        ({"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}, "set min_version: TLS13"),
        ({"curve_preferences": ["CurveP256", "X25519"]}, "one of CurveP256, CurveP384, CurveP521, X25519 can be honoured"),
        ({"cert_file": "/nowhere/a.pem"}, "tls_server_config.cert_file: /nowhere/a.pem: No such file or directory"),
        ({"cert_file": "web.yml"}, "one of both is not PEM"),
        ({"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "web.yml"}, "it holds no certificate in PEM"),
        ({"key_file": "locked.key"}, "it is encrypted; give one without a passphrase"),
        ({"certfile": "x"}, "certfile: unknown key; did you mean"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_no_start_and_says_why(tls, words, tmp_path, server):
    """Names the file and the setting; nothing is silently left out."""
    locked = ["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", str(server.key), "-out", str(tmp_path / "locked.key")]
    subprocess.run(locked, check=True, capture_output=True)
    with pytest.raises(ConfigError) as caught, guarded(web(tmp_path, server, tls=tls)):
        pass
    assert words in str(caught.value)
    assert str(tmp_path / "web.yml") in str(caught.value)


def test_promtool_takes_the_same_file(tmp_path, authority, server):
    """The file with everything we honour in it is a web config file to Prometheus' own tool, and serves here."""
    with skip_or_fail():
        if shutil.which("promtool") is None:
            raise ServerMissing(program="promtool", package="prometheus")
    everything = {
        **asks(authority),
        "min_version": "TLS12",
        "max_version": "TLS13",
        "prefer_server_cipher_suites": True,
        "cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
        "curve_preferences": ["CurveP256"],
    }
    headers = {
        "Content-Security-Policy": "default-src 'self'",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "deny",
        "X-XSS-Protection": "1",
    }
    users = {"alice": bcrypt.hashpw(b"pw", bcrypt.gensalt(10)).decode()}
    http = {"http2": False, "headers": headers}
    settings = web(tmp_path, server, tls=everything, http_server_config=http, basic_auth_users=users)
    checked = subprocess.run(
        ["promtool", "check", "web-config", settings["config_file"]], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    pair = authority.sign("someone")
    with guarded(settings) as (url, _, _telemetry):
        cert = (str(pair.cert), str(pair.key))
        answer = requests.get(url + "/metrics", auth=("alice", "pw"), verify=str(authority.cert), cert=cert, timeout=5)
    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in headers} == headers


def test_a_handshake_that_does_not_come_holds_nobody_up(tmp_path, authority, server):
    """Half-open connections stand beside the door; the next one comes in at once."""
    with guarded(web(tmp_path, server)) as (url, _, _telemetry):
        host, port = url.removeprefix("https://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(20)]
        assert get(url, authority).elapsed.total_seconds() < 2
        for each in silent:
            each.close()


def test_more_handshakes_than_there_is_room_for_drop_the_oldest(tmp_path, authority, server):
    """Who fills all places with silence loses the first of them to whoever comes next."""
    with guarded(web(tmp_path, server)) as (url, _, _telemetry):
        host, port = url.removeprefix("https://").split(":")
        silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(120)]  # there is room for 100
        assert get(url, authority).status_code == 200
        assert gone(silent[0])
        for each in silent:
            each.close()


def test_handshakes_that_come_in_one_turn_of_the_loop_make_room_too(tmp_path, authority, server):
    """Who is dropped before its handshake has had its first step is dropped all the same."""
    access = Access(Web.model_validate(web(tmp_path, server)), Secrets({}), Telemetry(), Recorded().append)

    async def crowd():
        doorsteps = Doorsteps(access, auditing(plain_ports()), most=10)
        door = await asyncio.get_running_loop().create_server(lambda: doorsteps.step(None), "127.0.0.1", 0)
        address = door.sockets[0].getsockname()
        # The kernel takes them all; the loop, which this holds up, finds them together.
        silent = [socket.create_connection(address, timeout=5) for _ in range(30)]
        try:
            return [await asyncio.to_thread(gone, each) for each in silent[:20]]
        finally:
            doorsteps.close()
            door.close()
            for each in silent:
                each.close()

    assert asyncio.run(crowd()) == [True] * 20


def test_a_handshake_that_has_just_ended_is_not_dropped_for_the_next(tmp_path, authority, server):
    """Its task is still on the list in the turn of the loop in which the next connection comes."""
    access = Access(Web.model_validate(web(tmp_path, server)), Secrets({}), Telemetry(), Recorded().append)

    class Comes(asyncio.Protocol):
        def __init__(self, then=lambda: None):
            self.transport = asyncio.get_running_loop().create_future()
            self._then = then

        def connection_made(self, transport):
            self.transport.set_result(transport)
            self._then()

    async def one_and_the_next():
        loop = asyncio.get_running_loop()
        doorsteps = Doorsteps(access, auditing(plain_ports()), most=1)
        following = Comes()
        elsewhere = await loop.create_server(lambda: following, "127.0.0.1", 0)
        silent = socket.create_connection(elsewhere.sockets[0].getsockname(), timeout=5)
        transport = await following.transport
        # Made in the turn in which the first one's handshake ends, and there is room for one.
        served = Comes(lambda: loop.call_soon(doorsteps.step(None).connection_made, transport))
        door = await loop.create_server(lambda: doorsteps.step(lambda _known: served), "127.0.0.1", 0)
        context = ssl.create_default_context(cafile=str(authority.cert))
        _, writer = await asyncio.open_connection(*door.sockets[0].getsockname(), ssl=context, server_hostname="localhost")
        first = await served.transport
        for _ in range(3):
            await asyncio.sleep(0)
        dropped = first.is_closing()
        doorsteps.close()
        writer.close()
        silent.close()
        for each in (door, elsewhere):
            each.close()
        return dropped

    assert asyncio.run(one_and_the_next()) is False
