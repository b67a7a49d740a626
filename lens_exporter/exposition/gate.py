"""The gate in front of every route: who is it, may they, how often, and what is told of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lens_exporter.exposition.access import Access
from lens_exporter.exposition.answers import problem
from lens_exporter.exposition.audit import Audit
from lens_exporter.exposition.credentials import Checker, Reason, Refusal, client_key
from lens_exporter.exposition.offload import offload
from lens_exporter.exposition.rules import Rules
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.rate_limit import Buckets
from lens_exporter.model.access import ANYBODY, LOCAL, Principal, needed
from lens_exporter.model.access import Scope as May

_STATUS = {
    Reason.NO_CREDENTIALS: 401,
    Reason.BAD_CREDENTIALS: 401,
    Reason.WRONG_SCOPE: 403,
    Reason.CERTIFICATE: 403,
    Reason.RATE_LIMITED: 429,
}
_REALM = 'realm="lens-exporter"'


@dataclass(frozen=True, slots=True)
class _Standing:
    """What belongs to one state of the rules."""

    rules: Rules
    checker: Checker
    failures: Buckets
    turns: Mapping[May, Buckets]


class Gate:
    """ASGI middleware inside the edge. Its state belongs to the event loop."""

    def __init__(self, app: ASGIApp, access: Access, audit: Audit, clock: Clock) -> None:
        self._app = app
        self._access = access
        self._audit = audit
        self._clock = clock
        self._reading = offload(1)
        self._hashing = offload(2)  # bcrypt takes a core each time: guessing must not take them all
        self._standing = self._stand(access.rules, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rules = await self._current()
        wanted = needed(scope["method"], scope["path"])
        address = scope["client"][0] if scope.get("client") else ""
        who = await self._who(rules, wanted, scope, address)
        request = f"{scope['method']} {scope['path']}"
        if isinstance(who, Refusal):
            status = _STATUS[who.reason]
            scopes = wanted.value if wanted else ""
            await self._audit.denied(
                who.reason, client=address, who=who.who, scope=scopes, request=request, status=status, error=who.message
            )
            await _answer(rules, who, scopes)(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = who
        if wanted is not May.ADMIN:
            await self._app(scope, receive, send)
            return
        told = False

        async def tell_and_send(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start" and not told:
                told = True
                await self._audit.acted(who.name, address, request, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, tell_and_send)
        except BaseException:
            if not told:
                await self._audit.acted(who.name, address, request, 500)
            raise

    async def _current(self) -> Rules:
        if self._access.stale():
            await self._reading(self._access.refresh)
        rules = self._access.rules
        if rules is not self._standing.rules:
            self._standing = self._stand(rules, self._standing)
        return rules

    def _stand(self, rules: Rules, before: "_Standing | None") -> "_Standing":
        if before is not None and before.rules.limits == rules.limits:
            failures, turns = before.failures, before.turns
        else:
            failures = Buckets(rules.limits.failed_logins, self._clock)
            turns = {
                May.WEBHOOK: Buckets(rules.limits.webhook, self._clock),
                May.ADMIN: Buckets(rules.limits.admin, self._clock),
            }
        checker = Checker(rules, failures, self._hashing, before.checker.remembered if before else None)
        return _Standing(rules, checker, failures, turns)

    async def _who(self, rules: Rules, wanted: May | None, scope: Scope, address: str) -> Principal | Refusal:
        client = client_key(address)
        found = await self._identity(rules, scope, client)
        if wanted is None:
            return Principal(ANYBODY, frozenset()) if isinstance(found, Refusal) else found
        if isinstance(found, Refusal):
            return found
        if wanted not in found.scopes:
            message = f"{found.name} may not do this: it takes the scope {wanted.value}"
            return Refusal(Reason.WRONG_SCOPE, message, found.name)
        turns = self._standing.turns.get(wanted)
        if turns is not None and (wait := turns.take(f"{client} {found.name}")):
            message = f"more than {turns.per_minute:g} requests of this kind in a minute"
            return Refusal(Reason.RATE_LIMITED, message, found.name, wait)
        return found

    async def _identity(self, rules: Rules, scope: Scope, client: str) -> Principal | Refusal:
        certificate: dict[str, Any] = scope.get("state", {}).get("certificate", {})
        if rules.allowed_sans and rules.allowed_sans.isdisjoint(certificate.get("names", ())):
            return Refusal(Reason.CERTIFICATE, "your certificate has none of the names in client_allowed_sans")
        if not rules.asks:
            return Principal(LOCAL if client in {"127.0.0.1", "::/64"} else ANYBODY)
        if rules.certificates_alone and "name" in certificate:
            return rules.named(certificate["name"])
        return await self._standing.checker.who(Headers(scope=scope).get("authorization"), client)


def _answer(rules: Rules, refusal: Refusal, scopes: str) -> Response:
    status = _STATUS[refusal.reason]
    answer = problem(status, refusal.reason.value, refusal.message)
    if refusal.retry_after:
        answer.headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after)))
    if status in {401, 403} and refusal.reason is not Reason.CERTIFICATE:
        # RFC 6750 for the first; browsers read the second.
        error = {Reason.BAD_CREDENTIALS: ', error="invalid_token"', Reason.WRONG_SCOPE: ', error="insufficient_scope"'}
        more = f', scope="{scopes}"' if refusal.reason is Reason.WRONG_SCOPE else ""
        if rules.users:
            answer.headers.append("WWW-Authenticate", f'Basic {_REALM}, charset="UTF-8"')
        if rules.tokens or not rules.users:
            answer.headers.append("WWW-Authenticate", f"Bearer {_REALM}{error.get(refusal.reason, '')}{more}")
    return answer
