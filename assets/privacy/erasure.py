"""One erasure from beginning to end: suppression and journal first, then the sweep, the verification and the proof.

Cut short at any point, the same call finishes it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assets.clock import Clock
from assets.home import Home
from assets.privacy import exports
from assets.privacy.fitted import drop_examples_of_people
from assets.privacy.journal import Journal
from assets.privacy.person import Person, find
from assets.privacy.proof import write_proof
from assets.privacy.suppression import Suppression, prepared
from assets.privacy.sweep import Place, places, sweep
from assets.privacy.traces import Traces

OnStep = Callable[[str], None]
"""Told of each step before it begins."""


class UnknownPersonError(LookupError):
    """Nothing is held about an id."""


class ErasureBusyError(RuntimeError):
    """Another erasure is under way."""


@dataclass(frozen=True)
class Outcome:
    """How an erasure ended.

    Attributes:
        person: whom it was about.
        erased_at: when he was suppressed.
        proof: the proof; None where there was nothing left to do.
        rows, values: removed and erased.
        left: where he still is.
    """

    person: Person
    erased_at: datetime
    proof: Path | None = None
    rows: int = 0
    values: int = 0
    left: tuple[Place, ...] = ()


@contextmanager
def held(home: Home, *, shared: bool = False) -> Iterator[None]:
    """Holds the home's one erasure lock; `shared`, so that no erasure begins, but others that share it may go on.

    Raises:
        ErasureBusyError: another process holds it.
    """
    if shared and not home.root.exists():
        yield
        return
    home.privacy.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home.privacy / "lock").open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ErasureBusyError(
                f"{home.root} is in use by an erasure or an export; wait until it has ended"
            ) from None
        yield


def subject(home: Home, customer_id: str, now: datetime) -> Person:
    """Whom an erasure of `customer_id` concerns, what an unfinished one knows included.

    Raises:
        UnknownPersonError: nothing is held about the id, and nobody with it was erased.
    """
    if not customer_id.strip():
        raise unknown(home, customer_id)
    person = find(home, customer_id.strip(), now)
    unfinished = Journal.of(home, person.ids)
    if unfinished is not None:
        return unfinished.person.joined(person)
    is_unknown = not person.is_described and Suppression.load(home).when(customer_id.strip()) is None
    if is_unknown and not places_of(home, person):
        raise unknown(home, customer_id)
    return person


def unknown(home: Home, customer_id: str) -> UnknownPersonError:
    """What to say of an id about which nothing is held."""
    return UnknownPersonError(
        f"nothing is held about customer '{customer_id}', neither in {home.landing} nor in {home.root}; "
        "check the id: it is written as in customers.*, upper and lower case included"
    )


def places_of(home: Home, person: Person) -> list[Place]:
    """Where a person is, files left out in which nobody can be told apart."""
    return [place for place in places(home, Traces(person)) if place.why.startswith("still holds")]


def forget(home: Home, person: Person, clock: Clock, on_step: OnStep = lambda _: None) -> Outcome:
    """Erase a person, see `subject`. Needs the lock of `held`, and no run at work.

    Returns:
        What was done; `left` names every place where he still is or cannot be told apart.
    """
    now = clock.now()
    suppression = prepared(home)
    drop_examples_of_people(home)
    erased = [at for customer in person.ids if (at := suppression.when(customer))]
    unfinished = Journal.of(home, person.ids)
    if unfinished is None and len(erased) == len(person.ids):
        on_step("verification")
        if not places(home, Traces(person)):
            return Outcome(person, min(erased))

    on_step("suppression")
    journal = (
        unfinished.model_copy(update={"person": person})
        if unfinished
        else Journal(person=person, started_at=now)
    )
    suppression = suppression.adding(person, journal.started_at)
    suppression.save(home)
    on_step("journal")
    journal.save(home)
    traces = Traces(person)
    sweep(home, traces, journal, on_step)
    on_step("verification")
    left = places(home, traces)
    on_step("proof")
    proof = write_proof(home, journal, suppression, left, clock.now())
    exports.forget_gone(home)
    if not left:
        journal.discard(home)
    rows = sum(counts.rows for counts in journal.removed.values())
    values = sum(counts.values for counts in journal.removed.values())
    return Outcome(person, journal.started_at, proof, rows, values, tuple(left))
