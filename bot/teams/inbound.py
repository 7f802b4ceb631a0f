"""From an admitted activity to a Command: text, button and form become the same words.

Knows the shape of Teams activities and of our own button data. Must not look anybody up, and believes
nothing in a button but the reference it carries: anything else in its data makes it tampered.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from botbuilder.schema import Activity
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain import command as c
from bot.domain.change import How, NoKind, Proof
from bot.domain.naming import read_who
from bot.domain.parsing import parse
from bot.domain.people import object_id
from bot.domain.phone import Slot
from bot.domain.policy import Method
from bot.domain.words import split
from bot.ports import Conversation
from bot.teams import onboarding_buttons
from cards import verbs

_STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _RequestButton(BaseModel):
    """`{v, change_id, nonce}` of a button without fields."""

    model_config = _STRICT
    v: Literal[1]
    change_id: str = Field(pattern=r"^[0-9A-Z]{6}$")
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")


class _ApproveButton(_RequestButton):
    """How the approver knows; a client that lets the choice be left out sends "" or nothing."""

    how: Literal["", "in-person", "known-number", "did-not"] = ""
    line: str | None = Field(default=None, max_length=400)


class _RejectButton(_RequestButton):
    """Why not, and what it means beyond the no."""

    because: str | None = Field(default=None, max_length=2000)
    kind: Literal["", "not-now", "wrong-person", "left", "fraud"] = ""


class _BatchButton(_RequestButton):
    word: Literal["hold", "go-on", "retry", "skip", "overwrite", "as-alternate"]


class _FormButton(BaseModel):
    model_config = _STRICT
    v: Literal[1]
    who: str | None = Field(default=None, max_length=256)
    slot: str | None = Field(default=None, max_length=32)
    number: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=4000)
    ticket: str | None = Field(default=None, max_length=400)
    proof: str | None = Field(default=None, max_length=32)
    evidence: str | None = Field(default=None, max_length=400)


class _ChooseButton(BaseModel):
    model_config = _STRICT
    v: Literal[1]
    verb: Literal["show", "history"]
    who: str = Field(max_length=64)


class _RunButton(BaseModel):
    model_config = _STRICT
    v: Literal[1]
    command: str = Field(max_length=200)


def from_message(activity: Activity) -> c.Command:
    """A typed message, or a button of an old client (Action.Submit: data in `value`, text ignored)."""
    if isinstance(activity.value, dict):
        data = dict(activity.value)
        verb = data.pop("verb", None)
        return from_button(verb, data)
    text, mentions = _spoken(activity)
    return parse(text, mentions)


def from_action(value: object) -> c.Command:
    """An `adaptiveCard/action` invoke. An automatic refresh is read-only, whatever it carries."""
    action = value.get("action") if isinstance(value, dict) else None
    if not isinstance(action, dict) or action.get("type") != "Action.Execute":
        return c.Tampered("action")
    data = action.get("data")
    verb = action.get("verb")
    if isinstance(value, dict) and value.get("trigger") == "automatic":
        verb = verbs.REFRESH
    return from_button(verb, data if isinstance(data, dict) else {})


def from_dialog(value: object) -> c.Command:
    """A `task/fetch` invoke: only what may be shown in a dialog and nowhere else is asked for so."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict) or data.get("verb") != verbs.SHOW_PASS:
        return c.Tampered("dialog")
    rest = {key: each for key, each in data.items() if key not in ("verb", verbs.DIALOG)}
    try:
        said = _RequestButton.model_validate(rest)
    except ValidationError:
        return c.Tampered("data")
    return c.ShowPass(c.RequestId(said.change_id), c.CardRef(said.change_id, said.nonce))


def is_run(value: object) -> bool:
    """A button that says a command: its answer is a message of its own, the card stays."""
    action = value.get("action") if isinstance(value, dict) else None
    return isinstance(action, dict) and action.get("verb") == verbs.RUN


def from_button(verb: object, data: Mapping[str, Any]) -> c.Command:
    """What one of our buttons says, or Tampered when it is not exactly one of ours."""
    if not isinstance(verb, str):
        return c.Tampered("verb")
    try:
        if verb == verbs.APPROVE:
            return _approve(_ApproveButton.model_validate(data))
        if verb == verbs.REJECT:
            return _reject(_RejectButton.model_validate(data))
        if verb == verbs.BATCH:
            said = _BatchButton.model_validate(data)
            card = c.CardRef(said.change_id, said.nonce)
            return c.OfBatch(c.BatchWord(said.word), c.RequestId(said.change_id), card)
        if verb in verbs.REQUEST_VERBS:
            return _request(verb, _RequestButton.model_validate(data))
        if verb in verbs.FORM_VERBS:
            return _form(verb, _FormButton.model_validate(data))
        if verb in verbs.ONBOARDING_VERBS:
            return onboarding_buttons.read(verb, data)
        if verb == verbs.CHOOSE:
            return _chosen(_ChooseButton.model_validate(data))
        if verb == verbs.RUN:
            return parse(_RunButton.model_validate(data).command)
    except ValidationError:
        return c.Tampered("data")
    return c.Tampered("verb")


def conversation_of(activity: Activity, oid: str, tenant_id: str) -> Conversation:
    """How to reach the sender later, and how they read."""
    client = _client_info(activity)
    timezone = client.get("timezone") or activity.local_timezone
    return Conversation(
        oid=oid,
        tenant_id=tenant_id,
        conversation_id=activity.conversation.id,
        service_url=activity.service_url,
        user_mri=activity.from_property.id or "",
        locale=str(activity.locale or client.get("locale") or "en-US")[:35],
        timezone=str(timezone or "UTC")[:64],
    )


def _request(verb: str, data: _RequestButton) -> c.Command:
    card = c.CardRef(data.change_id, data.nonce)
    request = c.RequestId(data.change_id)
    match verb:
        case verbs.SUBMIT:
            return c.Submit(card)
        case verbs.CANCEL:
            return c.Cancel(request, card)
        case verbs.WITHDRAW:
            return c.Withdraw(request, card)
        case verbs.NOT_ME:
            return c.NotMe(request, card)
        case _:
            # A pass, too, asked for in any way but that of its dialog: the card is shown, nothing is made.
            return c.Refresh(card)


def _approve(data: _ApproveButton) -> c.Command:
    how = How(data.how) if data.how else None
    line = " ".join((data.line or "").split())[: verbs.LINE_LENGTH]
    return c.Approve(c.RequestId(data.change_id), c.CardRef(data.change_id, data.nonce), how, line)


def _reject(data: _RejectButton) -> c.Command:
    card = c.CardRef(data.change_id, data.nonce)
    kind = NoKind(data.kind) if data.kind else NoKind.NOT_NOW
    return c.Reject(c.RequestId(data.change_id), (data.because or "").strip(), card, kind)


def _form(verb: str, data: _FormButton) -> c.Command:
    who = read_who(split(data.who or "", {}).words)
    slot = next((slot for slot in Slot if slot.value == data.slot), None)
    reason, ticket = (data.reason or "").strip()[:500], (data.ticket or "").strip()[:120]
    said: _Said = {"reason": reason, "ticket": ticket, "from_form": True, "proof": _proof(data)}
    if verb == verbs.FORM_REMOVE:
        return c.RemovePhone(who, slot, **said)
    if verb == verbs.FORM_SWAP:
        return c.Swap(who, **said)
    if verb == verbs.FORM_PASS:
        return c.IssuePass(who, **said)
    if verb in (verbs.FORM_SMS_ON, verbs.FORM_SMS_OFF):
        return c.SmsSignIn(who, verb == verbs.FORM_SMS_ON, **said)
    return c.SetPhone(who, slot, (data.number or "").strip() or None, **said)


class _Said(TypedDict):
    reason: str
    ticket: str
    from_form: bool
    proof: Proof | None


def _proof(data: _FormButton) -> Proof | None:
    """How the caller was verified; without a method there is none, whatever else was typed."""
    method = next((method for method in Method if method.value == data.proof), None)
    evidence = " ".join((data.evidence or "").split())[: verbs.EVIDENCE_LENGTH]
    return Proof(method.value, evidence) if method else None


def _chosen(data: _ChooseButton) -> c.Command:
    oid = object_id(data.who)
    if oid is None:
        return c.Tampered("who")
    who = c.Who(c.WhoKind.OID, oid)
    return c.Show(who) if data.verb == "show" else c.History(who)


def _spoken(activity: Activity) -> tuple[str, dict[str, str]]:
    """The text without the bot's own mention, and the other mentions by their exact text.

    Cut by entity, once: the SDK's own way cuts every occurrence of the bot's name out of the command.
    """
    text = activity.text or ""
    mentions: dict[str, str] = {}
    me = activity.recipient.id if activity.recipient else None
    for entity in activity.entities or ():
        extra = entity.additional_properties or {}
        mentioned, said = extra.get("mentioned"), extra.get("text")
        if entity.type != "mention" or not isinstance(mentioned, dict) or not isinstance(said, str):
            continue
        if mentioned.get("id") == me:
            text = text.replace(said, " ", 1)
        else:
            mentions[html.unescape(said)] = object_id(str(mentioned.get("aadObjectId", ""))) or ""
    return html.unescape(text).replace("\u00a0", " ").strip(), mentions


def _client_info(activity: Activity) -> dict[str, Any]:
    for entity in activity.entities or ():
        if entity.type == "clientInfo":
            return dict(entity.additional_properties or {})
    return {}
