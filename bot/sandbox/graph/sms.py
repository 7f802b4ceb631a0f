"""SMS sign-in with the mobile: switched on and off, and its state as Graph tells it.

Sources: Graph docs "phoneauthenticationmethod" (states, enableSmsSignIn, disableSmsSignIn); Entra docs
"howto-authentication-sms-signin" (guests, voice numbers). Not in China (Graph docs, national clouds).
"""

from __future__ import annotations

from ..world import Person, World
from .call import Answer, Call
from .errors import OURS, SMS_POLICY, SMS_POLICY_NEW, GraphError, auth_error
from .numbers import same

_VOICE = ("alternateMobile", "office")


def state_of(world: World, person: Person, phone_type: str, number: str, stored: str | None) -> str:
    """smsSignInState of one phone; `stored` is what was last done about it (see world.Person)."""
    if phone_type != "mobile" or person.user_type == "Guest" or world.rules.cloud == "china":
        return "notSupported"
    if not world.sms_sign_in_allowed(person):
        return "notAllowedByPolicy"
    if stored == "phoneNumberNotUnique" and not taken(world, person, number):
        return "notConfigured"
    if voice_in_the_way(world, person):
        return "notConfigured"
    return stored or "notConfigured"


def voice_in_the_way(world: World, person: Person) -> bool:
    """Does a voice number stop SMS sign-in (only with the switch for it on)?"""
    return world.rules.voice_blocks_sms and not person.phones.keys().isdisjoint(_VOICE)


def taken(world: World, person: Person, number: str) -> bool:
    """Is the number somebody else's sign-in name? Soft-deleted people still hold theirs."""
    return any(
        other.sms_state == "ready" and other.oid != person.oid and same(other.phones.get("mobile"), number)
        for other in world.people.values()
    )


def not_unique() -> GraphError:
    """409: the number is somebody else's sign-in name."""
    return auth_error(OURS["not_unique"], 409, "phoneNumberNotUnique")


def registers_by_itself(world: World, person: Person, phone_type: str, number: str) -> bool:
    """Will Graph try to make this new number a sign-in name without being asked?"""
    if phone_type != "mobile" or number == person.phones.get("mobile"):
        return False
    return world.sms_sign_in_allowed(person) and not voice_in_the_way(world, person)


def enable(call: Call, person: Person) -> Answer:
    """Make the mobile a sign-in name: 204, or the refusal that the preconditions ask for."""
    world = call.world
    if person.user_type == "Guest":
        raise auth_error(OURS["guest_sms"])
    if not world.sms_sign_in_allowed(person):
        if world.rules.sms_disabled_wording == "new":
            raise auth_error(SMS_POLICY_NEW)
        raise auth_error(SMS_POLICY, 400, "disabledByPolicy")
    if voice_in_the_way(world, person):
        raise auth_error(OURS["voice_set"])
    if taken(world, person, person.phones["mobile"]):
        _note(call, person, "phoneNumberNotUnique")
        raise not_unique()
    return _set(call, person, "ready")


def disable(call: Call, person: Person) -> Answer:
    """Make the mobile no sign-in name any more: 204, on or off before."""
    return _set(call, person, "notEnabled")


def _set(call: Call, person: Person, state: str) -> Answer:
    before = person.sms_state
    _note(call, person, state)
    call.effect(person, "sms", "mobile", (before, state))
    return Answer(204)


def _note(call: Call, person: Person, state: str) -> None:
    person.remember(call.world.now())
    person.sms_state = state
