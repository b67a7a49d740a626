"""A model's notes beside those of statistics, in the one string a watcher keeps."""

from lens_exporter.baseline.numbers import clock

_MARK = "\nModel "  # statistics' notes are one line, whatever labels hold


def joined(statistics: str | None, kept: str, remark: str) -> str | None:
    """Put new notes of either side over the kept ones; None and "" keep theirs. Gives None where nothing is new."""
    if statistics is None and not remark:
        return None
    own, _, models = kept.partition(_MARK)
    own = own if statistics is None else statistics
    models = remark or (f"{_MARK}{models}" if models else "")
    return own + models


def remark(client: str, at: float, texts: list[str]) -> str:
    """Write what a model wants remembered, with its name and the time; "" for nothing."""
    told = " ".join(dict.fromkeys(filter(None, texts)))
    return f"{_MARK}{client}, {clock(at, 0.0)} UTC: {told}" if told else ""
