"""The pretend Graph driven by Microsoft's own client: what it sends is taken, what it gets it understands.

The client is an independent reader of the same wire: nothing here is written by the authors of the simulator.
One module, so that the client is imported once.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sandbox_desk import ALTERNATE, MOBILE, OFFICE, Desk, open_desk

pytest.importorskip("msgraph", reason="the official client is a test extra")

with warnings.catch_warnings():
    # The client's own modules use names that it has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kiota_abstractions.authentication import (
        AccessTokenProvider,
        AllowedHostsValidator,
        BaseBearerTokenAuthenticationProvider,
    )
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_abstractions.method import Method
    from kiota_abstractions.request_information import RequestInformation
    from kiota_abstractions.serialization import ParseNodeFactoryRegistry
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.authentication_method_state import AuthenticationMethodState
    from msgraph.generated.models.authentication_methods_policy_migration_state import (
        AuthenticationMethodsPolicyMigrationState,
    )
    from msgraph.generated.models.authentication_phone_type import AuthenticationPhoneType
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.phone_authentication_method import PhoneAuthenticationMethod
    from msgraph.generated.models.phone_authentication_method_collection_response import (
        PhoneAuthenticationMethodCollectionResponse,
    )
    from msgraph.generated.users.item.check_member_groups.check_member_groups_post_request_body import (
        CheckMemberGroupsPostRequestBody,
    )
    from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder
    from msgraph.graph_request_adapter import options
    from msgraph_core import GraphClientFactory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NUMBER = "+1 2065550150"
KINDS = {
    "mobile": (AuthenticationPhoneType.Mobile, MOBILE),
    "alternateMobile": (AuthenticationPhoneType.AlternateMobile, ALTERNATE),
    "office": (AuthenticationPhoneType.Office, OFFICE),
}


class _Token(AccessTokenProvider):
    """A token that was made beforehand."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:
        return self._token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


class Official:
    """The official client on the world of a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        # Closing the client does not close its connections, so the transport is ours to close.
        self._transport = httpx.AsyncHTTPTransport()
        http = GraphClientFactory.create_with_default_middleware(
            client=httpx.AsyncClient(transport=self._transport), options=options
        )
        provider = BaseBearerTokenAuthenticationProvider(_Token(desk.token))
        self.adapter = GraphRequestAdapter(provider, client=http)
        self.adapter.base_url = f"{desk.running.graph}/v1.0"
        self.graph = GraphServiceClient(request_adapter=self.adapter)

    async def aclose(self) -> None:
        await self._transport.aclose()

    def user(self, alias: str) -> UserItemRequestBuilder:
        return self.graph.users.by_user_id(self.desk.oid(alias))

    def phones(self, alias: str) -> Any:
        return self.user(alias).authentication.phone_methods

    def phone(self, alias: str, method: str = MOBILE) -> Any:
        return self.phones(alias).by_phone_authentication_method_id(method)

    async def batch(self, **items: RequestInformation) -> dict[str, dict[str, Any]]:
        """The answers by id. The client's own batch class needs a package that it does not ask for."""
        rows = []
        for name, info in items.items():
            url = info.url.removeprefix(self.adapter.base_url)
            rows.append({"id": name, "method": info.http_method.value, "url": url})
        outer = RequestInformation(Method.POST, "{+baseurl}/$batch", {"baseurl": self.adapter.base_url})
        outer.set_stream_content(json.dumps({"requests": rows}).encode(), "application/json")
        answer = await self.adapter.send_primitive_async(outer, "bytes", {"XXX": ODataError})
        return {each["id"]: each for each in json.loads(answer)["responses"]}


@pytest_asyncio.fixture
async def official(tmp_path: Path) -> AsyncIterator[Official]:
    async with open_desk(tmp_path) as desk:
        client = Official(desk)
        yield client
        await client.aclose()


def parsed(body: Any, kind: Any) -> Any:
    """A body of a batch item, read by the client's own parser."""
    node = ParseNodeFactoryRegistry().get_root_parse_node("application/json", json.dumps(body).encode())
    return node.get_object_value(kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_create_list_get_update_delete(official: Official, kind: str) -> None:
    """All five operations for each of the three types; the journal holds three effects."""
    phone_type, method = KINDS[kind]
    alias = "marta" if kind != "mobile" else "hugo"
    have = await official.desk.phones(alias)
    made = await official.phones(alias).post(
        PhoneAuthenticationMethod(phone_number=NUMBER, phone_type=phone_type)
    )
    assert (made.id, made.phone_number, made.phone_type) == (method, NUMBER, phone_type)
    listed = await official.phones(alias).get()
    assert {each.id: each.phone_number for each in listed.value}[method] == NUMBER
    assert len(listed.value) == len(have) + 1
    change = PhoneAuthenticationMethod(phone_number="+1 2065550151", phone_type=phone_type)
    assert await official.phone(alias, method).patch(change) is None
    assert (await official.phone(alias, method).get()).phone_number == "+1 2065550151"
    await official.phone(alias, method).delete()
    assert await official.desk.phones(alias) == have
    assert [e["method"] for e in await official.desk.effects()] == ["POST", "PATCH", "DELETE"]


async def test_sms_sign_in_on_and_off(official: Official) -> None:
    """Both actions answer without a body; the state is one the client knows by name."""
    await official.desk.control("PATCH", "", {"rules": {"sms_usable_for_sign_in": True}})
    for action, state in (("enable_sms_sign_in", "ready"), ("disable_sms_sign_in", "notEnabled")):
        assert await getattr(official.phone("alice"), action).post() is None
        assert (await official.phone("alice").get()).sms_sign_in_state.value == state


async def test_people_are_searched_and_filtered(official: Official) -> None:
    """$search with its header, $filter with $select and $top, a count, and the next page."""
    builder = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters
    asked = RequestConfiguration(
        query_parameters=builder(search='"displayName:frost" OR "mail:alice"', count=True)
    )
    asked.headers.add("ConsistencyLevel", "eventual")
    found = await official.graph.users.get(asked)
    assert found.odata_count == 3
    assert {each.display_name for each in found.value} == {"Alice Anders", "Xavier Frost", "Xena Frost"}
    asked = RequestConfiguration(
        query_parameters=builder(
            filter="surname eq 'O''Brien'", select=["id", "employeeId", "assignedLicenses"]
        )
    )
    (one,) = (await official.graph.users.get(asked)).value
    assert one.id == official.desk.oid("siobhan")
    assert [str(each.sku_id) for each in one.assigned_licenses] == ["05e9a617-0261-4cee-bb44-138d3ef5d965"]
    page = await official.graph.users.get(RequestConfiguration(query_parameters=builder(top=7)))
    rest = await official.graph.users.with_url(page.odata_next_link).get()
    assert not {each.id for each in page.value} & {each.id for each in rest.value}


async def test_one_person_and_their_manager(official: Official) -> None:
    """A guest's UPN is encoded by the client and found; the manager comes as a user."""
    guest = official.desk.world["people"]["gina"]
    found = await official.graph.users.by_user_id(guest["upn"]).get()
    assert (found.id, found.user_principal_name) == (guest["oid"], guest["upn"])
    manager = await official.user("alice").manager.get()
    assert (manager.odata_type, manager.id) == ("#microsoft.graph.user", official.desk.oid("marta"))
    with pytest.raises(ODataError) as none:
        await official.user("mina").manager.get()
    assert none.value.response_status_code == 404


async def test_membership(official: Official) -> None:
    """checkMemberGroups through nesting, and the groups of a person as groups."""
    groups = official.desk.world["role_groups"]
    body = CheckMemberGroupsPostRequestBody(group_ids=[groups["operator"], groups["approver"]])
    held = await official.user("nadia").check_member_groups.post(body)
    assert held.value == [groups["operator"]]
    asked: RequestConfiguration[Any] = RequestConfiguration()
    asked.headers.add("ConsistencyLevel", "eventual")
    builder = official.user("nadia").transitive_member_of.graph_group
    asked.query_parameters = builder.GraphGroupRequestBuilderGetQueryParameters(count=True)
    assert {each.id for each in (await builder.get(asked)).value} >= {groups["operator"]}


async def test_refusals_are_error_objects(official: Official) -> None:
    """Status, code, text and the request id of Graph, for each back end."""
    cases = [
        (official.phone("alice", OFFICE).get(), 404, "resourceNotFound"),
        (official.phone("alice").enable_sms_sign_in.post(), 400, "disabledByPolicy"),
        (official.phone("ruth").delete(), 403, "accessDenied"),
        (official.graph.users.by_user_id("nobody@contoso.example").get(), 404, "Request_ResourceNotFound"),
    ]
    for work, status, code in cases:
        with pytest.raises(ODataError) as refused:
            await work
        assert refused.value.response_status_code == status
        assert refused.value.error.code == code
        assert refused.value.error.message
        assert len(refused.value.error.inner_error.request_id) == 36


async def test_number_not_unique_is_409_and_saved(official: Official) -> None:
    """The client sees the refusal; the number is there all the same."""
    await official.desk.control("PATCH", "", {"rules": {"sms_usable_for_sign_in": True}})
    taken = (await official.desk.phones("sasha"))["mobile"]
    with pytest.raises(ODataError) as refused:
        await official.phones("hugo").post(
            PhoneAuthenticationMethod(phone_number=taken, phone_type=AuthenticationPhoneType.Mobile)
        )
    assert (refused.value.response_status_code, refused.value.error.code) == (409, "phoneNumberNotUnique")
    found = await official.phone("hugo").get()
    assert (found.phone_number, found.sms_sign_in_state.value) == (taken, "phoneNumberNotUnique")


async def test_429_is_retried_by_the_client(official: Official) -> None:
    """One refusal with Retry-After: the client waits and asks again by itself."""
    fault = {"kind": "status", "status": 429, "retry_after": 1, "path": "phoneMethods"}
    await official.desk.control("POST", "/faults", fault)
    assert len((await official.phones("alice").get()).value) == 1
    _, body, _ = await official.desk.control("GET", "/requests?server=graph&verb=GET")
    assert [each["status"] for each in body["requests"]] == [429, 200]


async def test_a_batch_is_answered_item_by_item(official: Official) -> None:
    """A good answer, a refusal and a throttled item, each read by the client's own models."""
    fault = {"kind": "status", "status": 429, "retry_after": 7, "path": official.desk.oid("marta")}
    await official.desk.control("POST", "/faults", fault)
    answers = await official.batch(
        good=official.phones("alice").to_get_request_information(),
        none=official.phone("alice", OFFICE).to_get_request_information(),
        late=official.phones("marta").to_get_request_information(),
    )
    assert {name: each["status"] for name, each in answers.items()} == {"good": 200, "none": 404, "late": 429}
    (phone,) = parsed(answers["good"]["body"], PhoneAuthenticationMethodCollectionResponse).value
    assert phone.phone_type is AuthenticationPhoneType.Mobile
    assert parsed(answers["none"]["body"], ODataError).error.code == "resourceNotFound"
    assert answers["late"]["headers"]["Retry-After"] == "7"


async def test_methods_come_as_their_own_types(official: Official) -> None:
    """Every kind of method becomes the client's class for it, with the fields that class has."""
    kinds = [
        *("password", "email", "fido2", "microsoftAuthenticator", "softwareOath", "temporaryAccessPass"),
        *("windowsHelloForBusiness", "platformCredential", "qrCodePin", "external"),
    ]
    await official.desk.control("PATCH", "/people/alice", {"other_methods": kinds})
    found = (await official.user("alice").authentication.methods.get()).value
    names = {type(each).__name__.casefold() for each in found}
    assert names == {f"{kind}AuthenticationMethod".casefold() for kind in [*kinds, "phone"]}
    assert all(each.created_date_time for each in found)


async def test_policies_are_understood(official: Official) -> None:
    """State, targets, the sign-in switch per target and the migration state, as the client's enums."""
    group = official.desk.world["groups"]["Sales team"]["id"]
    rules = {
        "sms_targets": ["all_users", group],
        "sms_sign_in_targets": [group],
        "sms_excluded": [official.desk.world["role_groups"]["admin"]],
        "voice_state": "disabled",
        "migration_state": "migrationInProgress",
    }
    await official.desk.control("PATCH", "", {"rules": rules})
    policy = await official.graph.policies.authentication_methods_policy.get()
    assert policy.policy_migration_state is AuthenticationMethodsPolicyMigrationState.MigrationInProgress
    sms, voice, email, tap = policy.authentication_method_configurations
    assert [each.is_usable_for_sign_in for each in sms.include_targets] == [False, True]
    assert [each.id for each in sms.exclude_targets] == rules["sms_excluded"]
    assert voice.state is AuthenticationMethodState.Disabled
    assert voice.is_office_phone_allowed is True
    assert (email.id, tap.default_lifetime_in_minutes) == ("Email", 60)
    one = official.graph.policies.authentication_methods_policy.authentication_method_configurations
    assert (await one.by_authentication_method_configuration_id("sms").get()).id == "Sms"
    await official.desk.control("PATCH", "", {"permissions": ["Policy.Read.All"]})
    assert (await official.graph.policies.authorization_policy.get()).allowed_to_use_s_s_p_r is True


async def test_reports_licences_and_group_eligibility(official: Official) -> None:
    """The registration report, the licences and PIM for groups in the client's own shapes."""
    row = official.graph.reports.authentication_methods.user_registration_details
    alice = await row.by_user_registration_details_id(official.desk.oid("alice")).get()
    assert (alice.methods_registered, alice.is_mfa_capable) == (["mobilePhone"], True)
    assert alice.user_preferred_method_for_secondary_authentication.value == "sms"
    (licence,) = (await official.user("sasha").license_details.get()).value
    assert licence.sku_part_number == "SPE_F1"
    assert "AAD_PREMIUM" in {plan.service_plan_name for plan in licence.service_plans}
    builder = official.graph.identity_governance.privileged_access.group.eligibility_schedule_instances
    parameters = builder.EligibilityScheduleInstancesRequestBuilderGetQueryParameters
    for alias, access in (("pia", "member"), ("oona", "owner")):
        asked = RequestConfiguration(
            query_parameters=parameters(filter=f"principalId eq '{official.desk.oid(alias)}'")
        )
        (found,) = (await builder.get(asked)).value
        assert found.access_id.value == access
        assert found.group_id == official.desk.world["groups"]["Key keepers"]["id"]


async def test_deleted_people(official: Official) -> None:
    """A deleted person is in the bin with the moment of deletion, and nowhere else."""
    gone = (await official.graph.directory.deleted_items.graph_user.get()).value
    assert [each.id for each in gone] == [official.desk.oid("dean")]
    assert gone[0].deleted_date_time is not None
    with pytest.raises(ODataError) as refused:
        await official.phones("dean").get()
    assert refused.value.error.message == "Request Authorization failed"


async def test_a_page_inside_a_batch_comes_in_base64(official: Official) -> None:
    """An answer that is no JSON does not break the batch around it."""
    fault = {"kind": "html", "path": official.desk.oid("alice")}
    await official.desk.control("POST", "/faults", fault)
    answers = await official.batch(page=official.user("alice").to_get_request_information())
    assert b"<html>" in base64.b64decode(answers["page"]["body"])
