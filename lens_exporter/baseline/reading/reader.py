"""The model's side of the seed's AnalyzeBaseline, between judgement and action: what is new and not urgent is read once.

Statistics have the first word and the last one. Whatever fails here leaves the conclusions as they are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.notes import WatcherNotes
from lens_exporter.baseline.numbers import clock
from lens_exporter.baseline.reading import remarks, words
from lens_exporter.baseline.reading.asker import Asker, Question, Read, Unread
from lens_exporter.baseline.reading.bounds import Bounds, Hold, ReadingOutcome, Ruling, absorbed, may_ask, rule, stands, urgency
from lens_exporter.baseline.reading.contract import SaidContinue
from lens_exporter.baseline.reading.holds import Holds, Key, key_of
from lens_exporter.baseline.reading.teller import Teller
from lens_exporter.baseline.underway import Underway
from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.clock import Clock, NewId, monotonic, new_ulid
from lens_exporter.model.decision import Anomaly, Confidence, ContinueObserving, Observation, Phase, Severity
from lens_exporter.model.labels import fingerprint

NextLook = Callable[[float], float]  # Unix seconds -> the first moment after them
Remembered = Callable[[], WatcherNotes | None]
Stands = Callable[[Conclusion, Anomaly], "AlertStanding"]


class AlertStanding(StrEnum):
    """How an anomaly's alert stands before this look."""

    NEW = "new"
    OPEN = "open"
    WITHHELD = "withheld"  # by a cooldown, or declared to be expected: nobody will be told, so no model is asked


class Release(StrEnum):
    """Why a model's word stands no longer, where no other answer replaced it."""

    SPENT = "spent"  # its allowance is used up, or would be before the next look; or it is told otherwise
    UNASKED = "unasked"  # it was to be asked again, but not beside what else is new
    URGENT = "urgent"
    GONE = "gone"  # it was over before anybody was told
    ABSORBED = "absorbed"  # it looks normal only because its baseline has learnt it meanwhile
    UNSEEN = "unseen"  # the look failed: what cannot be watched is not held back
    FORGOTTEN = "forgotten"  # the database cannot be asked


class _Fate(StrEnum):
    STAY = "stay"  # as the statistics said
    URGENT = "urgent"
    ASK = "ask"
    HOLD = "hold"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class JudgedLook:
    """What is reviewed: the conclusions of one look at `at` (Unix seconds), and what they were drawn from."""

    at: float
    conclusions: tuple[Conclusion, ...]
    observations: tuple[Observation, ...]
    notes: str | None  # new notes of the statistics
    unreadable: Collection[str] = ()  # categories whose metrics could not be read


class Reader:
    """Reads for one watcher. Called from its ticks only, which never overlap."""

    def __init__(
        self,
        asker: Asker,
        holds: Holds,
        teller: Teller,
        bounds: Bounds,
        *,
        next_look: NextLook,
        rhythm: NextLook | None = None,
        new_id: NewId = new_ulid,
        stopwatch: Clock = monotonic,
    ) -> None:
        """`rhythm` gives when a look is read in which nothing is new; None never."""
        self._asker = asker
        self._holds = holds
        self._teller = teller
        self._bounds = bounds
        self._next_look = next_look
        self._rhythm = rhythm
        self._new_id = new_id
        self._stopwatch = stopwatch
        self._due: float | None = None

    def review(self, judged: JudgedLook, standing: Stands, remembered: Remembered) -> JudgedLook:
        """Give the look with new anomalies held back or lowered as far as a model asked for and the bounds allow.

        Takes at most the asker's seconds. `standing`, and `remembered`, which gives the watcher's notes, may raise DatabaseError;
        then everything stays as it is.
        """
        try:
            self._holds.recall(judged.at)
            kept = remembered()
            fates = [self._fate(conclusion, standing, judged.at) for conclusion in judged.conclusions]
        except DatabaseError as error:
            if any(isinstance(conclusion.decision, Anomaly) for conclusion in judged.conclusions):
                self._teller.skipped(None, ReadingOutcome.UNREMEMBERED, str(error))
            for key, hold in self._holds.active():
                self._end(key, hold, Release.FORGOTTEN, judged.at)
            return judged
        asked = self._to_ask(judged.conclusions, fates)
        rulings, notes = self._read(judged, asked, kept)
        if _Fate.ASK not in fates and _Fate.URGENT not in fates:
            notes += self._in_rhythm(judged, kept)
        conclusions = [
            self._applied(conclusion, fate, rulings, judged.at) for conclusion, fate in zip(judged.conclusions, fates, strict=True)
        ]
        let_go = self._settle(judged)
        conclusions = [one for one in conclusions if _place(one) not in let_go] + list(let_go.values())
        remark = remarks.remark(self._asker.name, judged.at, notes)
        text = remarks.joined(judged.notes, kept.text if kept else "", remark)
        return replace(judged, conclusions=tuple(conclusions), notes=text)

    def unseen(self, at: float) -> list[Anomaly]:
        """Give what is held back when a look failed: nobody can say any more whether it got worse."""
        return [
            self._released(key, hold, hold.anomaly, Release.UNSEEN, at)
            for key, hold in self._holds.active()
            if hold.anomaly is not None and not hold.lowered
        ]

    def held(self) -> tuple[Underway, ...]:
        """Give what is held back or lowered: how it stands is asked at every look."""
        held = [hold.anomaly for _, hold in self._holds.active() if hold.anomaly is not None]
        return tuple(Underway(one.category, one.target, one.departures) for one in held)

    def _fate(self, conclusion: Conclusion, standing: Stands, at: float) -> _Fate:
        anomaly = conclusion.decision
        if not isinstance(anomaly, Anomaly):
            return _Fate.STAY
        hold = self._holds.get(key_of(anomaly))
        now, following, urgent = standing(conclusion, anomaly), self._next_look(at), urgency(anomaly, self._bounds)
        if urgent is not None:
            return _Fate.URGENT if now is AlertStanding.NEW else _Fate.STAY
        if hold is not None and hold.active and stands(hold, self._bounds, at, following):
            if hold.lowered:
                return _Fate.LOWER
            return _Fate.HOLD if now is AlertStanding.NEW else _Fate.STAY
        asks = now is AlertStanding.NEW and may_ask(hold, self._bounds, at, following)
        return _Fate.ASK if asks else _Fate.STAY

    def _to_ask(self, conclusions: Sequence[Conclusion], fates: Sequence[_Fate]) -> dict[Key, Anomaly]:
        """Pick what is asked about: nothing while anything may not wait, since that would wait for the answers."""
        new: dict[Key, Anomaly] = {}
        urgent = _Fate.URGENT in fates
        for conclusion, fate in zip(conclusions, fates, strict=True):
            anomaly = conclusion.decision
            if not isinstance(anomaly, Anomaly) or fate not in {_Fate.ASK, _Fate.URGENT}:
                continue
            if urgent:
                own = urgency(anomaly, self._bounds)
                self._teller.skipped(anomaly, ReadingOutcome.URGENT, own.value if own else "beside one that may not wait")
            else:
                new.setdefault(key_of(anomaly), anomaly)
        if len(new) > self._bounds.at_once:
            for anomaly in new.values():
                self._teller.skipped(anomaly, ReadingOutcome.CROWDED, f"{len(new)} at once")
            return {}
        return new

    def _read(
        self, judged: JudgedLook, asked: Mapping[Key, Anomaly], kept: WatcherNotes | None
    ) -> tuple[dict[Key, Anomaly], list[str]]:
        """Ask, tell, and keep what stands from now on. Gives the anomalies as they go on, and what is to be remembered."""
        if not asked:
            return {}, []
        holds = [
            self._holds.get(key) or Hold(self._new_id(), judged.at, judged.at, active=False, first=anomaly.evidence[0])
            for key, anomaly in asked.items()
        ]
        questions = [
            Question(hold.story, judged.at, anomaly, kept, hold) for hold, anomaly in zip(holds, asked.values(), strict=True)
        ]
        answers, seconds = self._asked(questions)
        read: dict[Key, Anomaly] = {}
        notes: list[str] = []
        for (key, anomaly), hold, answer in zip(asked.items(), holds, answers, strict=True):
            if isinstance(answer, Unread):
                self._teller.unread(anomaly, answer, hold.story, seconds)
                read[key] = self._released(key, hold, anomaly, answer.outcome, judged.at)
                continue
            said = words.checked(answer.said, answer.numbers)
            ruling = rule(answer.said, anomaly, hold, self._bounds, judged.at, self._next_look(judged.at))
            standing = replace(ruling.hold or hold, words=said.text, anomaly=anomaly)
            self._teller.answered(anomaly, answer.said, said, ruling, standing, seconds)
            read[key] = self._ruled(key, standing, anomaly, ruling, judged.at)
            if isinstance(answer.said, SaidContinue):
                notes.append(said.text)
        return read, notes

    def _ruled(self, key: Key, hold: Hold, anomaly: Anomaly, ruling: Ruling, at: float) -> Anomaly:
        anomaly = replace(anomaly, story=hold.story, cooldown_minutes=ruling.cooldown_minutes or anomaly.cooldown_minutes)
        if ruling.hold is None:
            return self._released(key, hold, anomaly, ruling.outcome, at)
        self._holds.keep(key, hold)
        return anomaly

    def _applied(self, conclusion: Conclusion, fate: _Fate, rulings: Mapping[Key, Anomaly], at: float) -> Conclusion:
        anomaly = conclusion.decision
        if not isinstance(anomaly, Anomaly):
            return conclusion
        key = key_of(anomaly)
        hold, asked = self._holds.get(key), key in rulings
        # Of several series that speak for one group one was asked about; what was ruled holds for all of them.
        read = rulings[key] if asked and _place(conclusion) == (rulings[key].category, fingerprint(rulings[key].target)) else None
        if hold is None or not hold.active:
            return conclusion if read is None else replace(conclusion, decision=read)
        anomaly = read or replace(anomaly, story=hold.story)
        self._holds.keep(key, replace(hold, anomaly=anomaly))
        if hold.lowered and (asked or fate is _Fate.LOWER):
            return replace(conclusion, decision=self._lowered(hold, anomaly, at))
        if asked or fate is _Fate.HOLD:
            return replace(conclusion, decision=self._held(hold, anomaly, at))
        if urgency(anomaly, self._bounds) is not None:
            reason = Release.URGENT
        else:
            reason = Release.UNASKED if fate is _Fate.ASK else Release.SPENT
        return replace(conclusion, decision=self._released(key, hold, anomaly, reason, at))

    def _held(self, hold: Hold, anomaly: Anomaly, at: float) -> ContinueObserving:
        latest = clock(hold.since + self._bounds.within, at)
        notes = f"held back by {self._asker.name} until {latest} UTC at the latest: {anomaly.summary}"
        return ContinueObserving(notes, Confidence.MEDIUM, anomaly.target, anomaly.evidence)

    def _lowered(self, hold: Hold, anomaly: Anomaly, at: float) -> Anomaly:
        told = words.annotation(self._asker.name, hold.words, at, lowered_until=hold.until)
        return replace(anomaly, severity=Severity.INFO, read=told)

    def _released(self, key: Key, hold: Hold, anomaly: Anomaly, reason: StrEnum, at: float) -> Anomaly:
        """Let an anomaly go on as the statistics said, with what was said about it; a hold that stood ends."""
        if hold.active:
            self._end(key, replace(hold, anomaly=anomaly), reason, at)
        if hold.lowered:
            return anomaly  # what was said stands on its alert
        told = words.annotation(self._asker.name, hold.words, at, held_from=hold.since if hold.times else None)
        return replace(anomaly, story=hold.story, read=told)

    def _end(self, key: Key, hold: Hold, reason: StrEnum, at: float) -> None:
        self._teller.released(hold, reason.value, at)
        self._holds.keep(key, replace(hold, active=False, anomaly=None))

    def _settle(self, judged: JudgedLook) -> dict[Key, Conclusion]:
        """End what was held back and is no anomaly any more. Give what goes on as one, since nobody can say that it is over.

        A lowering outlasts calm looks, unless they are calm only because its baseline has learnt it: then it goes on as a page.
        """
        anomalies = [one.decision for one in judged.conclusions if isinstance(one.decision, Anomaly)]
        flagged = {key_of(one) for one in anomalies}
        told = {(one.category, fingerprint(one.target)) for one in anomalies}
        calm = [one for one in judged.observations if one.phase is Phase.NORMAL]
        let_go: dict[Key, Conclusion] = {}
        for key, hold in self._holds.active():
            if key in flagged or (hold.lowered and not (judged.at < hold.until and absorbed(hold, calm))):
                continue
            held = hold.anomaly
            if held is None and key[0] in judged.unreadable:
                continue
            unseen = held is not None and held.category in judged.unreadable
            place = (held.category, fingerprint(held.target)) if held is not None else key
            if held is not None and place not in told and (unseen or absorbed(hold, judged.observations)):
                held = self._released(key, hold, held, Release.UNSEEN if unseen else Release.ABSORBED, judged.at)
                let_go[place] = Conclusion(held.category, held.target, held, calm=0, missing=False)
            else:
                self._end(key, hold, Release.SPENT if place in told else Release.GONE, judged.at)
        return let_go

    def _in_rhythm(self, judged: JudgedLook, kept: WatcherNotes | None) -> list[str]:
        """Where a rhythm is configured and due, read a look in which nothing is new. It can only leave notes."""
        if self._rhythm is None:
            return []
        if self._due is None or self._due > self._rhythm(judged.at):  # the first look, or the clock was set back
            self._due = self._rhythm(judged.at)
        if judged.at < self._due or not judged.observations:
            return []
        self._due = self._rhythm(judged.at)
        hold = Hold(self._new_id(), judged.at, judged.at, active=False)
        (answer,), seconds = self._asked([Question(hold.story, judged.at, judged.observations, kept)])
        if isinstance(answer, Unread):
            self._teller.unread(None, answer, hold.story, seconds)
            return []
        said = words.checked(answer.said, answer.numbers)
        noted = isinstance(answer.said, SaidContinue)
        self._teller.answered(
            None, answer.said, said, Ruling(ReadingOutcome.NOTED if noted else ReadingOutcome.QUIET), hold, seconds
        )
        return [said.text] if noted else []

    def _asked(self, questions: Sequence[Question]) -> tuple[list[Read | Unread], float]:
        started = self._stopwatch()
        return self._asker.ask(questions), self._stopwatch() - started


def _place(conclusion: Conclusion) -> Key:
    return conclusion.category, fingerprint(conclusion.target)
