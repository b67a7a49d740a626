"""Which labels say that what a series counts has failed. Pure."""

import re
from collections.abc import Mapping

from lens_exporter.investigate.selectors import Matcher, selectors

_CODE = re.compile(r"(http_|response_)*(code|status|status_code|status_class)")
_GRPC = re.compile(r"(rpc_)?grpc_(code|status|status_code)|rpc_response_status_code")
_WORDED = re.compile(r"status|code|result|outcome")
_ERROR = re.compile(r"err|error|error_type|error_code|exception")
_FAILED_CODE = re.compile(r"[45](\d\d|xx)")
_FAILED_WORD = re.compile(r"(^|[_\W])(err|fail|fault|exception|time(d_)?out|reject|refuse|denied|drop|abort|unavailable|invalid)")
_NONE = frozenset({"", "none", "null", "nil", "false", "no", "0", "ok", "success"})
# What an expression is tried with: codes where it has digits, else words.
_CODES = ("500", "503", "429", "404", "5xx"), ("200", "204", "302", "2xx")
_WORDS = ("error", "failed", "failure"), ("ok", "success")


def failed(labels: Mapping[str, str]) -> bool:
    """Say whether a label speaks of failure: code="503", grpc_code="Internal", outcome="SERVER_ERROR", exception="IOError"."""
    return any(_fails(name.lower(), value.lower()) for name, value in labels.items())


def asks_for_failed(query: str) -> bool:
    """Say whether a query selects what has failed, and not what went well: code=~"5..", status!~"2..|3..", result="error"."""
    return any(_selects_failed(matcher) for one in selectors(query) for matcher in one.matchers)


def _fails(name: str, value: str) -> bool:
    if _GRPC.fullmatch(name) or _ERROR.fullmatch(name):
        return value not in _NONE
    if _CODE.fullmatch(name) and _FAILED_CODE.fullmatch(value):
        return True
    return _WORDED.fullmatch(name) is not None and _FAILED_WORD.search(value) is not None


def _selects_failed(one: Matcher) -> bool:
    name = one.label.lower()
    if one.how == "=":
        return _fails(name, one.text.lower())
    known = any(pattern.fullmatch(name) for pattern in (_CODE, _GRPC, _WORDED, _ERROR))
    if one.how == "!=":  # not 200, not "none": what is left is what failed
        return known and not _fails(name, one.text.lower()) and (bool(one.text) or _ERROR.fullmatch(name) is not None)
    bad, well = _CODES if re.search(r"\d", one.text) else _WORDS
    return known and any(map(one.takes, bad)) and not any(map(one.takes, well))
