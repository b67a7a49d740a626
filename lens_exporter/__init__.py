"""lens-exporter. `instrument` publishes the Python program that calls it; everything else is the service."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lens_exporter.lenses.python.instrument import instrument as instrument

    __version__: str

__all__ = ["__version__", "instrument"]


def __getattr__(name: str) -> object:
    """Load the two public names when they are first asked for: importing the package costs nothing."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - as said above

        return version("lens-exporter")
    if name == "instrument":
        from lens_exporter.lenses.python.instrument import instrument  # noqa: PLC0415 - as said above

        return instrument
    raise AttributeError(f"module 'lens_exporter' has no attribute {name!r}")
