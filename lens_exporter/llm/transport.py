"""The HTTP client of the model SDKs: bounded answers, no surprises from the environment. Imported only when a model is called."""

from collections.abc import AsyncIterator

import httpx2

ANSWER_BYTES = 8 * 1024 * 1024


class AnswerTooLong(Exception):
    """The answer is longer than any model's; reading it stopped."""


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > self._limit:
                raise AnswerTooLong(f"it answered more than {self._limit} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def http_client(*, limit: int = ANSWER_BYTES) -> httpx2.AsyncClient:
    """Make a client that stops reading an answer after `limit` bytes.

    Redirects are not followed (they would take the key to another host) and the environment is not read.
    """

    async def cap(response: httpx2.Response) -> None:
        response.stream = _Capped(response.stream, limit)  # type: ignore[arg-type]

    # Compressed answers are not asked for: a small one could unpack into a huge one.
    headers = {"accept-encoding": "identity"}
    return httpx2.AsyncClient(event_hooks={"response": [cap]}, headers=headers, follow_redirects=False, trust_env=False)
