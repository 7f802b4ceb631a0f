"""Buttons of onboarding cards to commands.

Knows the data of each button. Believes nothing in it but the reference it carries and the fields that a
person fills in; anything else raises pydantic's ValidationError, and the whole click is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.domain import onboarding_commands as oc
from bot.domain.change import How
from bot.domain.command import CardRef, Command
from bot.domain.onboarding import Bridge, Stage
from bot.domain.phone import Slot
from cards import verbs

_STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
_ID, _NONCE = "[0-9A-Z]{6}", "[0-9a-f]{32}"
_BRIDGES = {verbs.KEEP: Bridge.KEEP, verbs.DEMOTE: Bridge.DEMOTE, verbs.REMOVE: Bridge.REMOVE}


class _Button(BaseModel):
    model_config = _STRICT
    v: Literal[1]
    change_id: str = Field(pattern=f"^{_ID}$")
    nonce: str = Field(pattern=f"^{_NONCE}$")

    @property
    def card(self) -> CardRef:
        return CardRef(self.change_id, self.nonce)


class _Filled(_Button):
    slot: str | None = Field(default=None, max_length=32)
    region: str | None = Field(default=None, max_length=8)
    number: str | None = Field(default=None, max_length=200)
    last_four: str | None = Field(default=None, max_length=20)


class _Confirmed(_Button):
    last_four: str | None = Field(default=None, max_length=20)


class _AllBut(BaseModel):
    """but: ids of requests with commas between, as a choice of several comes."""

    model_config = _STRICT
    v: Literal[1]
    cards: str = Field(pattern=f"^{_ID}:{_NONCE}(,{_ID}:{_NONCE}){{0,24}}$")
    but: str | None = Field(default=None, pattern=f"^({_ID}(,{_ID}){{0,24}})?$")
    how: Literal["", "in-person", "known-number", "did-not"] = ""
    line: str | None = Field(default=None, max_length=400)


def read(verb: str, data: Mapping[str, Any]) -> Command:
    """The command of one button. Raises ValidationError when the data is not exactly one of ours."""
    if verb == verbs.ONBOARDING:
        filled = _Filled.model_validate(data)
        slot = next((slot for slot in Slot if slot.value == filled.slot), None)
        typed = (filled.number or "").strip(), (filled.last_four or "").strip()
        return oc.Register(filled.card, slot, (filled.region or "").strip(), *typed)
    if verb == verbs.ALL_BUT:
        return _all_but(_AllBut.model_validate(data))
    if verb == verbs.CONFIRM:
        confirmed = _Confirmed.model_validate(data)
        return oc.Confirm(True, (confirmed.last_four or "").strip(), confirmed.card)
    card = _Button.model_validate(data).card
    if verb == verbs.NOT_MINE:
        return oc.Confirm(False, card=card)
    if verb in _BRIDGES:
        return oc.ChooseBridge(_BRIDGES[verb], card)
    return oc.TakeWayOut(Stage.NO_PHONE if verb == verbs.NO_PHONE else Stage.PREFERS_NOT, card)


def _all_but(data: _AllBut) -> Command:
    pairs = (each.split(":") for each in data.cards.split(","))
    how = How(data.how) if data.how else None
    but = frozenset(each for each in (data.but or "").split(",") if each)
    line = " ".join((data.line or "").split())[: verbs.LINE_LENGTH]
    return oc.ApproveAllBut(tuple(CardRef(change_id, nonce) for change_id, nonce in pairs), but, how, line)
