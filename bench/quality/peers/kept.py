"""Peers' scores kept in the temporary folder, for they cost minutes and change only with their code or the data."""

import tempfile
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ..data import FloatArray
from .peer import Peer


class Kept:
    """Scores of peers, by a digest of peer, its code and the data: nothing stale can be met, so nothing needs clearing."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / "lens-exporter-bench-peers"
        code = sorted(Path(__file__).parent.glob("*.py"))
        self._code = blake2b(b"".join(path.read_bytes() for path in code)).digest()

    def score(self, peer: Peer, values: FloatArray, times: FloatArray, step: float) -> FloatArray:
        """Give the peer's score [series, time] of these values, in single precision whether it was kept or not."""
        path = self._folder / f"{self._digest(peer, values, times, step)}.npy"
        if not path.exists():
            self._write(path, peer.score(values, times, step))
        scores: FloatArray = np.load(path).astype(np.float64)
        return scores

    def _digest(self, peer: Peer, values: FloatArray, times: FloatArray, step: float) -> str:
        digest = blake2b(self._code, digest_size=20)
        digest.update(repr((peer.name, step, values.shape)).encode())
        for each in (values, times):
            digest.update(np.ascontiguousarray(each).tobytes())
        return digest.hexdigest()

    def _write(self, path: Path, scores: FloatArray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.save(part, scores.astype(np.float32))
        Path(part.name).replace(path)  # another run may write the same at the same time
