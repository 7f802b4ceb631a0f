"""No silent downgrade: whatever a person holds and whatever the directory does by itself while we write.

DOWNGRADE_EXAMPLES in the environment makes a longer run by hand.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lifecycle_world import migrated_file

from bot.domain import command as c
from bot.domain import outcome as o
from bot.domain.change import TERMINAL, Change, How, OpKind, State
from bot.domain.methods import ALL_USERS, Default, Method, MethodRule, PolicyTarget, SmsState
from bot.domain.people import TargetKind
from bot.domain.phone import PhoneNumber, Slot
from bot.domain.policy import Action, Rule, Step, Token, TokenKind
from cards.phrases import AFTERWARDS, BEFORE_DECIDING
from cards.signals import SIGNALS
from tests.doubles.directory import FakeDirectory, Fault
from tests.doubles.house import ALICE, MARTA, OLIVIA, House, directory, group_id, house, policy

EXAMPLES = int(os.environ.get("DOWNGRADE_EXAMPLES", "150"))
HELD = {slot: PhoneNumber("1", f"206555011{n}") for n, slot in enumerate(Slot)}
NEW = "+1 206 555 0100"
SMS_USERS = group_id(9)
ALL = Rule(
    "everything",
    frozenset({Action.SET, Action.REMOVE, Action.SWAP, Action.SMS}),
    frozenset({TargetKind.ORDINARY, TargetKind.GUEST}),
    (Step((Token(TokenKind.MANAGER),)),),
)
ALICE_ = c.Who(c.WhoKind.OID, ALICE)
COMMANDS: tuple[c.Order, ...] = (
    *(c.SetPhone(ALICE_, slot, NEW, "lost") for slot in (Slot.MOBILE, Slot.MOBILE, *Slot)),
    *(c.RemovePhone(ALICE_, slot, "lost") for slot in Slot),
    c.Swap(ALICE_, "lost"),
    c.Swap(ALICE_, "lost"),
    c.SmsSignIn(ALICE_, True),
    c.SmsSignIn(ALICE_, False),
)
OP_CALLS = {
    OpKind.SET: "write",
    OpKind.REMOVE: "write",
    OpKind.KEEP_DEFAULT: "set_default",
    OpKind.SMS_ON: "sms_sign_in",
    OpKind.SMS_OFF: "sms_sign_in",
    OpKind.KEEP_SMS_OFF: "sms_sign_in",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of one kind of call. early: while it is asked for and shown, else while it is carried out."""

    early: bool
    call: str
    fault: Fault
    times: int
    skip: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What Alice has, what the tenant allows, what the directory does by itself, and what is asked."""

    command: c.Order
    phones: frozenset[Slot]
    others: frozenset[Method]
    default: Default
    moves_to: Default | None
    system_preferred: bool | None
    sms: SmsState | None
    rule: MethodRule
    in_group: bool
    wanted: bool
    guard: bool
    guest: bool
    clash: bool
    stale: int
    troubles: tuple[Trouble, ...]


_targets = st.builds(PolicyTarget, st.sampled_from((ALL_USERS, SMS_USERS)), st.booleans())
_troubles = st.one_of(
    st.builds(
        Trouble,
        st.booleans(),
        st.sampled_from(
            ("sign_in", "sign_in", "phones", "member_of", "method_policy", "person", "protection")
        ),
        st.just(Fault.UNAVAILABLE),
        st.sampled_from((1, 2, 40)),
        st.integers(0, 4),
    ),
    st.builds(
        Trouble,
        st.just(False),
        st.sampled_from(("write", "set_default", "sms_sign_in")),
        st.sampled_from(Fault),
        st.integers(1, 3),
        st.integers(0, 1),
    ),
)


def _possible(scene: Scene) -> Scene:
    """With the phones that the command is about: refusals for their lack are shown elsewhere."""
    match scene.command:
        case c.RemovePhone(slot=Slot.MOBILE):
            phones = scene.phones - {Slot.ALTERNATE} | {Slot.MOBILE}
        case c.RemovePhone(slot=Slot() as slot):
            phones = scene.phones | {Slot.MOBILE, slot}
        case c.Swap():
            phones = scene.phones | {Slot.MOBILE, Slot.ALTERNATE}
        case c.SmsSignIn() | c.SetPhone(slot=Slot.ALTERNATE):
            phones = scene.phones | {Slot.MOBILE}
        case _:
            phones = scene.phones
    return replace(scene, phones=phones)


scenes = st.builds(
    Scene,
    st.sampled_from(COMMANDS),
    st.sampled_from(
        [frozenset(s) for s in ((), (Slot.MOBILE,), (Slot.OFFICE,), (Slot.MOBILE, Slot.ALTERNATE), Slot)]
    ),
    st.frozensets(
        st.sampled_from((Method.PASSWORD, Method.AUTHENTICATOR, Method.OATH, Method.FIDO2, Method.EMAIL))
    ),
    st.sampled_from((Default.PUSH, Default.OATH, *Default)),
    st.sampled_from((Default.SMS, Default.VOICE_MOBILE, None, *Default)),
    st.sampled_from((True, False, None)),
    st.sampled_from((None, SmsState.READY, SmsState.NOT_ENABLED)),
    st.builds(
        MethodRule,
        st.sampled_from((True, True, False)),
        st.lists(_targets, max_size=2).map(tuple),
        st.sampled_from(((), (), (PolicyTarget(SMS_USERS),))),
    )
    | st.just(MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),))),
    st.booleans(),
    st.sampled_from((False, False, True)),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((False, False, False, True)),
    st.sampled_from((False, False, True)),
    st.integers(0, 3),
    st.lists(_troubles, max_size=3).map(tuple),
).map(_possible)
HALF_WAY = Scene(
    command=c.Swap(ALICE_, "lost"),
    phones=frozenset({Slot.MOBILE, Slot.ALTERNATE}),
    others=frozenset({Method.PASSWORD, Method.AUTHENTICATOR}),
    default=Default.PUSH,
    moves_to=Default.SMS,
    system_preferred=False,
    sms=None,
    rule=MethodRule(True, (PolicyTarget(ALL_USERS, usable_for_sign_in=True),)),
    in_group=False,
    wanted=False,
    guard=True,
    guest=False,
    clash=False,
    stale=0,
    troubles=(Trouble(False, "write", Fault.REFUSED, 1, 1),),
)
REACHED: Counter[str] = Counter()


def _outside(scene: Scene) -> FakeDirectory:
    found = directory()
    found.people[ALICE] = replace(found.people[ALICE], guest=scene.guest)
    found.phones_of[ALICE] = {slot: HELD[slot] for slot in Slot if slot in scene.phones}
    found.other_methods[ALICE] = tuple(method for method in Method if method in scene.others)
    found.preferred[ALICE] = scene.default
    found.moves_default = scene.moves_to
    found.system_preferred = scene.system_preferred
    if scene.sms is not None and Slot.MOBILE in scene.phones:
        found.sms[ALICE] = scene.sms
    found.policy = replace(found.policy, sms=scene.rule)
    found.groups[SMS_USERS] = replace(
        found.groups[group_id(4)], id=SMS_USERS, members={ALICE} if scene.in_group else set()
    )
    found.profile = "default-guard" if scene.guard else "phone-only"
    if scene.clash:
        found.sign_in_numbers = [PhoneNumber("1", "2065550100")]
    return found


def _go_wrong(h: House, scene: Scene, *, early: bool) -> None:
    h.directory._planned.clear()
    for trouble in scene.troubles:
        if trouble.early is early:
            h.directory.fail(trouble.call, trouble.fault, times=trouble.times, skip=trouble.skip)


async def _asked(h: House, scene: Scene) -> Change | None:
    """Asked and sent to the approver, as far as it gets; nothing has been written until then."""
    _go_wrong(h, scene, early=True)
    shown = await h.desk.handle(scene.command, h.envelope(OLIVIA))
    if not isinstance(shown, o.Preview):
        return None
    await h.desk.handle(c.Submit(shown.view.card), h.envelope(OLIVIA))
    h.directory._planned.clear()
    change = await h.store.change(shown.view.change.id)
    return change if change is not None and change.state is State.PENDING else None


async def _notes(h: House, change: Change, reader: str) -> set[str]:
    """What the card of this reader carries now."""
    outcome = await h.desk.handle(c.Status(c.RequestId(change.id)), h.envelope(reader))
    view = getattr(outcome, "view", None)
    assert view is not None, outcome
    return set(view.change.notes) | {signal.key for signal in view.change.risks}


async def _to_the_end(h: House, change: Change) -> Change:
    for seconds in (0, *[16] * 8, *[120] * 60, 3600, 3600):
        h.clock.pass_by(seconds=seconds)
        await h.jobs.drain()
        found = await h.store.change(change.id)
        assert found is not None
        if found.state in TERMINAL:
            return found
    raise AssertionError(f"still {found.state}: {found.operations}")


def _is_on(h: House) -> bool:
    return Slot.MOBILE in h.directory.phones_of[ALICE] and h.directory.sms_state(ALICE) is SmsState.READY


async def _play(scene: Scene, folder: Path) -> None:
    rules = policy(rules=(ALL,), automatic_sms_sign_in=scene.wanted)
    async with house(folder, rules=rules, outside=_outside(scene)) as h:
        was_on = _is_on(h)
        change = await _asked(h, scene)
        assert h.directory.effects == []
        assert h.directory.deeds == []
        if change is None:
            REACHED["not asked"] += 1
            return
        before = await _notes(h, change, MARTA) & {*BEFORE_DECIDING, *SIGNALS}
        request = c.RequestId(change.id)
        yes = c.Approve(request, h.parts.card_ref(change, MARTA), How.IN_PERSON)
        await h.desk.handle(yes, h.envelope(MARTA))
        h.directory.stale_reads(scene.stale)
        _go_wrong(h, scene, early=False)
        change = await _to_the_end(h, change)
        h.directory._planned.clear()
        after = await _notes(h, change, OLIVIA) & await _notes(h, change, MARTA) & set(AFTERWARDS)
        _judge_default(h, scene, before, after)
        _judge_sms(h, scene, was_on, before, after)
        _judge_writes(h, scene, change)
        assert (await h.store.verify_audit()).bad == ()
        REACHED[change.state] += 1
        REACHED.update(after)


def _judge_default(h: House, scene: Scene, before: set[str], after: set[str]) -> None:
    now = h.directory.preferred[ALICE]
    if now.weaker_than(scene.default) is False:
        return
    told_before = before & {"default-unreadable"}
    if isinstance(scene.command, c.RemovePhone) and now is Default.NONE:
        told_before |= before & {"last-method"}
    told_after = after & {"guard-failed", "guard-unchecked"}
    assert told_before or told_after, f"{scene.default} became {now} and nobody was told"
    REACHED["weaker, and told"] += 1


def _judge_sms(h: House, scene: Scene, was_on: bool, before: set[str], after: set[str]) -> None:
    asked_for = scene.command == c.SmsSignIn(ALICE_, True)
    if was_on or asked_for or not _is_on(h):
        return
    told = before & {"sms-sign-in"} if scene.wanted else after & {"guard-failed", "guard-unchecked"}
    assert told, "the number became a sign-in name and nobody was told"
    REACHED["a sign-in name, and told"] += 1


def _judge_writes(h: House, scene: Scene, change: Change) -> None:
    """One effect of each operation at most, and not more calls than may be sent."""
    done = Counter((e.kind, e.slot) for e in h.directory.effects if e.before != e.after)
    done.update((deed.what, None) for deed in h.directory.deeds if deed.before != deed.after)
    assert all(times == 1 for times in done.values()), done
    for call in ("write", "set_default", "sms_sign_in"):
        mine = [op for op in change.operations if OP_CALLS[op.kind] == call]
        not_sent = sum(t.times for t in scene.troubles if t.call == call and t.fault is Fault.UNAVAILABLE)
        assert h.directory.calls.count(call) <= 2 * len(mine) + not_sent, call


@given(scenes)
@example(HALF_WAY)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_default_is_what_it_was_or_stronger_or_somebody_was_told(scene: Scene) -> None:
    """After any completed change: no weaker default, no sign-in name by accident, that nobody hears of."""
    shm = Path("/dev/shm")  # noqa: S108 - memory, so that a full synchronous write costs nothing
    folder = Path(tempfile.mkdtemp(prefix="ringfence-", dir=shm if shm.is_dir() else None))
    try:
        shutil.copy(migrated_file(), folder / "ringfence.db")
        asyncio.run(_play(scene, folder))
    finally:
        shutil.rmtree(folder)


def test_the_examples_went_far_enough() -> None:
    """The property is no use if hardly a change gets as far as the directory."""
    sys.stderr.write(f"downgrade: {EXAMPLES} scenes, {dict(REACHED)}\n")
    assert not REACHED or REACHED[State.APPLIED] * 10 >= EXAMPLES, REACHED
