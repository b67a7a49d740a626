"""What a server was sent is taken out of what it says, however it writes it."""

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from lens_exporter.foundation.credentials import sent_secrets, without

SECRET = "pa\"ss/w&o<r>d' +=\\ü1"
WRITTEN = {
    "plain": SECRET,
    "JSON": json.dumps(SECRET),
    "JSON as it is": json.dumps(SECRET, ensure_ascii=False),
    "JSON of PHP": json.dumps(SECRET).replace("/", "\\/"),
    "JSON of Go": json.dumps(SECRET).replace("&", "\\u0026").replace("<", "\\u003C").replace(">", "\\u003e"),
    "HTML": html.escape(SECRET),
    "HTML by numbers": "".join(f"&#{ord(char)};" for char in SECRET),
    "HTML by hexadecimal numbers": "".join(f"&#x{ord(char):04X};" for char in SECRET),
    "HTML by names": SECRET.replace("&", "&amp;").replace("/", "&sol;").replace("'", "&apos;").replace("ü", "&uuml;"),
    "address": quote(SECRET),
    "address, each": "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "form": quote_plus(SECRET),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_secret_is_hidden_however_it_is_written(form):
    """As JSON, HTML and addresses have it, with more escaped than needs be or less; what stands around it stays."""
    for headers in ({"X-Api-Key": SECRET}, {"Authorization": f"Bearer {SECRET}".encode()}):
        said = without(f"refused [{WRITTEN[form]}] 403".encode(), sent_secrets(headers)).decode()
        assert said.replace('"', "") == "refused [<hidden>] 403"


def test_what_is_no_secret_stays():
    """Only what was sent is hidden; a short value would be found in innocent text."""
    assert without(b"a path/of%20ours &amp; short", sent_secrets({"X-A": "short", "X-B": "path/of ours!"})) == (
        b"a path/of%20ours &amp; short"
    )
