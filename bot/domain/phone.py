"""Phone numbers: slots, strict reading, one canonical form, one mask.

Knows the numbering plans (libphonenumber metadata) and the form Microsoft Graph wants. Must not know
where a number comes from or goes to, nor any policy beyond the `NumberRules` it is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberType as _Type

from bot.domain import reasons
from bot.domain.reason import Refusal

BULLETS = "••••••"


class Slot(StrEnum):
    """The three places Entra keeps a phone in. Values are Graph's phoneType (phoneAuthenticationMethod)."""

    MOBILE = "mobile"
    ALTERNATE = "alternateMobile"
    OFFICE = "office"

    @property
    def word(self) -> str:
        """What people type and read: `mobile`, `alternate mobile`, `office`."""
        return "alternate mobile" if self is Slot.ALTERNATE else self.value


class Purpose(StrEnum):
    """Why a clear number is asked for. A reader of the code can find every place by these words."""

    SEND = "send to the directory"
    COMPARE = "compare or seal"
    READ_BACK = "the requester reads it back to the caller"


def calling_code(region: str) -> str:
    """`44` for `GB`; "" for what is no country with phone numbers."""
    code = phonenumbers.country_code_for_region(region)
    return str(code) if code else ""


class PhoneNumber:
    """One number. `str`, `repr` and formatting are masked; only `reveal` gives it in clear.

    country: calling code without plus, e.g. "1". national: digits, e.g. "2065550100".
    extension: digits, or "" (Graph honours it for the office slot only).

    Not a dataclass on purpose: `asdict`, orjson and pydantic would walk its fields and write them out in
    clear. As it is, they keep the masked value or raise TypeError, and so does pickle.
    """

    __slots__ = ("country", "extension", "national")
    country: str
    national: str
    extension: str

    def __init__(self, country: str, national: str, extension: str = "") -> None:
        object.__setattr__(self, "country", country)
        object.__setattr__(self, "national", national)
        object.__setattr__(self, "extension", extension)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a phone number does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a phone number does not change")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhoneNumber) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __copy__(self) -> PhoneNumber:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> PhoneNumber:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a phone number is sealed, not pickled")

    def _parts(self) -> tuple[str, str, str]:
        return self.country, self.national, self.extension

    def reveal(self, purpose: Purpose) -> str:
        """`+1 2065550100x123`: Graph's form, exactly one space (page "phoneAuthenticationMethod").

        The purpose is for the reader of the code; nothing is done with it.
        """
        return f"+{self.country} {self.national}" + (f"x{self.extension}" if self.extension else "")

    @property
    def masked(self) -> str:
        """`+1 •••••• 00`: calling code and the last two digits, never the length, never the extension."""
        return f"+{self.country} {BULLETS} {self.national[-2:]}"

    def same_as(self, other: PhoneNumber | None) -> bool:
        """Digits and extension are equal; spacing does not count."""
        return (
            other is not None
            and self.country + self.national == other.country + other.national
            and self.extension == other.extension
        )

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"PhoneNumber({self.masked})"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The `[numbers]` table of the policy. countries: ISO codes, empty = all."""

    countries: frozenset[str] = frozenset()
    mobile_line_types: frozenset[str] = frozenset({"mobile", "fixed_line_or_mobile"})
    office_line_types: frozenset[str] = frozenset(
        {"fixed_line", "fixed_line_or_mobile", "mobile", "voip", "uan"}
    )


LINE_TYPES = {
    _Type.FIXED_LINE: "fixed_line",
    _Type.MOBILE: "mobile",
    _Type.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    _Type.TOLL_FREE: "toll_free",
    _Type.PREMIUM_RATE: "premium_rate",
    _Type.SHARED_COST: "shared_cost",
    _Type.VOIP: "voip",
    _Type.PERSONAL_NUMBER: "personal_number",
    _Type.PAGER: "pager",
    _Type.UAN: "uan",
    _Type.VOICEMAIL: "voicemail",
    _Type.UNKNOWN: "unknown",
}
EXAMPLES = {
    Slot.MOBILE: "+1 202 555 0123",
    Slot.ALTERNATE: "+1 202 555 0123",
    Slot.OFFICE: "+1 202 555 0123 x45",
}

# libphonenumber reads vanity letters, full-width digits and `;phone-context=`: all refused before it looks.
_ALLOWED = re.compile(r"[+0-9 ()./\u00a0-]{5,32}\Z")
_LONGEST = 48
_NO_COUNTRY = "001"
_EXTENSION = re.compile(r"[ ,;]*(?:x|ext\.?|extension)[ .:]*([0-9]{1,7})\s*\Z", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")
# Digits of any script; between them what people write there, and characters nobody sees.
_BETWEEN = r"[\s().\-/_\u00ad\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]{0,3}"
# What is no number although it has as many digits: dates, tickets (INC0012345, #1234567), request and object
# ids. More than nine digits behind letters may be a number after all, and so may words in small letters.
_KEPT = (
    rf"(?<![A-Za-z0-9])(?:{_DATE.pattern}|(?:[A-Z]{{2,10}}[-_]?|\#)[0-9]{{1,9}}|R-[0-9A-Z]{{6}}(?:-[0-9A-F]{{4}})?"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?![A-Za-z0-9]|[-./ ]?[0-9])"
)
_IN_TEXT = re.compile(rf"(?P<kept>{_KEPT})|\+?\d(?:{_BETWEEN}\d){{6,}}")
_FROM_DIRECTORY = re.compile(r"\+([0-9]{1,3}) ?([0-9]{2,15})(?:[xX]([0-9]{1,20}))?\Z", re.ASCII)


def read_number(text: str, slot: Slot, rules: NumberRules, region: str = "") -> PhoneNumber | Refusal:
    """A typed number as a canonical value, or the one reason why not. Nothing is ever guessed.

    text: what a person typed, with its country code. Full width, letters and tel: parameters are refused.
    region: ISO code of the country that they chose for a number without one.
    """
    raw = text.strip()
    main, extension = _split_extension(raw) if len(raw) <= _LONGEST else (raw, "")
    shape = _shape_refusal(main, extension, slot, national=bool(calling_code(region)))
    if shape is not None:
        return shape
    try:
        parsed = phonenumbers.parse(main, region or None)
    except phonenumbers.NumberParseException:
        return reasons.NUMBER_NOT_VALID.refuse(slot=slot.word, example=EXAMPLES[slot])
    if not phonenumbers.is_valid_number(parsed):
        return reasons.NUMBER_NOT_VALID.refuse(slot=slot.word, example=EXAMPLES[slot])
    national = phonenumbers.national_significant_number(parsed)
    if not re.sub(r"[^0-9]", "", main).endswith(national):
        # Some plans complete a local number (Norfolk Island, a 3 in front): a digit that nobody typed.
        return reasons.NUMBER_NOT_VALID.refuse(slot=slot.word, example=EXAMPLES[slot])
    number = PhoneNumber(str(parsed.country_code), national, extension)
    return _rule_refusal(parsed, slot, rules) or number


def read_directory_number(text: str) -> PhoneNumber:
    """A number as Graph returned it (`+1 2065550100x12`), whatever its quality. Never raises.

    Numbers that predate the format rule come back whole in `national` with the plan's calling code cut off.
    """
    match = _FROM_DIRECTORY.match(text.strip())
    if match and " " in text.strip():  # without the space only the plan knows where the country ends
        return PhoneNumber(match[1], match[2], match[3] or "")
    try:
        parsed = phonenumbers.parse(text, None)
        return PhoneNumber(
            str(parsed.country_code),
            phonenumbers.national_significant_number(parsed),
            parsed.extension or "",
        )
    except phonenumbers.NumberParseException:
        digits = re.sub(r"[^0-9]", "", text) or "00"
        return PhoneNumber("?", digits, "")


def against_rules(number: PhoneNumber, slot: Slot, rules: NumberRules) -> Refusal | None:
    """Why the policy does not let this number be set, or None."""
    try:
        parsed = phonenumbers.parse(f"+{number.country}{number.national}", None)
    except phonenumbers.NumberParseException:
        return reasons.NUMBER_NOT_VALID.refuse(slot=slot.word, example=EXAMPLES[slot])
    return _rule_refusal(parsed, slot, rules)


def country_of(number: PhoneNumber) -> str:
    """ISO country code of a number, "" where the plan has none or several cannot be told apart."""
    try:
        parsed = phonenumbers.parse(f"+{number.country}{number.national}", None)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(parsed) or ""


def line_kind(number: PhoneNumber) -> str:
    """The kind of line by the numbering plan, a value of `LINE_TYPES`; "unknown" where it has none."""
    try:
        parsed = phonenumbers.parse(f"+{number.country}{number.national}", None)
    except phonenumbers.NumberParseException:
        return "unknown"
    return LINE_TYPES.get(phonenumbers.number_type(parsed), "unknown")


def _split_extension(raw: str) -> tuple[str, str]:
    match = _EXTENSION.search(raw)
    return (raw[: match.start()], match[1]) if match else (raw, "")


def _shape_refusal(main: str, extension: str, slot: Slot, *, national: bool) -> Refusal | None:
    example = EXAMPLES[slot]
    if any(ch.isalpha() for ch in main):
        return reasons.NUMBER_HAS_LETTERS.refuse(example=example)
    if not _ALLOWED.match(main) or main.count("+") > 1 or ("+" in main and not main.startswith("+")):
        return reasons.NUMBER_NOT_VALID.refuse(slot=slot.word, example=example)
    if not main.startswith("+") and not national:
        return reasons.NUMBER_NEEDS_COUNTRY.refuse(example=example)
    if extension and slot is not Slot.OFFICE:
        return reasons.NUMBER_EXTENSION.refuse(slot=slot.word)
    return None


def _rule_refusal(parsed: phonenumbers.PhoneNumber, slot: Slot, rules: NumberRules) -> Refusal | None:
    region = phonenumbers.region_code_for_number(parsed) or _NO_COUNTRY
    kind = LINE_TYPES.get(phonenumbers.number_type(parsed), "unknown")
    if region == _NO_COUNTRY:
        kind = "satellite or international"  # libphonenumber calls them mobile or voip; nobody allows them
    allowed = rules.office_line_types if slot is Slot.OFFICE else rules.mobile_line_types
    if kind not in allowed:
        return reasons.NUMBER_LINE_TYPE.refuse(
            slot=slot.word, kind=kind.replace("_", " "), allowed=", ".join(sorted(allowed)).replace("_", " ")
        )
    if rules.countries and region not in rules.countries:
        return reasons.NUMBER_COUNTRY.refuse(country=region, allowed=", ".join(sorted(rules.countries)))
    return None


def hide_numbers(text: str) -> str:
    """Free text with everything that could be a phone number masked: what people type into a reason.

    Seven digits or more of any script, however spaced, become `•••••• 00`. Tickets (INC0012345), ids and
    dates (2026-03-02) stay.
    """
    return _IN_TEXT.sub(lambda match: match["kept"] or f"{BULLETS} {_digits(match[0])[-2:]}", text)


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())
