"""What is declared to be expected, for commands that store nothing: as the running lens-exporter would have it after a round."""

from collections.abc import Collection, Sequence

from lens_exporter.baseline import said
from lens_exporter.baseline.expected import Declaration
from lens_exporter.baseline.register import Register
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.model.labels import Labels
from lens_exporter.model.silence import Silence
from lens_exporter.wiring.ground import open_database


def stored(config: Config) -> tuple[Declaration, ...]:
    """Give what the running lens-exporter has stored; nothing where none has run yet.

    Raises:
        DatabaseError, SecretUnreadable: as the names say.

    """
    database = open_database(config, Secrets())
    if database.path is not None and not database.path.exists():
        return ()  # reading would make the file
    try:
        register = Register(database)
        return register.all() if register.exists() else ()
    finally:
        database.close()


def heard(
    known: Sequence[Declaration], silences: Sequence[Silence], own: Collection[Labels], *, at: float, kept: float, complete: bool
) -> tuple[Declaration, ...]:
    """Give what is declared at a moment (Unix seconds): what is known, brought up to date by silences.

    own and kept are as in said.taken; complete: every Alertmanager answered.
    """
    taken = said.taken(silences, own, at=at, kept=kept)
    declarations = [one for one in taken if isinstance(one, Declaration)]
    return said.after(known, said.changes(known, silences, declarations, at, complete=complete))
