"""A model endpoint that answers from a script: Anthropic Messages and OpenAI chat completions over real HTTP.

In process: `with ModelServer([use("get_overview"), use("submit_analysis", summary=...)]) as server: ... server.url`.
As a process of its own, to outlive a killed client:
`python -m tests.servers.model_server --port 0 --script script.json --log requests.jsonl` (prints its address, then serves).

A script is a list of answers (the n-th request gets the n-th answer), a callable from `Asked` to `Answer`, or rules:

    {"rules": [{"offers": "submit_review", "answers": [{"tools": [{"name": "submit_review", "arguments": {}}]}]},
               {"by": "tool_results", "answers": [{"tools": [{"name": "get_overview", "arguments": {}}]}, {"text": "done"}]}]}

The first rule that fits the request answers it. `offers` is a tool the request must offer, `contains` a text it must contain.
`by: requests` (default) counts the rule's own requests; `by: tool_results` counts the tool results in the request, so that
the same conversation gets the same answer whatever was asked before and whoever was restarted. `{"find": "REGEX"}` as an
argument's value becomes what the regular expression's group finds in the request (a number, if it is one).
"""

import argparse
import hashlib
import json
import re
import select
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

ANTHROPIC = "/v1/messages"
OPENAI = "/v1/chat/completions"
_ERROR_TYPES = {401: "authentication_error", 400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with one request. With status 200 it is a model's reply, else an error of that status."""

    tools: tuple[dict[str, Any], ...] = ()  # {"name", "arguments"}; arguments that are text go out as they are
    text: str = ""
    stop: str = ""  # Anthropic's stop_reason; default: tool_use or end_turn
    usage: dict[str, int] = field(default_factory=dict)  # in the wire's own names
    status: int = 200
    retry_after: float | None = None
    message: str = "scripted"
    raw: str | None = None  # this body instead of a well-formed one
    padding: int = 0  # bytes of text added to the reply
    hang: float = 0.0  # seconds to wait before answering; ends early when the client goes away


def use(name: str, arguments: dict[str, Any] | str | None = None, **more: Any) -> Answer:
    """Call one tool."""
    return Answer(tools=({"name": name, "arguments": arguments if arguments is not None else more},))


def say(text: str) -> Answer:
    return Answer(text=text)


def refuse(text: str = "I cannot help with that.") -> Answer:
    return Answer(text=text, stop="refusal")


def fail(status: int, *, retry_after: float | None = None, message: str = "scripted") -> Answer:
    return Answer(status=status, retry_after=retry_after, message=message)


def hang(seconds: float = 60.0) -> Answer:
    return Answer(hang=seconds)


def broken(body: str = '{"id": "msg_1", "content": [{"type": "te') -> Answer:
    return Answer(raw=body)


def huge(size: int) -> Answer:
    return Answer(padding=size)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came over the wire. status is None until it was answered; abandoned: the client left before that."""

    number: int  # from 1
    path: str
    headers: dict[str, str]  # names in lower case
    raw: bytes
    body: dict[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.path.encode() + self.raw).hexdigest()

    @property
    def offered(self) -> list[str]:
        """Names of the tools the request offers."""
        return [tool.get("name") or tool.get("function", {}).get("name", "") for tool in self.body.get("tools", [])]

    @property
    def tool_results(self) -> list[str]:
        """The tool results in the conversation so far, as text, in order."""
        found = []
        for message in self.body.get("messages", []):
            if message["role"] == "tool":
                found.append(_text(message["content"]))
            elif isinstance(message["content"], list):
                blocks = [block for block in message["content"] if block.get("type") == "tool_result"]
                found.extend(_text(block.get("content", "")) for block in blocks)
        return found

    @property
    def text(self) -> str:
        """The whole request as text."""
        return json.dumps(self.body, ensure_ascii=False)


Script = Sequence[Answer] | Callable[[Asked], Answer]


class ModelServer:
    """Serves a script on loopback from its own threads until closed. Thread-safe."""

    def __init__(self, script: Script, *, port: int = 0, log: Path | None = None) -> None:
        self._answer = script if callable(script) else _nth(script)
        self._log = log
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.requests: list[Asked] = []
        self.statuses: dict[int, int] = {}  # request number -> status answered
        self.abandoned: list[int] = []  # numbers of the requests whose client left before the answer
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                owner.serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base_url for an anthropic client; an openai one adds /v1."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def wire(self) -> bytes:
        """Every byte of every body that came in, for finding what must never leave."""
        with self._lock:
            return b"\n".join(asked.raw for asked in self.requests)

    @property
    def repeated(self) -> int:
        """How many answered calls were asked a second time, byte for byte."""
        with self._lock:
            answered = Counter(asked.digest for asked in self.requests if self.statuses.get(asked.number) == 200)
        return sum(count - 1 for count in answered.values())

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            asked = Asked(len(self.requests) + 1, handler.path.partition("?")[0], headers, raw, json.loads(raw))
            self.requests.append(asked)
            self._write(number=asked.number, path=asked.path, digest=asked.digest, body=asked.body)
            answer = self._refusal(asked) or self._answer(asked)
        if answer.hang and not self._stays(handler.connection, answer.hang):
            with self._lock:
                self.abandoned.append(asked.number)
                self._write(number=asked.number, digest=asked.digest, abandoned=True)
            handler.close_connection = True
            return
        with self._lock:
            self.statuses[asked.number] = answer.status
            self._write(number=asked.number, digest=asked.digest, status=answer.status)
        _send(handler, asked, answer)

    @staticmethod
    def _refusal(asked: Asked) -> Answer | None:
        if asked.path not in {ANTHROPIC, OPENAI}:
            return fail(404, message=f"no such path: {asked.path}")
        if asked.body.get("stream"):
            return fail(400, message="this server does not stream")
        return None

    def _stays(self, connection: socket.socket, seconds: float) -> bool:
        # A client that gave up closes its socket, which then reads as empty.
        waited = 0.0
        while waited < seconds and not self._closing.is_set():
            readable, _, _ = select.select([connection], [], [], 0.05)
            if readable and not connection.recv(1, socket.MSG_PEEK):
                return False
            waited += 0.05
        return True

    def _write(self, **line: Any) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that are killed or give up are this server's purpose; anything else is a fault in a script.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def answered_calls(log: Path) -> Counter[str]:
    """Count answered requests (status 200) by digest in a server's log: a count above 1 is a repeated call."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return Counter(line["digest"] for line in lines if line.get("status") == 200)


def read_script(script: dict[str, Any]) -> Callable[[Asked], Answer]:
    """Turn a JSON script (see above) into a function."""
    rules = [(rule, Counter[str]()) for rule in script.get("rules", [script])]

    def answer(asked: Asked) -> Answer:
        for rule, used in rules:
            if rule.get("offers", "") not in ["", *asked.offered] or rule.get("contains", "") not in asked.text:
                continue
            position = len(asked.tool_results) if rule.get("by") == "tool_results" else used["requests"]
            used["requests"] += 1
            if position < len(rule["answers"]):
                return _fill(rule["answers"][position], asked)
        return fail(400, message=f"the script has no answer for request {asked.number}")

    return answer


def _fill(answer: dict[str, Any], asked: Asked) -> Answer:
    tools = answer.get("tools", [])
    return Answer(**{**answer, "tools": tuple({**tool, "arguments": _found(tool.get("arguments", {}), asked)} for tool in tools)})


def _found(value: Any, asked: Asked) -> Any:
    if isinstance(value, dict) and set(value) == {"find"}:
        match = re.search(value["find"], "\n".join(asked.tool_results) or asked.text)
        if match is None:
            return None
        found = match.group(match.lastindex or 0)
        return float(found) if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", found) else found
    if isinstance(value, dict):
        return {name: _found(inner, asked) for name, inner in value.items()}
    return [_found(inner, asked) for inner in value] if isinstance(value, list) else value


def _nth(answers: Sequence[Answer]) -> Callable[[Asked], Answer]:
    remaining = iter(answers)
    return lambda asked: next(remaining, fail(400, message=f"the script has no answer for request {asked.number}"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _send(handler: BaseHTTPRequestHandler, asked: Asked, answer: Answer) -> None:
    if answer.raw is not None:
        body = answer.raw.encode()
    elif answer.status != 200:
        kind = _ERROR_TYPES.get(answer.status, "api_error")
        body = json.dumps({"type": "error", "error": {"type": kind, "message": answer.message}}).encode()
    else:
        body = json.dumps((_anthropic if asked.path == ANTHROPIC else _openai)(asked, answer)).encode()
    handler.send_response(answer.status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    if answer.retry_after is not None:
        handler.send_header("Retry-After", f"{answer.retry_after:g}")
    handler.end_headers()
    handler.wfile.write(body)


def _anthropic(asked: Asked, answer: Answer) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if answer.text or answer.padding or not answer.tools:
        content.append({"type": "text", "text": answer.text + "x" * answer.padding})
    for position, tool in enumerate(answer.tools):
        call = {"type": "tool_use", "id": _call_id(asked, position), "name": tool["name"], "input": tool["arguments"]}
        content.append(call)
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": asked.body["model"],
        "content": content,
        "stop_reason": answer.stop or ("tool_use" if answer.tools else "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 20, **answer.usage},
    }


def _openai(asked: Asked, answer: Answer) -> dict[str, Any]:
    calls = []
    for position, tool in enumerate(answer.tools):
        arguments = tool["arguments"] if isinstance(tool["arguments"], str) else json.dumps(tool["arguments"])
        function = {"name": tool["name"], "arguments": arguments}
        calls.append({"id": _call_id(asked, position), "type": "function", "function": function})
    message: dict[str, Any] = {"role": "assistant", "content": (answer.text + "x" * answer.padding) or None}
    if answer.stop == "refusal":
        message |= {"refusal": answer.text, "content": None}
    if calls:
        message["tool_calls"] = calls
    finish = {"": "tool_calls" if calls else "stop", "refusal": "stop", "max_tokens": "length"}[answer.stop]
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "created": 0,
        "model": asked.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, **answer.usage},
    }


def _call_id(asked: Asked, position: int) -> str:
    # Made from the conversation, so that the same conversation gets the same answer byte for byte.
    return f"call_{len(asked.tool_results)}_{position}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    script = read_script(json.loads(options.script.read_text(encoding="utf-8")))
    with ModelServer(script, port=options.port, log=options.log) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
