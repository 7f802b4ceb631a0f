"""Phone authentication methods: the rules of listing, creating, changing and deleting.

Sources: Graph docs "phoneauthenticationmethod" (resource, post, update, delete); where the
docs say only "fails", the wording is ours (errors.OURS). Numbers are compared by their digits.
"""

from __future__ import annotations

from typing import Any

from ..world import Person, World
from . import sms
from .call import Answer, Call
from .errors import (
    DEFAULT_METHOD,
    DENIED_AUTH,
    NO_CONTROLLER,
    NO_HTTP_RESOURCE,
    OURS,
    GraphError,
    auth_error,
)
from .numbers import kept
from .odata import fits, parse_filter

METHOD_IDS = {
    "mobile": "3179e48a-750b-4051-897c-87b9720928f7",
    "alternateMobile": "b6332ec1-7057-4abe-9331-3d72feddfe41",
    "office": "e37fc753-ff3b-4958-9484-eaa9425c82bc",
}
_TYPES = {method_id: phone_type for phone_type, method_id in METHOD_IDS.items()}
#: Default methods that a phone of this type serves.
SERVES = {
    "mobile": ("sms", "voiceMobile"),
    "alternateMobile": ("voiceAlternateMobile",),
    "office": ("voiceOffice",),
}
_WRITE = ("UserAuthMethod-Phone.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All")
_READ = (*_WRITE, "UserAuthMethod-Phone.Read.All", "UserAuthenticationMethod.Read.All")


def target(call: Call) -> Person:
    """The person of an authentication call. Deleted: 403 as seen in use; unknown or new: 404, our wording."""
    which = call.args["user"]
    person = call.world.find(which)
    if person is None or which.casefold() not in (person.oid, person.upn.casefold()):
        raise auth_error(OURS["auth_user_unknown"], 404, "resourceNotFound")
    if person.deleted:
        raise auth_error(DENIED_AUTH, 403, "accessDenied")
    if person.created > call.world.later(-call.world.rules.new_user_404_ms / 1000):
        raise auth_error(OURS["too_new"], 404, "resourceNotFound")
    return person


def writable(call: Call) -> Person:
    """The person of an authentication write: app permissions end at a restricted administrative unit."""
    person = target(call)
    if person.management_restricted:
        raise auth_error(OURS["restricted"], 403, "accessDenied")
    return person


def as_method(
    world: World, person: Person, phone_type: str, number: str, stored: str | None
) -> dict[str, Any]:
    """One phone method in Graph's shape; `stored` is what was last done about SMS sign-in."""
    return {
        "id": METHOD_IDS[phone_type],
        "phoneNumber": number,
        "phoneType": phone_type,
        "smsSignInState": sms.state_of(world, person, phone_type, number, stored),
        "createdDateTime": person.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def read_methods(call: Call, person: Person) -> list[dict[str, Any]]:
    """The person's phone methods, as this read may see them (stale reads look back)."""
    world = call.world
    stale = max(world.faults.stale_ms("graph", call.verb, call.raw_path), world.rules.stale_ms)
    phones, stored = person.phones, person.sms_state
    if stale and person.history:
        then = person.phones_at(world.later(-stale / 1000))
        phones, stored = then.phones, then.sms_state
    return [as_method(world, person, kind, phones[kind], stored) for kind in METHOD_IDS if kind in phones]


def list_phones(call: Call) -> Answer:
    """GET .../phoneMethods: at most three, never paged. $filter is taken (seen in use, not documented)."""
    call.only_options("filter")
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    found = read_methods(call, person)
    if "filter" in call.options:
        tree = call.details["filter"] = parse_filter(call.options["filter"])
        found = [method for method in found if fits(tree, method.__getitem__)]
    context = f"{call.root}/$metadata#users('{call.args['user']}')/authentication/phoneMethods"
    return Answer(200, {"@odata.context": context, "value": found})


def get_phone(call: Call) -> Answer:
    """GET .../phoneMethods/{id}."""
    call.allow(*_READ, auth_back_end=True)
    person = target(call)
    for method in read_methods(call, person):
        if method["id"] == call.args["method"].lower():
            return Answer(200, _entity(call, method))
    raise _no_method()


def create_phone(call: Call) -> Answer:
    """POST .../phoneMethods: 201 and the object."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    body = _body(call)
    phone_type, number = body.get("phoneType"), body.get("phoneNumber")
    if phone_type is None or number is None:
        raise auth_error(OURS["both_needed"])
    if phone_type not in METHOD_IDS:
        raise auth_error(OURS["type_unknown"])
    number = _number(number)
    if phone_type in person.phones:
        raise auth_error(OURS["type_exists"])
    if phone_type == "alternateMobile" and "mobile" not in person.phones:
        raise auth_error(OURS["needs_mobile"])
    _store(call, person, phone_type, number)
    method = as_method(call.world, person, phone_type, number, person.sms_state)
    return Answer(201, _entity(call, method))


def update_phone(call: Call) -> Answer:
    """PATCH .../phoneMethods/{id}: 204 without a body."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    phone_type = _held_type(call, person)
    body = _body(call)
    if body.get("phoneType", phone_type) != phone_type:
        raise auth_error(OURS["type_fixed"])
    number = _number(body.get("phoneNumber", person.phones[phone_type]))
    _store(call, person, phone_type, number)
    if call.world.rules.patch_answers_object:
        return Answer(200, _entity(call, as_method(call.world, person, phone_type, number, person.sms_state)))
    return Answer(204)


def delete_phone(call: Call) -> Answer:
    """DELETE .../phoneMethods/{id}: the default goes last, the mobile after the alternate."""
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    phone_type = _held_type(call, person)
    if phone_type == "mobile" and "alternateMobile" in person.phones:
        raise auth_error(OURS["alternate_left"])
    is_default = person.default_method in SERVES[phone_type]
    others = len(person.phones) > 1 or any(method != "password" for method in person.other_methods)
    if is_default and others:
        raise auth_error(DEFAULT_METHOD.format(id=METHOD_IDS[phone_type]))
    person.remember(call.world.now())
    before = person.phones.pop(phone_type)
    if phone_type == "mobile":
        person.sms_state = None
    if is_default:
        person.default_method = None
    call.effect(person, "phone", phone_type, (before, None))
    return Answer(204)


def enable_sms(call: Call) -> Answer:
    """POST .../phoneMethods/{mobile}/enableSmsSignIn."""
    person = _sms_target(call)
    return Answer(204) if _does_nothing(call, person) else sms.enable(call, person)


def disable_sms(call: Call) -> Answer:
    """POST .../phoneMethods/{mobile}/disableSmsSignIn."""
    person = _sms_target(call)
    return Answer(204) if _does_nothing(call, person) else sms.disable(call, person)


def wrong_controller(call: Call) -> Answer:
    """DELETE or PATCH .../methods/{id}: no such thing, and the back end's own words (not a Graph error)."""
    user, method = call.args["user"], call.args["method"]
    text = NO_HTTP_RESOURCE.replace("{user}", user).replace("{method}", method)
    return Answer(404, {"Message": text, "MessageDetail": NO_CONTROLLER})


def _sms_target(call: Call) -> Person:
    if call.world.rules.cloud == "china":
        raise GraphError(400, "BadRequest", OURS["no_route"])
    call.allow(*_WRITE, auth_back_end=True)
    person = writable(call)
    if _held_type(call, person) != "mobile":
        raise auth_error(OURS["not_mobile"])
    return person


def _does_nothing(call: Call, person: Person) -> bool:
    return call.world.rules.sms_upn_noop and call.args["user"].casefold() != person.oid


def _store(call: Call, person: Person, phone_type: str, number: str) -> None:
    """Save the number and what follows from it; 409 when the sign-in name is somebody else's."""
    world = call.world
    if world.rules.policy_blocks_writes and not world.phone_allowed(person, phone_type):
        raise auth_error(OURS["write_blocked"], 400, "disabledByPolicy")
    signs_in = sms.registers_by_itself(world, person, phone_type, number)
    taken = signs_in and sms.taken(world, person, number)
    if taken and not world.rules.not_unique_saves:
        raise sms.not_unique()
    person.remember(world.now())
    before = person.phones.get(phone_type)
    person.phones[phone_type] = number
    if signs_in:
        person.sms_state = "phoneNumberNotUnique" if taken else "ready"
    elif phone_type == "mobile" and number != before and person.sms_state != "notEnabled":
        person.sms_state = None
    if world.rules.default_moves:
        person.default_method = SERVES[phone_type][0]
    call.effect(person, "phone", phone_type, (before, number))
    if taken:
        raise sms.not_unique()


def _held_type(call: Call, person: Person) -> str:
    phone_type = _TYPES.get(call.args["method"].lower())
    if phone_type is None or phone_type not in person.phones:
        raise _no_method()
    return phone_type


def _body(call: Call) -> dict[str, Any]:
    body = call.json(auth_error)
    if "smsSignInState" in body:
        raise auth_error(OURS["read_only"])
    if not body.keys() <= {"phoneNumber", "phoneType", "id"}:
        raise auth_error(OURS["unknown_property"])
    return body


def _number(text: object) -> str:
    number = kept(text)
    if number is None:
        raise auth_error(OURS["number_format"])
    return number


def _entity(call: Call, method: dict[str, Any]) -> dict[str, Any]:
    context = f"{call.root}/$metadata#users('{call.args['user']}')/authentication/phoneMethods/$entity"
    return {"@odata.context": context, **method}


def _no_method() -> GraphError:
    return auth_error(OURS["no_such_method"], 404, "resourceNotFound")
