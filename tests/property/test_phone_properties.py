"""Phone numbers of all countries: one form, one mask, and no way out in clear but `reveal`."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import traceback

import orjson
import phonenumbers
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from bot.domain.phone import (
    BULLETS,
    LINE_TYPES,
    NumberRules,
    PhoneNumber,
    Purpose,
    Slot,
    read_directory_number,
    read_number,
)
from bot.domain.reason import Refusal

RULES = NumberRules()
_TYPES = [kind for kind in LINE_TYPES if kind != PhoneNumberType.UNKNOWN]
SAMPLES = [
    *(
        sample
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in _TYPES
        if (sample := phonenumbers.example_number_for_type(region, kind)) is not None
    ),
    *map(
        phonenumbers.example_number_for_non_geo_entity,
        sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS),
    ),
]
samples = st.sampled_from(SAMPLES)
formats = st.sampled_from([PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164])
digits = st.text("0123456789", min_size=4, max_size=14)
numbers = st.builds(
    PhoneNumber, st.sampled_from(["1", "44", "370", "49"]), digits, st.text("0123456789", max_size=5)
)


@given(samples, formats, st.sampled_from(Slot))
@settings(max_examples=1200, deadline=None)
def test_a_valid_number_is_accepted_as_the_policy_says(
    sample: phonenumbers.PhoneNumber, form: int, slot: Slot
) -> None:
    """Numbers of every country are accepted by their kind of line, in one form, with no digit lost."""
    allowed = RULES.office_line_types if slot is Slot.OFFICE else RULES.mobile_line_types
    got = read_number(phonenumbers.format_number(sample, form), slot, RULES)
    nowhere = phonenumbers.region_code_for_number(sample) in (None, "001")
    if nowhere or LINE_TYPES[phonenumbers.number_type(sample)] not in allowed:
        assert isinstance(got, Refusal)
        assert got.code == "policy.number-line-type"
        return
    assert isinstance(got, PhoneNumber)
    clear = got.reveal(Purpose.SEND)
    assert re.fullmatch(r"\+[1-9][0-9]{0,2} [0-9]{2,15}", clear)
    assert clear.replace(" ", "") == phonenumbers.format_number(sample, PhoneNumberFormat.E164)
    assert got.same_as(read_directory_number(clear))
    assert got == read_number(clear, slot, RULES)


@given(numbers)
@settings(max_examples=300, deadline=None)
def test_the_mask_shows_calling_code_and_last_two_only(number: PhoneNumber) -> None:
    """Two numbers with the same code and ending look the same, whatever their length and extension."""
    assert number.masked == f"+{number.country} {BULLETS} {number.national[-2:]}"
    assert number.masked == PhoneNumber(number.country, "9" * 15 + number.national[-2:], "7").masked
    assert str(number) == f"{number}" == f"{number:s}" == number.masked


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    number: PhoneNumber
    more: dict[str, PhoneNumber]


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    number: PhoneNumber
    anything: object


def _ways_out(number: PhoneNumber) -> list[str]:
    holder, model = Holder(number, {"a": number}), Model(number=number, anything=number)
    record = logging.LogRecord("x", 20, "x", 1, "%s %r", (number, holder), None)
    ways = [
        lambda: f"{number} {number!r} {number!s} {number:>60} {holder} {[number]} {(number,)}",
        lambda: "%s %r" % (number, holder),  # noqa: UP031 - an old way out, too
        lambda: str(dataclasses.asdict(holder)) + str(dataclasses.astuple(holder)),
        lambda: json.dumps(holder, default=str) + json.dumps(number, default=repr),
        lambda: json.dumps(dataclasses.asdict(holder)),
        lambda: json.dumps(dataclasses.asdict(number)),  # type: ignore[call-overload]
        lambda: json.dumps(vars(number)),
        lambda: orjson.dumps(holder).decode(),
        lambda: orjson.dumps(holder, default=str).decode(),
        lambda: orjson.dumps(number).decode(),
        lambda: repr(model) + str(model) + str(model.model_dump()),
        lambda: model.model_dump_json(),
        lambda: str(model.model_dump(mode="json")),
        lambda: pydantic.TypeAdapter(object).dump_json(holder).decode(),
        lambda: pydantic.TypeAdapter(object).dump_json(number).decode(),
        lambda: str(pydantic.TypeAdapter(int).validate_python(number)),
        lambda: record.getMessage(),
        lambda: int(number),  # type: ignore[call-overload]
        lambda: number + "",  # type: ignore[operator]
        lambda: {}[number],
    ]
    told = []
    for way in ways:
        try:
            told.append(str(way()))
        except Exception:
            told.append(traceback.format_exc())
    try:
        raise ValueError("bad number", number, holder)
    except ValueError as error:
        told += [str(error), repr(error), traceback.format_exc()]
    return told


@given(numbers.filter(lambda number: len(number.national) >= 6))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nothing_but_reveal_gives_a_number_in_clear(number: PhoneNumber) -> None:
    """Text, logs, errors, JSON and dumps of whatever holds a number show its mask or fail, never digits."""
    for told in _ways_out(number):
        assert number.national not in told
        assert number.national[:-2] not in told.replace(" ", "")


@given(
    st.text(max_size=60) | st.from_regex(r"\A[+(]{0,2}[0-9 ()x;,./=a-eE٣３-]{0,40}\Z"), st.sampled_from(Slot)
)
@settings(max_examples=900, deadline=None)
def test_any_text_is_a_number_or_a_reason(text: str, slot: Slot) -> None:
    """No text raises, and a number never has a digit that was not typed, in that order."""
    got = read_number(text, slot, RULES)
    if isinstance(got, PhoneNumber):
        typed = iter(text)
        assert all(digit in typed for digit in got.country + got.national + got.extension)
        assert text.strip().startswith("+")
    else:
        assert isinstance(got, Refusal)
        assert got.reason.code.split(".")[0] in ("usage", "policy")


HOSTILE = [
    lambda e164: e164 + ";phone-context=evil",
    lambda e164: "tel:" + e164,
    lambda e164: "+" + e164,
    lambda e164: e164.translate({48 + n: 0x0660 + n for n in range(10)}),
    lambda e164: e164.translate({48 + n: 0xFF10 + n for n in range(10)}),
    lambda e164: e164.replace("+", "\uff0b"),
    lambda e164: e164.replace("+", "00"),
    lambda e164: e164.removeprefix("+"),
    lambda e164: e164 + " x5",
    lambda e164: e164[:4] + "\u200b" + e164[4:],
    lambda e164: e164[:-1] + "\u202e" + e164[-1],
    lambda e164: e164[:-2] + "OO",
    lambda e164: e164 + "\n" + e164,
    lambda e164: e164 + " / " + e164,
]


@given(samples, st.sampled_from(HOSTILE))
@settings(max_examples=500, deadline=None)
def test_hostile_spellings_of_good_numbers_are_refused(
    sample: phonenumbers.PhoneNumber, spell: object
) -> None:
    """A good number in foreign digits, with parameters, letters, unseen characters or no plus is refused."""
    e164 = phonenumbers.format_number(sample, PhoneNumberFormat.E164)
    assert callable(spell)
    assert isinstance(read_number(spell(e164), Slot.MOBILE, RULES), Refusal)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_directory_value_is_read(text: str) -> None:
    """Whatever the directory holds, a masked number comes back."""
    assert BULLETS in read_directory_number(text).masked
