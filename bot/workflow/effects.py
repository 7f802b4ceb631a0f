"""One operation at the directory: what it holds now, whether a guard has to act, and the one write.

Knows which reading and which call belong to which kind of operation. Must not know states or the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.change import Operation, OpKind
from bot.domain.methods import Default
from bot.domain.people import Phones
from bot.domain.phone import PhoneNumber
from bot.ports import DirectoryUnavailable, Receipt
from bot.workflow.parts import Parts

SMS_ON, SMS_OFF = "sms:on", "sms:off"
DEFAULT = "default:"


class Reading(StrEnum):
    """A reading of what an operation is about, against the plan."""

    NEW = "new"
    EARLIER = "earlier"
    OTHER = "other"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Seen:
    """now: masked or in words, "empty", or "" when the directory was silent. number: what the slot holds."""

    reading: Reading
    now: str = ""
    number: PhoneNumber | None = field(default=None, repr=False)


class Effects:
    """The directory as the plan sees it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def look(self, oid: str, operation: Operation) -> Seen:
        """Where the operation stands. Never raises for a silent directory."""
        try:
            if operation.kind is OpKind.KEEP_DEFAULT:
                return self._against(operation, *await self._default(oid))
            return self.seen_in(await self._parts.directory.phones(oid), operation)
        except DirectoryUnavailable:
            return Seen(Reading.SILENT)

    def seen_in(self, phones: Phones, operation: Operation) -> Seen:
        """The same in phones that were just read."""
        if operation.kind in (OpKind.SET, OpKind.REMOVE):
            held = phones.get(operation.slot)
            return self._against(
                operation, self._parts.number_key(held), held.masked if held else "empty", held
            )
        on = phones.sms_sign_in == "ready"
        return self._against(operation, SMS_ON if on else SMS_OFF, "on" if on else "off")

    def _against(self, operation: Operation, key: str, now: str, number: PhoneNumber | None = None) -> Seen:
        if key == operation.after_key or self._is_kept(operation, key):
            return Seen(Reading.NEW, now, number)
        if operation.kind.conditional or key == operation.before_key:
            return Seen(Reading.EARLIER, now, number)
        return Seen(Reading.OTHER, now, number)

    async def perform(
        self, oid: str, operation: Operation, number: PhoneNumber | None, call_id: str
    ) -> Receipt:
        """Exactly one write. Raises the three directory exceptions."""
        match operation.kind:
            case OpKind.SET | OpKind.REMOVE:
                # Not told what the slot holds: the read before finds a dead line, on which a write is lost.
                return await self._parts.directory.write(oid, operation, number, call_id)
            case OpKind.SMS_ON | OpKind.SMS_OFF | OpKind.KEEP_SMS_OFF:
                enable = operation.kind is OpKind.SMS_ON
                return await self._parts.directory.sms_sign_in(oid, enable, call_id)
            case OpKind.KEEP_DEFAULT:
                default = Default(operation.after_key.removeprefix(DEFAULT))
                return await self._parts.directory.set_default(oid, default, call_id)
            case OpKind.BATCH | OpKind.PASS:
                raise ValueError("it is not carried out by the worker in one write")

    async def _default(self, oid: str) -> tuple[str, str]:
        sign_in = await self._parts.directory.sign_in(oid)
        if not sign_in.readable or sign_in.default is None:
            raise DirectoryUnavailable("the default sign-in method cannot be read")
        return DEFAULT + sign_in.default.value, sign_in.default.value

    def _is_kept(self, operation: Operation, key: str) -> bool:
        """A default that became stronger is no downgrade."""
        if operation.kind is not OpKind.KEEP_DEFAULT:
            return False
        now = Default(key.removeprefix(DEFAULT))
        return now.weaker_than(Default(operation.after_key.removeprefix(DEFAULT))) is False
