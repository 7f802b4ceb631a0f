"""The licences of a person as Graph lists them.

Sources: Graph docs "user-list-licensedetails", "assignedlicense"; ids from Microsoft's public list "Product
names and service plan identifiers for licensing". Knows a few products only: those that carry the Entra plans
which SMS sign-in asks for, and one that does not.
"""

from __future__ import annotations

from typing import Any

from ..world import Person, stable_id
from .call import Answer, Call

_P1 = ("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM")
_P2 = ("eec0eb4f-6444-4f95-aba0-50c24d67f998", "AAD_PREMIUM_P2")
_EXCHANGE = ("9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD")
_DESKLESS = ("4a82b400-a79f-41a4-b4e2-e94f5787b113", "EXCHANGE_S_DESKLESS")
#: SKU part number -> id and service plans.
SKUS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "SPE_E3": ("05e9a617-0261-4cee-bb44-138d3ef5d965", (_P1, _EXCHANGE)),
    "SPE_E5": ("06ebc4ee-1bb5-47dd-8120-11324bc54e06", (_P1, _P2, _EXCHANGE)),
    "SPE_F1": ("66b55226-6b4f-492c-910c-a3b7a3c9d993", (_P1, _DESKLESS)),
    "M365_F1": ("44575883-256e-4a79-9da4-ebe9acabe2b2", (_P1,)),
    "DESKLESSPACK": ("4b585984-651b-448a-9e53-3b10f069cf7f", (_DESKLESS,)),
    "EMS": ("efccb6f7-5641-4e0e-bd10-b4976e1bf68e", (_P1,)),
    "AAD_PREMIUM": ("078d2b04-f1bd-4111-bbd8-b4b1b354cef4", (_P1,)),
    "AAD_PREMIUM_P2": ("84a661c4-e949-4bd2-a560-ed7766fcaf2b", (_P2,)),
    "STANDARDPACK": ("18181a46-0d4e-45cd-891e-60aabd171b4e", (_EXCHANGE,)),
}
_READ = (
    *("LicenseAssignment.Read.All", "User.Read.All", "User.ReadWrite.All"),
    *("Directory.Read.All", "Directory.ReadWrite.All"),
)


def _held(person: Person) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Known products only: (part number, SKU id, plans)."""
    return [(name, *SKUS[name]) for name in person.licences if name in SKUS]


def assigned(person: Person) -> list[dict[str, Any]]:
    """The property assignedLicenses."""
    return [{"disabledPlans": [], "skuId": sku} for _, sku, _ in _held(person)]


def plans(person: Person) -> list[dict[str, Any]]:
    """The property assignedPlans."""
    given = person.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {
            "assignedDateTime": given,
            "capabilityStatus": "Enabled",
            "service": "AADPremiumService" if name.startswith("AAD") else "exchange",
            "servicePlanId": plan,
        }
        for _, _, have in _held(person)
        for plan, name in have
    ]


def details(call: Call) -> Answer:
    """GET /users/{id}/licenseDetails."""
    call.only_options("select")
    call.allow(*_READ)
    person = call.person(call.args["user"])
    rows = [
        {
            "id": stable_id(person.oid, name),
            "skuId": sku,
            "skuPartNumber": name,
            "servicePlans": [
                {
                    "servicePlanId": plan,
                    "servicePlanName": title,
                    "provisioningStatus": "Success",
                    "appliesTo": "User",
                }
                for plan, title in have
            ],
        }
        for name, sku, have in _held(person)
    ]
    context = f"{call.root}/$metadata#users('{call.args['user']}')/licenseDetails"
    return Answer(200, {"@odata.context": context, "value": rows})
