"""Which labels say that what a series counts has failed. Pure."""

import re
from collections.abc import Iterable, Mapping

from lens_exporter.investigate.selectors import selectors
from lens_exporter.model.matcher import Matcher

_CODE = re.compile(r"(http_|response_)*(code|status|status_code|status_class)")
_GRPC = re.compile(r"(rpc_)?grpc_(code|status|status_code)|rpc_response_status_code")
_WORDED = re.compile(r"status|status_code|code|result|outcome")
_ERROR = re.compile(r"err|error|error_type|error_code|exception")
_FAILED_CODE = re.compile(r"[45](\d\d|xx)")
_FAILED_WORD = re.compile(
    r"err(or(s|ed)?)?|fail(s|ed|ing|ures?)?|fault(s|ed|y)?|exceptions?|timeouts?|reject(s|ed|ion|ions)?|refus(ed?|al)"
    r"|denied|drop(s|ped)?|abort(s|ed)?|unavailable|invalid"
)
_NOT, _NEVER = frozenset({"no", "not", "non", "without"}), frozenset({"none", "free"})  # before a word, and after it
_NONE = frozenset({"", "none", "null", "nil", "false", "no", "0", "ok", "success", "no_error", "noerror", "error_none"})
_PLAIN = re.compile(r"[\w -]+(\|[\w -]+)*")
# What an expression is tried with: codes where it has digits, else words. Bad ones, then those that went well.
_CODES = (*map(str, range(400, 600)), "4xx", "5xx", "4XX", "5XX"), (*map(str, range(200, 400)), "2xx", "3xx", "2XX", "3XX")
_GRPC_CODES = tuple(map(str, range(1, 17))), ("0",)
_SAID = (
    "error",
    "server_error",
    "failed",
    "failure",
    "timeout",
    "rejected",
    "refused",
    "denied",
    "dropped",
    "aborted",
    "unavailable",
)
_WORDS = tuple(tuple(form(word) for word in words for form in (str, str.upper, str.title)) for words in (_SAID, ("ok", "success")))
# What nearly all that goes well says. Who leaves none of it out (code!="304", result!="hit") does not ask for what failed.
_USUAL_CODES = "200", "2xx", "2XX", "0"
_USUAL_WORDS = (
    *(form(word) for word in ("ok", "success", "none", "no_error", "error_none") for form in (str, str.upper, str.title)),
    *("Succeeded", "NoError", "STATUS_CODE_OK", "STATUS_CODE_UNSET"),
)


def failed(labels: Mapping[str, str]) -> bool:
    """Say whether a label speaks of failure: code="503", grpc_code="Internal", outcome="SERVER_ERROR", exception="IOError"."""
    return any(_fails(name.lower(), value) for name, value in labels.items())


def asks_for_failed(query: str) -> bool:
    """Say whether a query selects what has failed, and not what went well: code=~"5..", status!~"2..|3..", result="error"."""
    return any(_selects_failed(matcher) for one in selectors(query) for matcher in one.matchers)


def _fails(name: str, text: str) -> bool:
    value = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()  # NoError is no_error
    if _GRPC.fullmatch(name) or _ERROR.fullmatch(name):
        return value not in _NONE
    if _CODE.fullmatch(name) and _FAILED_CODE.fullmatch(value):
        return True
    return _WORDED.fullmatch(name) is not None and _says_failed(value)


def _says_failed(value: str) -> bool:
    words = ["", *re.findall(r"[a-z]+", re.sub(r"(?<![a-z])timed?[^a-z]out(?![a-z])", "timeout", value)), ""]
    around = zip(words, words[1:], words[2:], strict=False)
    return any(_FAILED_WORD.fullmatch(word) and before not in _NOT and after not in _NEVER for before, word, after in around)


def _selects_failed(one: Matcher) -> bool:
    name = one.name.lower()
    if one.equal and not one.regex:
        return _fails(name, one.value)
    if not any(pattern.fullmatch(name) for pattern in (_CODE, _GRPC, _WORDED, _ERROR)):
        return False
    if one.equal and _PLAIN.fullmatch(one.value):  # 502|504, TIMEOUT|REJECTED: as each of them would be alone
        return all(_fails(name, word) for word in one.value.split("|"))
    bad, well = _tried(name, one.value)
    if not one.equal:  # not 2..: redirections and the like are left too, but what usually goes well is not
        return _takes_any(one, bad) and not all(_takes(one, value) for value in _usual(name, one.value))
    if _ERROR.fullmatch(name) and _takes(one, "none"):  # error=~".+" is error!=""
        return not _takes(one, "")
    return _takes_any(one, bad) and not _takes_any(one, well)


def _takes(one: Matcher, value: str) -> bool:
    return one.matches({one.name: value})


def _takes_any(one: Matcher, values: Iterable[str]) -> bool:
    return any(_takes(one, value) for value in values)


def _tried(name: str, text: str) -> tuple[tuple[str, ...], ...]:
    if not re.search(r"\d", text):
        return _WORDS
    return _GRPC_CODES if _GRPC.fullmatch(name) else _CODES


def _usual(name: str, text: str) -> tuple[str, ...]:
    if re.search(r"\d", text):
        return ("0",) if _GRPC.fullmatch(name) else _USUAL_CODES
    return (*_USUAL_WORDS, *_NONE) if _ERROR.fullmatch(name) else _USUAL_WORDS
