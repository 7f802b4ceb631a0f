"""The shapes of Graph's answers that we read, and nothing else of them.

Outside data enters here: everything is checked, unknown properties are dropped, and an answer of another
shape raises DirectoryUnavailable without repeating it. Sources: Graph docs "user", "directoryRole", "group",
"unifiedRoleAssignment", "phoneAuthenticationMethod", "paging", and the v1.0 metadata for what may be null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.domain.methods import SmsState
from bot.domain.people import Person, Phones, object_id
from bot.domain.phone import Slot, read_directory_number
from bot.ports import DirectoryUnavailable

PERSON_SELECT = (
    "id,displayName,userPrincipalName,mail,jobTitle,department,employeeId,accountEnabled,userType,"
    "onPremisesSyncEnabled,createdDateTime,isManagementRestricted,usageLocation,lastPasswordChangeDateTime,"
    "employeeHireDate"
)
#: Fixed ids of the phone methods (Graph docs "phoneAuthenticationMethod").
METHOD_IDS = {
    Slot.MOBILE: "3179e48a-750b-4051-897c-87b9720928f7",
    Slot.ALTERNATE: "b6332ec1-7057-4abe-9331-3d72feddfe41",
    Slot.OFFICE: "e37fc753-ff3b-4958-9484-eaa9425c82bc",
}
_SLOTS = {method_id: slot for slot, method_id in METHOD_IDS.items()}
_T = TypeVar("_T")


def checked_id(text: str) -> str:
    """A GUID in lower case, fit for a path. Raises ValueError for anything else."""
    oid = object_id(text)
    if oid is None:
        raise ValueError("not an object id")
    return oid


Id = Annotated[str, AfterValidator(checked_id)]


class Row(BaseModel):
    # Names are Graph's own, so that a reader can look them up.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)


class UserRow(Row):
    id: Id
    displayName: str | None = None  # noqa: N815
    userPrincipalName: str = ""  # noqa: N815
    mail: str | None = None
    jobTitle: str | None = None  # noqa: N815
    department: str | None = None
    employeeId: str | None = None  # noqa: N815
    accountEnabled: bool | None = None  # noqa: N815
    userType: str | None = None  # noqa: N815
    onPremisesSyncEnabled: bool | None = None  # noqa: N815
    createdDateTime: datetime | None = None  # noqa: N815
    isManagementRestricted: bool | None = None  # noqa: N815
    usageLocation: str | None = None  # noqa: N815
    lastPasswordChangeDateTime: datetime | None = None  # noqa: N815
    employeeHireDate: datetime | None = None  # noqa: N815

    def person(self) -> Person:
        """Not told to be enabled counts as disabled. #EXT# accounts are of another directory: guests."""
        return Person(
            oid=self.id,
            name=self.displayName or self.userPrincipalName,
            upn=self.userPrincipalName,
            mail=self.mail,
            department=self.department,
            job_title=self.jobTitle,
            employee_id=self.employeeId,
            enabled=self.accountEnabled is True,
            guest=(self.userType or "").lower() == "guest" or "#ext#" in self.userPrincipalName.lower(),
            synced=self.onPremisesSyncEnabled is True,
            restricted_unit=self.isManagementRestricted is True,
            usage_location=self.usageLocation,
            created_at=self.createdDateTime,
            password_changed_at=self.lastPasswordChangeDateTime,
            hired_at=self.employeeHireDate,
        )


class RoleRow(Row):
    """directoryRole. Without the right to read roles Graph gives the id only."""

    id: str
    displayName: str | None = None  # noqa: N815
    roleTemplateId: str | None = None  # noqa: N815


class RoleGrantRow(Row):
    """unifiedRoleAssignment or unifiedRoleEligibilityScheduleInstance."""

    principalId: str  # noqa: N815
    roleDefinitionId: str  # noqa: N815


class GroupRow(Row):
    id: Id
    displayName: str | None = None  # noqa: N815
    isAssignableToRole: bool | None = None  # noqa: N815
    isManagementRestricted: bool | None = None  # noqa: N815

    @property
    def name(self) -> str:
        return self.displayName or self.id


class PhoneRow(Row):
    id: str
    phoneNumber: str | None = None  # noqa: N815
    smsSignInState: str | None = None  # noqa: N815


class Page(Row, Generic[_T]):
    """One page of a list; next: where the rest is."""

    value: list[_T]
    next: str | None = Field(None, alias="@odata.nextLink")


class PimGroupRow(Row):
    """privilegedAccessGroupEligibilityScheduleInstance: accessId is member or owner."""

    groupId: Id  # noqa: N815
    accessId: str  # noqa: N815


class BatchItem(Row):
    """One answer inside a batch. body: as Graph gave it, not yet checked."""

    id: str
    status: int
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Any = Field(None, repr=False)

    def header(self, name: str) -> str | None:
        """Header names are compared without case, as in HTTP."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    def answers(self, asked: Sequence[object]) -> bool:
        """Whether it answers one of our questions."""
        return self.id.isascii() and self.id.isdecimal() and int(self.id) < len(asked)


class BatchAnswer(Row):
    responses: list[BatchItem]


UserPage = Page[UserRow]
RolePage = Page[RoleRow]
RoleGrantPage = Page[RoleGrantRow]
GroupPage = Page[GroupRow]
PhonePage = Page[PhoneRow]
IdPage = Page[Id]
PimGroupPage = Page[PimGroupRow]


def phones_of(methods: list[PhoneRow]) -> Phones:
    """The methods by slot. A kind we do not know is left out; so is one without a number."""
    by_slot, sms = {}, {}
    for method in methods:
        slot = _SLOTS.get(method.id.lower())
        if slot is not None and method.phoneNumber:
            by_slot[slot] = read_directory_number(method.phoneNumber)
            sms[slot] = word(SmsState, method.smsSignInState)
    return Phones(by_slot, sms)


_Word = TypeVar("_Word", bound=StrEnum)


def word(kind: type[_Word], text: str | None) -> _Word:
    """The word of that kind; its `unknown` for what is missing or new, so that new words break nothing."""
    try:
        return kind(text or "unknown")
    except ValueError:
        return kind("unknown")


_Shape = TypeVar("_Shape", bound=BaseModel)


def read_row(shape: type[_Shape], body: object) -> _Shape:
    """The answer (bytes of JSON, or a parsed part of a batch) in that shape.

    Raises DirectoryUnavailable, without a word of the answer.
    """
    try:
        return shape.model_validate_json(body) if isinstance(body, bytes) else shape.model_validate(body)
    except ValidationError:
        raise DirectoryUnavailable("Graph answered in a form we do not know") from None
