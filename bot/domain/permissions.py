"""Every permission of Microsoft Graph that the bot can use: why, for which calls, and what breaks without it.

The one table behind docs/permissions.md and behind the words about a missing permission. Must not know how a
call is made. Sources: Graph docs "permissions-reference" and the permission tables of the pages named there;
the ids of app roles are the same in every tenant, and left out where none was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

PHONE_ONLY, DEFAULT_GUARD = "phone-only", "default-guard"
PROFILES = (PHONE_ONLY, DEFAULT_GUARD)


@dataclass(frozen=True, slots=True)
class Permission:
    """One application permission. app_role: its id, "" = look it up by name.

    profiles: those that use it. needed: without it the bot cannot do its work at all in these profiles.
    tier_zero: whoever holds it can take over any account of the tenant.
    """

    name: str
    app_role: str
    why: str
    calls: tuple[str, ...]
    without: str
    profiles: tuple[str, ...] = PROFILES
    needed: bool = True
    tier_zero: bool = False


WRITE_PHONES = Permission(
    "UserAuthMethod-Phone.ReadWrite.All",
    "6e85d483-7092-4375-babe-0a94a8213a58",
    "Read and change the phones people sign in with, and switch sign-in by text message.",
    (
        "GET, POST /users/{id}/authentication/phoneMethods",
        "PATCH, DELETE /users/{id}/authentication/phoneMethods/{slot}",
        "POST /users/{id}/authentication/phoneMethods/{mobile}/enableSmsSignIn, disableSmsSignIn",
    ),
    "Nothing can be shown or changed. With READ_ONLY=true UserAuthMethod-Phone.Read.All "
    "(f529a223-ea70-43ec-b268-5012de2fbaa2) is enough.",
    tier_zero=True,
)
WRITE_METHODS = Permission(
    "UserAuthenticationMethod.ReadWrite.All",
    "50483e42-d915-4231-9639-7fdb7fd190e5",
    "Put the default sign-in method back when a change of phones has moved it.",
    ("PATCH /beta/users/{id}/authentication/signInPreferences",),
    "A moved default is told, not put back. To see it, UserAuthenticationMethod.Read.All "
    "(38d9df27-64da-44fd-b7c5-a6fbac20248f) is enough.",
    (DEFAULT_GUARD,),
    needed=False,
    tier_zero=True,
)
ISSUE_PASSES = Permission(
    "UserAuthMethod-TAP.ReadWrite.All",
    "627169a8-8c15-451c-861a-5b80e383de5c",
    "Issue a Temporary Access Pass for a new person, where the policy sets [onboarding] pass_minutes.",
    ("POST /users/{id}/authentication/temporaryAccessPassMethods",),
    "The request for a pass fails with the reason, and nothing else changes. It is as powerful as "
    "UserAuthMethod-Phone.ReadWrite.All, since whoever holds it can sign in as anybody: do not grant it "
    "where no passes are issued.",
    needed=False,
    tier_zero=True,
)
_READ_METHODS = Permission(
    "UserAuthenticationMethod.Read.All",
    "38d9df27-64da-44fd-b7c5-a6fbac20248f",
    "See the default sign-in method and the other methods, before and after a change.",
    (
        "GET /beta/users/{id}/authentication/signInPreferences",
        "GET /users/{id}/authentication/methods",
    ),
    "Approvers are told before deciding that nobody can see what happens to the default method. "
    "UserAuthenticationMethod.ReadWrite.All includes it.",
    (DEFAULT_GUARD,),
    needed=False,
)
TABLE: tuple[Permission, ...] = (
    WRITE_PHONES,
    Permission(
        "User.Read.All",
        "df021288-bdef-4463-88db-98f22de89214",
        "Find people, their managers, whether an account is enabled, its licences, its last password change.",
        (
            "GET /users, /users/{id}, /users/{id}/manager",
            "GET /users/{id}/ownedObjects/microsoft.graph.group",
            "GET /users/{id}/licenseDetails",
            "GET /directory/deletedItems/microsoft.graph.user",
        ),
        "Nobody can be found; every command is refused. (User.ReadBasic.All is not enough: it hides "
        "employee ids, departments and disabled accounts.)",
    ),
    Permission(
        "GroupMember.Read.All",
        "98830695-27a2-44f7-8c18-0c3ebc9698f6",
        "Know who has which role here, who may approve, and which groups protect a person.",
        (
            "POST /users/{id}/checkMemberGroups",
            "GET /users/{id}/transitiveMemberOf",
            "GET /groups/{id}, /groups/{id}/transitiveMembers",
        ),
        "Everybody is refused: roles and protection cannot be read, and without an answer the answer is no.",
    ),
    Permission(
        "RoleManagement.Read.Directory",
        "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
        "Recognise people with directory roles, held or eligible, so that they are never changed here.",
        (
            "GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole",
            "GET /roleManagement/directory/roleAssignments",
            "GET /roleManagement/directory/roleEligibilityScheduleInstances",
        ),
        "Every change is refused: who is protected cannot be told.",
    ),
    Permission(
        "PrivilegedEligibilitySchedule.Read.AzureADGroup",
        "",
        "Recognise people who may make themselves members or owners of a role-assignable group (PIM for "
        "Groups).",
        ("GET /identityGovernance/privilegedAccess/group/eligibilityScheduleInstances",),
        "Every change is refused, except in a tenant without the licence for PIM, where nobody is eligible.",
    ),
    Permission(
        "Policy.Read.AuthenticationMethod",
        "",
        "Say whether the tenant's policy lets a person use texts, calls and sign-in by text message.",
        ("GET /policies/authenticationMethodsPolicy",),
        "`check` and previews say “cannot tell” where they would name the policy and the group.",
        needed=False,
    ),
    Permission(
        "AuditLog.Read.All",
        "b0afded3-3588-46d8-8b3d-9842eff778da",
        "Say whether a person can reset the password by themselves, and what is missing; say how long "
        "somebody has had their manager, where the policy wants an age; count who has which methods (all "
        "need Entra ID P1).",
        (
            "GET /reports/authenticationMethods/userRegistrationDetails, and the same with /{id}",
            "GET /auditLogs/directoryAudits (the docs ask for Directory.Read.All beside it in some tenants)",
        ),
        "`report` is refused; answers about password reset become “cannot tell”; a manager counts whose "
        "relation may be new, and the card says that it could not be read.",
        needed=False,
    ),
    Permission(
        "EntitlementManagement.Read.All",
        "",
        "Know who stands in for an approver who is out, where the policy says stand_ins = true.",
        ("GET /beta/users/{id}/identityGovernance/approverDelegate",),
        "The fallback is asked, and the card says that nobody could read who stands in. By its page (beta, "
        "2026) Microsoft Graph tells it to signed-in people only, so that this is the rule for an app today.",
        needed=False,
    ),
    Permission(
        "TeamsAppInstallation.ReadWriteSelfForUser.All",
        "",
        "Install this app for new people whom the bot cannot reach, where the policy says install = true.",
        ("POST /users/{id}/teamwork/installedApps",),
        "Whoever cannot be reached stands in `onboarding report` with the reason. It is for the app of the "
        "bot itself: with a GRAPH_APP_ID of its own it does not hold.",
        needed=False,
    ),
    Permission(
        "AppCatalog.Read.All",
        "",
        "Find this app in the catalogue, to install it for new people (install = true).",
        ("GET /appCatalogs/teamsApps",),
        "As without TeamsAppInstallation.ReadWriteSelfForUser.All.",
        needed=False,
    ),
    Permission(
        "LifecycleWorkflows.Read.All",
        "",
        "Notice that a lifecycle workflow is to make a Temporary Access Pass for a new person: a phone that "
        "is there before it would break that run.",
        ("GET /identityGovernance/lifecycleWorkflows/workflows, and /{id}/tasks, /{id}/executionScope",),
        "Nobody looks: begin onboardings after such runs.",
        needed=False,
    ),
    ISSUE_PASSES,
    _READ_METHODS,
    WRITE_METHODS,
)
