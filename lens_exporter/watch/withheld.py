"""What is not told because somebody has declared it to be in order: decided from values, after hysteresis.

Critical is never withheld: a hard limit that is all but reached is nobody's intention.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lens_exporter.baseline.expected import Declaration, Declared
from lens_exporter.baseline.naming import cleaned
from lens_exporter.model.decision import Anomaly, Severity
from lens_exporter.model.labels import without
from lens_exporter.watch.alerting import key_of, labels_for
from lens_exporter.watch.hysteresis import Action, Begin, Escalate, Over, OverReason, Rest, Update, telling_already
from lens_exporter.watch.ports import OpenAlert, Watched

_CRITICAL = Severity.CRITICAL.value


@dataclass(frozen=True, slots=True)
class Withhold:
    """An anomaly that is not told; story is the correlation id of the alert that told it until now."""

    anomaly: Anomaly
    declaration: Declaration
    story: str = ""


def withheld(
    actions: Sequence[Action],
    open_alerts: Collection[OpenAlert],
    anomalies: Collection[Anomaly],
    declared: Declared,
    watched: Watched,
) -> list[Action | Withhold]:
    """Give the actions as they are with what is declared: nothing below critical begins or goes on."""
    if not declared.running:
        return list(actions)
    left = [_left(action, declared, watched) for action in actions]
    done = [one for several in left for one in several]
    settled = {one.open.alert.fingerprint for one in done if not isinstance(one, Begin | Rest | Withhold)}
    open_still = (one for one in open_alerts if one.alert.fingerprint not in settled and not _is_critical(one))
    opened = {key_of(one.alert): one for one in open_still}
    covering = {key: declared.about(without(one.alert.labels, ("severity",))) for key, one in opened.items()}
    for anomaly in anomalies:
        found = about(anomaly, declared, watched)
        telling = telling_already(anomaly, opened) if found is not None else []
        covering |= dict.fromkeys(telling, found)
        if found is not None and telling:
            done.append(Withhold(anomaly, found, opened[telling[0]].correlation))
    done += [Over(opened[key], OverReason.EXPECTED, words(found)) for key, found in covering.items() if found is not None]
    return done


def about(anomaly: Anomaly, declared: Declared, watched: Watched) -> Declaration | None:
    """Give the declaration that keeps an anomaly from being told, None where nothing does."""
    if anomaly.severity is Severity.CRITICAL:
        return None
    return declared.about(labels_for(anomaly, watched), anomaly.group)


def _left(action: Action, declared: Declared, watched: Watched) -> list[Action | Withhold]:
    """Give what is left to do of one action."""
    match action:
        case Begin(anomaly):
            found = about(anomaly, declared, watched)
            return [action] if found is None else [Withhold(anomaly, found)]
        case Update(one, anomaly) | Escalate(one, anomaly):
            found = None if _is_critical(one) else about(anomaly, declared, watched)
            if found is None:
                return [action]
            return [Over(one, OverReason.EXPECTED, words(found)), Withhold(anomaly, found, one.correlation)]
        case Over() | Rest():
            return [action]


def _is_critical(one: OpenAlert) -> bool:
    return one.alert.labels.get("severity") == _CRITICAL


def words(declaration: Declaration) -> str:
    """Say who has declared it, and in which words."""
    comment = cleaned(declaration.comment)
    said = f"{cleaned(declaration.by) or 'somebody'} has declared it to be expected"
    return f'{said}: "{comment}"' if comment else said
