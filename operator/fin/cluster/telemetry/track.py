"""What is known of one app from reading to reading: each step makes a new value of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from fin.cluster.conditions import Verdict
from fin.cluster.memory import Failure
from fin.cluster.telemetry.adapting import Adapted, adapted_to
from fin.cluster.telemetry.counts import Counts, Readings, counted
from fin.cluster.telemetry.offplan import Aspect, Deviation, off_plan
from fin.cluster.telemetry.pace import Pace
from fin.cluster.telemetry.seen import Seen, faded, seen
from fin.cluster.telemetry.subject import Subject

_NEARLY: Final = 0.1
_NEARLY_P99: Final = 0.25
_NEARLY_SHARE: Final = 0.02
"""By how much what is seen may change without being said anew: it fluctuates all the time."""

NOT_YET: Final = Verdict("Unknown", "NotObserved", "The segments were not observed long enough yet")


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a revision of an app: whether it drifts, and what was seen.

    ``seen`` is None where that is nothing; ``from_source`` is the planned time from the source to
    the entry, s.
    """

    revision: str
    verdict: Verdict
    seen: Seen | None = None
    from_source: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of an app.

    Attributes
    ----------
    revision
        Digest of the revision that it is known of.
    whole_at
        When all segments were read last (at first: when it began), s.
    readings
        What they said then.
    window
        What they counted, older counts faded.
    off
        Since when what is off plan has been, s.
    proposal
        Values to plan with, where what is observed asks for others than those in force.
    declined
        Until when nothing is proposed, since there was no plan for it.
    told, told_at
        What is said of it, and since when.
    now
        What is known now, whether it is said already or not.
    """

    revision: str
    whole_at: float
    readings: Readings = field(default_factory=dict)
    window: Counts = field(default_factory=Counts)
    off: Mapping[Aspect, float] = field(default_factory=dict)
    proposal: Adapted | None = None
    declined: Failure | None = None
    told: Told | None = None
    told_at: float = 0.0
    now: Told | None = None


def advance(
    track: Track | None,
    subject: Subject,
    readings: Readings,
    troubles: Mapping[str, str],
    at: float,
    pace: Pace,
) -> Track:
    """Return what is known after another reading of an app's segments.

    Parameters
    ----------
    track
        What was known before; None: nothing.
    subject
        The app.
    readings
        Of the segments that could be read.
    troubles
        Why others could not, by the segment's name.
    at
        When, s.
    pace
        How fast it is believed and told.
    """
    if track is None:
        track = Track(subject.revision, at)
    elif track.revision != subject.revision:
        track = Track(
            subject.revision, at, told=track.told, told_at=track.told_at, declined=track.declined
        )
    if readings.keys() != subject.pods.keys():
        track = _not_whole(track, troubles, at, pace)
    else:
        track = _whole(track, subject, readings, at, pace)
    return _telling(track, at, pace)


def _not_whole(track: Track, troubles: Mapping[str, str], at: float, pace: Pace) -> Track:
    """Wait for the segments that are missing: without them, shares would be wrong."""
    if at - track.whole_at < pace.lost:
        return track
    name = min(troubles, default="")
    message = f"The metrics of {name} can't be read: {troubles[name]}" if name else NOT_YET.message
    silent = Told(track.revision, replace(NOT_YET, message=message))
    return Track(
        track.revision,
        track.whole_at,
        declined=track.declined,
        told=track.told,
        told_at=track.told_at,
        now=silent,
    )


def _whole(track: Track, subject: Subject, readings: Readings, at: float, pace: Pace) -> Track:
    new = counted(track.readings, readings, subject.entry)
    track = replace(track, readings=readings, whole_at=at)
    if new is None:
        return track
    window = faded(track.window, new.seconds, pace.smoothing).plus(new)
    track = replace(track, window=window)
    return track if window.seconds < pace.telling else _judged(track, subject, at, pace)


def _judged(track: Track, subject: Subject, at: float, pace: Pace) -> Track:
    found, terms = seen(track.window, subject.exits), subject.terms
    if terms is None:
        verdict = Verdict(
            "Unknown", "NoPlan", f"Revision {subject.revision} is not of what is planned today"
        )
        now = Told(subject.revision, verdict, found)
        return replace(track, off={}, proposal=None, now=now)
    deviations = off_plan(found, terms.promise, track.off.keys())
    off = {each.aspect: track.off.get(each.aspect, at) for each in deviations}
    lasting = {aspect for aspect, since in off.items() if at - since >= pace.patience}
    proposal = None
    declined = track.declined is not None and track.declined.until > at
    if terms.adapt and lasting and not declined:
        wanted = adapted_to(
            found, lasting, terms.adapted, terms.app, terms.declared_rate, terms.model
        )
        proposal = wanted if wanted != terms.adapted else None
    now = Told(subject.revision, _verdict(deviations, found), found, terms.promise.from_source)
    settled = off.keys() <= {"latency"}
    return replace(
        track,
        off=off,
        proposal=proposal,
        declined=None if settled else track.declined,
        now=now,
    )


def _verdict(deviations: tuple[Deviation, ...], found: Seen) -> Verdict:
    if deviations:
        message = "; ".join(each.message for each in deviations)
        return Verdict("True", deviations[0].reason, message[0].upper() + message[1:])
    if found.shares is None:
        return Verdict(
            "False",
            "AsPlanned",
            "The rate is as planned; too few requests to tell of latency and exits",
        )
    return Verdict("False", "AsPlanned", "Rate and exits are as planned, latency meets the target")


def _telling(track: Track, at: float, pace: Pace) -> Track:
    """Say what is known: not too often, and not where it is nearly what was said."""
    now, told = track.now, track.told
    if now is None or (told is not None and _nearly(told, now)):
        return track
    if told is not None and at - track.told_at < pace.telling:
        return track
    return replace(track, told=now, told_at=at)


def _nearly(told: Told, now: Told) -> bool:
    """Whether it is not worth a write to say it anew."""
    if _essence(told) != _essence(now):
        return False
    return told.seen is None or now.seen is None or _nearly_seen(told.seen, now.seen)


def _essence(told: Told) -> tuple[object, ...]:
    """What is said anew whenever it changes."""
    seen, verdict = told.seen, told.verdict
    known = seen and (seen.latency is not None, seen.shares is not None)
    return told.revision, verdict.status, verdict.reason, told.from_source, known


def _nearly_seen(told: Seen, now: Seen) -> bool:
    """Compare what has latency and shares in both, or in neither."""
    pairs = [(told.rate, now.rate, _NEARLY), (told.power, now.power, _NEARLY)]
    if told.latency and now.latency:
        pairs.append((told.latency.mean, now.latency.mean, _NEARLY))
        pairs.append((told.latency.p99, now.latency.p99, _NEARLY_P99))
    shares, before = now.shares or {}, told.shares or {}
    return all(abs(new - old) <= nearly * old for old, new, nearly in pairs) and all(
        abs(shares[name] - before.get(name, 0.0)) <= _NEARLY_SHARE for name in shares
    )
