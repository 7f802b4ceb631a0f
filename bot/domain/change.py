"""One change: its plan, its states, its approvals, and the hash that an approval binds to.

Knows the life cycle and the canonical form. Must not know how a change is stored, shown or carried out.
Numbers are never inside a change: they are sealed by the store and asked for by (change, operation).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.people import PersonRef, TargetKind
from bot.domain.phone import PhoneNumber, Purpose, Slot
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.domain.signals import Signal


class State(StrEnum):
    PREVIEWED = "previewed"
    PENDING = "pending"
    APPROVED = "approved"
    COOLING = "cooling"
    APPLYING = "applying"
    UNCONFIRMED = "unconfirmed"
    APPLIED = "applied"
    FAILED = "failed"
    CONFLICT = "conflict"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    BLOCKED = "blocked"


S = State
MOVES: dict[State, frozenset[State]] = {
    S.PREVIEWED: frozenset({S.PENDING, S.CANCELLED, S.EXPIRED, S.BLOCKED}),
    S.PENDING: frozenset({S.APPROVED, S.CANCELLED, S.EXPIRED, S.REJECTED, S.BLOCKED}),
    S.APPROVED: frozenset({S.COOLING, S.APPLYING, S.PENDING, S.CANCELLED, S.EXPIRED, S.REJECTED, S.BLOCKED}),
    S.COOLING: frozenset({S.APPLYING, S.PENDING, S.CANCELLED, S.EXPIRED, S.REJECTED, S.BLOCKED}),
    S.APPLYING: frozenset({S.APPLIED, S.FAILED, S.UNCONFIRMED, S.APPROVED, S.BLOCKED}),
    S.UNCONFIRMED: frozenset({S.APPLIED, S.FAILED, S.APPLYING, S.CONFLICT}),
}
TERMINAL = frozenset(State) - frozenset(MOVES)
# States in which nobody else may open a change for the same person and slot. Previews hold no lock.
LOCKING = frozenset({S.PENDING, S.APPROVED, S.COOLING, S.APPLYING, S.UNCONFIRMED})

# So long the replaced number stays sealed after a change was applied, and not longer.
UNDO_WINDOW = timedelta(hours=72)


# How often the requester of a change may remind those who have not decided.
NUDGES = 3


def may_move(was: State, to: State) -> bool:
    """True when the life cycle has that arrow. A terminal state has none."""
    return to in MOVES.get(was, frozenset())


class OpKind(StrEnum):
    """What one operation does. The two `keep` kinds are written only if the directory made them necessary.

    batch: carry out a plan of many changes, each with operations of its own; after_key is the plan's hash.
    pass: issue a Temporary Access Pass; after_key says for how long and who reads it (`domain.passes`).
    """

    SET = "set"
    REMOVE = "remove"
    SMS_ON = "sms-on"
    SMS_OFF = "sms-off"
    KEEP_SMS_OFF = "keep-sms-off"
    KEEP_DEFAULT = "keep-default"
    BATCH = "batch"
    PASS = "pass"  # noqa: S105 - a name, not a secret

    @property
    def conditional(self) -> bool:
        """True when the operation guards against a side effect of an earlier one."""
        return self in (OpKind.KEEP_SMS_OFF, OpKind.KEEP_DEFAULT)

    @property
    def is_about_a_phone(self) -> bool:
        """True when the slot means something, and what was written can be read back."""
        return self not in (OpKind.BATCH, OpKind.PASS)


class OpState(StrEnum):
    """planned: nothing sent. sending: the intent is on disk, the call may have been made.

    skipped: a conditional operation that was not necessary, or could not be judged (a note says which).
    """

    PLANNED = "planned"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Operation:
    """One directory write of the plan.

    before / after: masked numbers or plain words, "" = empty slot. before_key / after_key: what a reading is
    compared with: keyed hashes of the clear numbers ("" = empty slot), `sms:on`, `default:push`; before_key
    of a conditional operation is "" (anything). acked: Graph said yes to the last send.
    """

    n: int
    kind: OpKind
    slot: Slot
    before: str
    after: str
    before_key: str
    after_key: str
    state: OpState = OpState.PLANNED
    attempt: int = 0
    sent_at: datetime | None = None
    acked: bool = False
    reads: int = 0
    graph_request_id: str = ""


class Asking(StrEnum):
    """declined: they said that somebody else should decide. out: away; they may decide all the same."""

    ASKED = "asked"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody a step was addressed to. via: the policy token in words; why: cause when not asked.

    stands_for: object id of the approver who is out, whom the directory lets this person stand in for.
    """

    person: PersonRef
    via: str
    fallback: bool = False
    state: Asking = Asking.ASKED
    why: str = ""
    stands_for: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedStep:
    """A policy step with the people found for it. missing: in words, who could not be asked.

    everybody: `need` follows from who can be asked, because the policy says "all".
    """

    n: int
    need: int
    approvers: tuple[str, ...]
    fallback: tuple[str, ...]
    fallback_on: bool
    asked: tuple[Asked, ...]
    missing: tuple[str, ...] = ()
    everybody: bool = False

    @property
    def tokens(self) -> tuple[str, ...]:
        """The policy tokens that may vote now."""
        return self.approvers + (self.fallback if self.fallback_on else ())


class Verdict(StrEnum):
    """withdrawn: an approval that was taken back; it is shown and counts for nothing."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAWN = "withdrawn"


class How(StrEnum):
    """How an approver knows that the person concerned wants the change."""

    IN_PERSON = "in-person"
    KNOWN_NUMBER = "known-number"
    DID_NOT = "did-not"


class NoKind(StrEnum):
    """What a rejection means beyond the no."""

    NOT_NOW = "not-now"
    WRONG_PERSON = "wrong-person"
    LEFT = "left"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True)
class Proof:
    """How the caller's identity was proven, as the requester recorded it. evidence: free text, masked."""

    method: str
    evidence: str = ""

    def __str__(self) -> str:
        return f"{self.method}, {self.evidence}" if self.evidence else self.method


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's vote on exactly `content_hash`. via: the token that made them an approver.

    how: of an approval. kind: of a rejection. shown_at: when a card of it first stood in their chat.
    """

    step: int
    person: PersonRef
    verdict: Verdict
    at: datetime
    content_hash: str
    via: str
    because: str = ""
    how: How | None = None
    kind: NoKind | None = None
    shown_at: datetime | None = None


NOTE_DISPUTED = "not-me"


@dataclass(frozen=True, slots=True)
class Change:
    """One request. expires_at: deadline of the present state; due_at: when the worker must look at it.

    Times are aware UTC. row_version rises by one with each stored move and fences late writers.
    policy_hash: of the file it was submitted under; judged_hash: of the file it was last judged under.
    excluded: object ids that never count, beside requester and target. risks: as found at the last judging.
    outside_limits: the daily limit of the person concerned was not asked, and does not count it.
    review_until: of a break-glass change that nobody has reviewed yet. parent_id: what it undoes or takes on.
    deciders: at least so many people decide, whatever the rule says (undo, a frozen person), 0 = the rule.
    """

    id: str
    tenant_id: str
    origin: str
    action: Action
    requester: PersonRef
    target: PersonRef
    target_kind: TargetKind
    operations: tuple[Operation, ...]
    reason: str
    ticket: str
    rule: str
    policy_hash: str
    content_hash: str
    correlation_id: str
    state: State
    row_version: int
    created_at: datetime
    expire_minutes: int
    execute_minutes: int
    steps: tuple[ResolvedStep, ...] = ()
    votes: tuple[Vote, ...] = ()
    notes: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    decided_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None
    ending: Refusal | None = None
    ended_by: PersonRef | None = None
    lease_owner: str = ""
    lease_until: datetime | None = None
    batch_id: str = ""
    parent_id: str = ""
    cooling_minutes: int = 0
    remind_minutes: int = 0
    escalate_minutes: int = 0
    break_glass: bool = False
    deciders: int = 0
    risks: tuple[Signal, ...] = ()
    outside_limits: bool = False
    excluded: tuple[str, ...] = ()
    proof: Proof | None = None
    nudges: int = 0
    asked_at: datetime | None = None
    reminded_at: datetime | None = None
    judged_hash: str = ""
    review_until: datetime | None = None
    reviewed_by: PersonRef | None = None

    @property
    def slot(self) -> Slot:
        """The slot a person reads on the card: that of the first operation."""
        return self.operations[0].slot

    @property
    def is_batch(self) -> bool:
        """True for the head of a batch: its one operation stands for all that its plan holds."""
        return bool(self.batch_id) and self.batch_id == self.id

    @property
    def in_batch(self) -> bool:
        """True for a row of a batch: approved with it, and told with it."""
        return bool(self.batch_id) and self.batch_id != self.id

    @property
    def current(self) -> Operation | None:
        """The operation that is due or in flight; None when the plan is through."""
        return next((op for op in self.operations if op.state in (OpState.PLANNED, OpState.SENDING)), None)

    def having(self, operation: Operation) -> Change:
        """The same change with one operation replaced by its number."""
        return replace(
            self, operations=tuple(operation if op.n == operation.n else op for op in self.operations)
        )

    @property
    def printed_id(self) -> str:
        """`R-7K2Q9M-4F3A`: the tail is four hex digits of the content hash."""
        return f"R-{self.id}-{self.tail}"

    @property
    def tail(self) -> str:
        return self.content_hash.removeprefix("v1:")[:4].upper()

    @property
    def slots(self) -> frozenset[Slot]:
        """Those of one person that it touches: none for a batch, whose rows have people of their own."""
        return frozenset(op.slot for op in self.operations if op.kind.is_about_a_phone)

    @property
    def is_pass(self) -> bool:
        """True when it issues a pass: written when its reader asks for it, not by the worker."""
        return self.operations[0].kind is OpKind.PASS

    @property
    def locks(self) -> frozenset[str]:
        """Of each of these a person has one open request at most."""
        return frozenset(slot.value for slot in self.slots) | ({OpKind.PASS.value} if self.is_pass else set())

    @property
    def approved_by(self) -> frozenset[str]:
        """Object ids of those who approved, in whichever step: nobody counts twice."""
        return frozenset(vote.person.oid for vote in self.votes if vote.verdict is Verdict.APPROVE)

    def approved_in(self, step: int) -> frozenset[str]:
        """Object ids of those who approved in one step."""
        approvals = (vote for vote in self.votes if vote.verdict is Verdict.APPROVE)
        return frozenset(vote.person.oid for vote in approvals if vote.step == step)

    @property
    def step(self) -> ResolvedStep | None:
        """The step that is being voted on: the first without enough valid approvals."""
        counted: set[str] = set()
        for step in self.steps:
            got = self.approved_in(step.n)
            if len(got - counted) < step.need:
                return step
            counted |= got
        return None

    @property
    def awaited(self) -> tuple[Asked, ...]:
        """Those who are asked in the present step and have not approved."""
        step = self.step
        if step is None:
            return ()
        open_ones = (each for each in step.asked if each.state is Asking.ASKED)
        return tuple(each for each in open_ones if each.person.oid not in self.approved_by)

    def passed_on_by(self, oid: str) -> bool:
        """True when this person said of the present step that somebody else should decide."""
        asked = self.step.asked if self.step else ()
        return any(each.person.oid == oid and each.state is Asking.DECLINED for each in asked)

    @property
    def disputed(self) -> bool:
        """True when the person concerned said that the request is not theirs."""
        return NOTE_DISPUTED in self.notes

    @property
    def cooled_at(self) -> datetime | None:
        """When an agreed change may start: the last vote and the wait that the rule wants after it."""
        return None if self.decided_at is None else self.decided_at + timedelta(minutes=self.cooling_minutes)

    @property
    def start_by(self) -> datetime | None:
        """Until when an agreed change must have been started, counted from the end of its cooling."""
        return None if self.cooled_at is None else self.cooled_at + timedelta(minutes=self.execute_minutes)


def content_hash(change: Change) -> str:
    """`v1:` + sha256 of the canonical form: everything the approver is shown.

    Numbers stand in it as their keyed hashes: whoever has the audit, the cards and a copy of the database,
    but not the key, must not find a number by trying them all.
    """
    canonical = {
        "v": 1,
        "id": change.id,
        "tenant": change.tenant_id,
        "action": change.action.value,
        "requester": change.requester.oid,
        "target": change.target.oid,
        "reason": change.reason,
        "ticket": change.ticket,
        "operations": [
            {
                "n": op.n,
                "kind": op.kind.value,
                "slot": op.slot.value,
                "before": op.before_key,
                "after": op.after_key,
            }
            for op in change.operations
        ],
    }
    if change.proof is not None:
        canonical["proof"] = {"method": change.proof.method, "evidence": change.proof.evidence}
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "v1:" + hashlib.sha256(text.encode()).hexdigest()


def card_nonce(key: bytes, change_id: str, content: str, reader_oid: str) -> str:
    """The nonce of one reader's card of one content: 32 hex digits. A forwarded card has another's nonce."""
    message = f"card|{change_id}|{content}|{reader_oid}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def number_key(key: bytes, number: PhoneNumber | None) -> str:
    """Keyed hash of a number for comparing without keeping it: 64 hex digits, "" for an empty slot."""
    if number is None:
        return ""
    digits = number.reveal(Purpose.COMPARE).replace(" ", "")
    return hmac.new(key, b"number|" + digits.encode(), hashlib.sha256).hexdigest()
