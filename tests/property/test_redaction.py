import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lens_exporter.llm.redaction import Redactor
from lens_exporter.model.secret import REVEALING_NAME

_REDACTOR = Redactor()
_TEXT = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\:=@/-. \n{}[]passwordtokensecretBEGIN")), max_size=200
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)
_ALNUM = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=24, max_size=60)


@given(_TEXT)
def test_cleaning_twice_changes_nothing_more(text):
    """Placeholders are stable: a cleaned text is clean."""
    once = _REDACTOR.text(text)
    assert _REDACTOR.text(once) == once


@given(_JSON)
def test_never_raises(value):
    """Any value is answered, and the answer can be encoded."""
    str(_REDACTOR.clean(value)).encode("utf-8")


@given(st.text(alphabet=st.characters()))
def test_any_text_can_leave(text):
    """Lone surrogates included, what comes out is valid UTF-8."""
    _REDACTOR.text(text).encode("utf-8")


@pytest.mark.parametrize(
    "words",
    [
        "password={}",
        "token: {}",
        '{{"api_key": "{}"}}',
        "Authorization: Bearer {}",
        "http://user:{}@host/x",
        "ghp_{}",
        "xoxb-{}",
        "--secret {}",
    ],
)
@given(secret=_ALNUM, before=_TEXT, after=_TEXT)
def test_a_secret_in_its_context_is_found_in_any_surroundings(words, secret, before, after):
    """Whatever stands on the lines around it, a secret does not pass."""
    assume(secret not in before + after)
    cleaned = _REDACTOR.text(f"{before}\n {words.format(secret)} \n{after}")
    assert secret not in cleaned


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_ 0123456789.", max_size=100))
def test_plain_words_stay(text):
    """Text without a separator of any kind holds no secret and is not touched."""
    if not any(word in text for word in ("bearer", "basic")):
        assert _REDACTOR.text(text) == text


def test_names_are_one_expression():
    """The list of revealing names has no group, which would shift the group of the pattern it stands in."""
    assert "((" not in REVEALING_NAME
    assert all(part.startswith(("?:", "?-i:")) for part in REVEALING_NAME.split("(")[1:])
