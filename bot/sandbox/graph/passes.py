"""Temporary Access Passes: one per person, made for some minutes, told once.

Sources: Graph docs "authentication-post-temporaryaccesspassmethods" (bounds of the life, a new pass deletes
the earlier one), "authentication-list-temporaryaccesspassmethods" (the secret is null in lists) and
"temporaryaccesspassauthenticationmethod". Published secrets are letters and digits with a sign among them.
A pass is never used up here: nobody signs in. startDateTime is not taken.
"""

from __future__ import annotations

import secrets
import string
from datetime import timedelta
from typing import Any

from ..world import Person, World, stable_id, stamp
from .call import Answer, Call
from .errors import OURS, PASS_GUEST, PASS_LIFETIME, PASS_POLICY, auth_error
from .phones import target, writable

PASS = "temporaryAccessPass"
_WRITE = ("UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All")
_READ = (*_WRITE, "UserAuthMethod-TAP.Read.All", "UserAuthenticationMethod.Read.All")
_LEAST, _MOST = 10, 43_200
_DEFAULT_MINUTES = 60  # as the policy of the pretend tenant says
#: Signs seen in published samples that neither Markdown nor XML reads as its own, so that scans find them.
_SIGNS = "+$="
_LENGTH = 8


def list_passes(call: Call) -> Answer:
    """GET .../temporaryAccessPassMethods: none or one, without its secret."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    found = [as_pass(call.world, person)] if PASS in person.other_methods else []
    return Answer(200, {"@odata.context": _context(call), "value": found})


def create_pass(call: Call) -> Answer:
    """POST .../temporaryAccessPassMethods: 201 and the object with its secret, this one time."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    minutes, once = _asked(call)
    if person.user_type == "Guest" and "#ext#" in person.upn.casefold():
        raise auth_error(PASS_GUEST)
    if not call.world.pass_allowed(person):
        raise auth_error(PASS_POLICY)
    least, most = call.world.rules.pass_least_minutes, call.world.rules.pass_most_minutes
    if not least <= minutes <= most:
        raise auth_error(PASS_LIFETIME.format(least=least, most=most))
    before = f"{person.pass_minutes} minutes" if PASS in person.other_methods else None
    person.other_methods = [*(each for each in person.other_methods if each != PASS), PASS]
    person.pass_issued, person.pass_minutes = call.world.now(), minutes
    person.temporary_pass, person.pass_once = _secret(), once
    call.effect(person, "pass", None, (before, f"{minutes} minutes"))
    made = as_pass(call.world, person) | {PASS: person.temporary_pass}
    return Answer(201, {"@odata.context": f"{_context(call)}/$entity", **made})


def as_pass(world: World, person: Person) -> dict[str, Any]:
    """The person's pass in Graph's shape, without its secret."""
    issued = person.pass_issued or person.created
    reason = "EnabledByPolicy" if world.pass_allowed(person) else "DisabledByPolicy"
    if world.now() >= issued + timedelta(minutes=person.pass_minutes):
        reason = "Expired"
    return {
        "id": stable_id(person.oid, PASS, stamp(issued)),
        PASS: None,
        "createdDateTime": stamp(issued),
        "startDateTime": stamp(issued),
        "lifetimeInMinutes": person.pass_minutes,
        "isUsableOnce": person.pass_once,
        "isUsable": reason == "EnabledByPolicy",
        "methodUsabilityReason": reason,
    }


def _asked(call: Call) -> tuple[int, bool]:
    """Minutes, and whether it works once only."""
    body = call.json(auth_error)
    if body.keys() - {"lifetimeInMinutes", "isUsableOnce"}:
        raise auth_error(OURS["unknown_property"])
    minutes, once = body.get("lifetimeInMinutes", _DEFAULT_MINUTES), body.get("isUsableOnce", False)
    if type(minutes) is not int or not _LEAST <= minutes <= _MOST or not isinstance(once, bool):
        raise auth_error(OURS["bad_pass"])
    return minutes, once


def _secret() -> str:
    letters = [secrets.choice(string.ascii_letters + string.digits) for _ in range(_LENGTH - 1)]
    letters.insert(secrets.randbelow(_LENGTH), secrets.choice(_SIGNS))
    return "".join(letters)


def _context(call: Call) -> str:
    return f"{call.root}/$metadata#users('{call.args['user']}')/authentication/temporaryAccessPassMethods"
