"""The table of operations: every operation x precondition, with how it ends and what the directory then took.

Knows what is right, in rows. Must not know how a row is played: see `table_drive`.
"""

from __future__ import annotations

from table_drive import GLOBAL_ADMIN, Row, World

GUEST = {"user_type": "Guest"}
DISABLED = {"enabled": False}
SYNCED = {"synced": True}
PROTECTED = {"roles": [GLOBAL_ADMIN]}
MAY_BECOME = {"eligible": [GLOBAL_ADMIN]}
UNIT = {"management_restricted": True}
FRONTLINE = {"other_methods": [], "sms_state": "ready", "licences": ["SPE_F1"]}
READY = {"sms_state": "ready"}
APP = {"other_methods": ["password", "microsoftAuthenticator"]}
PUSH = {**APP, "default_method": "push"}
SMS, CALL = {"default_method": "sms"}, {"default_method": "voiceMobile"}
CALL_ALTERNATE, CALL_OFFICE = {"default_method": "voiceAlternateMobile"}, {"default_method": "voiceOffice"}
OPERATOR = "Phone desk operators"
UNREADABLE = "I cannot read which sign-in method is the default"
KEPT = "The default sign-in method stays as it is"
LAST_PHONE = "It is the only phone of"
KEPT_OFF = "I switch that off again"
GUARD = {"GRAPH_PROFILE": "default-guard"}

# Codes by text and calls for everybody, no sign-in by text; the default method cannot be read.
PLAIN = World(
    "codes only",
    (
        Row("no phone", "", "show", "shown"),
        Row("one phone", "M", "show", "shown", says=("•••••• ",)),
        Row("three phones", "MAO", "show", "shown", says=("alternate mobile",)),
        Row("synced", "M", "show", "shown", fields=SYNCED),
        Row("guest", "M", "show", "shown", fields=GUEST),
        Row("disabled", "M", "show", "shown", fields=DISABLED),
        Row("protected", "M", "show", "shown", fields=PROTECTED),
        Row("own phones, no role", "M", "show-me", "shown", by="self"),
        Row("own phones by name, no role", "M", "show", "access.not-allowed", by="self"),
        Row("somebody else's, no role", "M", "show", "access.not-allowed", by="mallory"),
        # set mobile
        Row("empty", "", "set mobile N", "done", "mobile ->N", (UNREADABLE,)),
        Row("other", "M", "set mobile N", "done", "mobile M>N", ("The old number stops working",)),
        Row("same", "M", "set mobile M", "already"),
        Row("alternate beside", "MA", "set mobile N", "done", "mobile M>N"),
        Row("office beside, empty", "O", "set mobile N", "done", "mobile ->N"),
        Row("default", "M", "set mobile N", "done", "mobile M>N", fields=SMS),
        Row("synced", "M", "set mobile N", "done", "mobile M>N", fields=SYNCED),
        Row("guest", "M", "set mobile N", "policy.no-rule", fields=GUEST),
        Row("disabled", "M", "set mobile N", "policy.target-disabled", fields=DISABLED),
        Row("protected", "M", "set mobile N", "policy.protected", fields=PROTECTED),
        Row("eligible for a role", "M", "set mobile N", "policy.protected", fields=MAY_BECOME),
        Row("in a role-assignable group", "M", "set mobile N", "policy.protected", group="Key keepers"),
        Row("restricted unit", "M", "set mobile N", "policy.protected", fields=UNIT),
        Row("disabled and protected", "M", "set mobile N", "policy.target-disabled policy.protected",
            fields={**DISABLED, **PROTECTED}),
        Row("same, disabled", "M", "set mobile M", "policy.target-disabled", fields=DISABLED),
        Row("no role", "M", "set mobile N", "access.not-allowed", by="mallory"),
        Row("own number", "M", "set mobile N", "policy.own-number", by="self", group=OPERATOR),
        Row("operator", "M", "set mobile N", "done", "mobile M>N", group=OPERATOR, decides="sven"),
        Row("premium line", "M", "set mobile +19005550142", "policy.number-line-type"),
        Row("extension", "M", "set mobile +12065550142x12", "usage.number-extension"),
        Row("no manager", "M", "set mobile N", "done", "mobile M>N",
            fields={"manager": None}, decides="arthur"),
        # set alternate mobile
        Row("empty, mobile present", "M", "set alternate N", "done", "alternate ->N"),
        Row("other", "MA", "set alternate N", "done", "alternate A>N"),
        Row("same", "MA", "set alternate A", "already"),
        Row("no mobile", "", "set alternate N", "policy.mobile-first"),
        Row("no mobile, office present", "O", "set alternate N", "policy.mobile-first"),
        Row("default", "MA", "set alternate N", "done", "alternate A>N", fields=CALL_ALTERNATE),
        Row("synced", "M", "set alternate N", "done", "alternate ->N", fields=SYNCED),
        Row("guest", "M", "set alternate N", "policy.no-rule", fields=GUEST),
        Row("disabled", "M", "set alternate N", "policy.target-disabled", fields=DISABLED),
        Row("protected", "M", "set alternate N", "policy.protected", fields=PROTECTED),
        Row("protected, no mobile", "", "set alternate N", "policy.protected policy.mobile-first",
            fields=PROTECTED),
        # set office
        Row("empty", "", "set office N", "done", "office ->N"),
        Row("empty, with extension", "M", "set office +12065550142x12", "done", "office ->+1 2065550142x12"),
        Row("other", "O", "set office N", "done", "office O>N"),
        Row("same", "MO", "set office O", "already"),
        Row("default", "MO", "set office N", "done", "office O>N", fields=CALL_OFFICE),
        Row("synced", "O", "set office N", "done", "office O>N", fields=SYNCED),
        Row("guest", "O", "set office N", "policy.no-rule", fields=GUEST),
        Row("disabled", "O", "set office N", "policy.target-disabled", fields=DISABLED),
        Row("protected", "O", "set office N", "policy.protected", fields=PROTECTED),
        # remove
        Row("present, alone", "M", "remove mobile", "done", "mobile M>-", (LAST_PHONE,)),
        Row("empty", "O", "remove mobile", "policy.nothing-to-remove"),
        Row("alternate present", "MA", "remove mobile", "policy.alternate-still-there"),
        Row("office present", "MO", "remove mobile", "done", "mobile M>-"),
        Row("default, alone", "M", "remove mobile", "done", "mobile M>-", fields=SMS),
        Row("default, others exist", "MO", "remove mobile", "failed directory.default-method",
            says=(UNREADABLE, "Graph request id"), fields=SMS),
        Row("default, Authenticator", "M", "remove mobile", "failed directory.default-method",
            fields={**APP, **CALL}),
        Row("synced", "M", "remove mobile", "done", "mobile M>-", fields=SYNCED),
        Row("guest", "M", "remove mobile", "policy.no-rule", fields=GUEST),
        Row("disabled", "M", "remove mobile", "policy.target-disabled", fields=DISABLED),
        Row("protected", "M", "remove mobile", "policy.protected", fields=PROTECTED),
        Row("present", "MA", "remove alternate", "done", "alternate A>-"),
        Row("empty", "M", "remove alternate", "policy.nothing-to-remove"),
        Row("default, others exist", "MA", "remove alternate", "failed directory.default-method",
            fields=CALL_ALTERNATE),
        Row("guest", "MA", "remove alternate", "policy.no-rule", fields=GUEST),
        Row("disabled", "MA", "remove alternate", "policy.target-disabled", fields=DISABLED),
        Row("protected", "MA", "remove alternate", "policy.protected", fields=PROTECTED),
        Row("synced", "MA", "remove alternate", "done", "alternate A>-", fields=SYNCED),
        Row("present", "MO", "remove office", "done", "office O>-"),
        Row("alone", "O", "remove office", "done", "office O>-", (LAST_PHONE,)),
        Row("empty", "M", "remove office", "policy.nothing-to-remove"),
        Row("default, alone", "O", "remove office", "done", "office O>-", fields=CALL_OFFICE),
        Row("default, others exist", "MO", "remove office", "failed directory.default-method",
            fields=CALL_OFFICE),
        Row("protected", "O", "remove office", "policy.protected", fields=PROTECTED),
        Row("synced", "O", "remove office", "done", "office O>-", fields=SYNCED),
        Row("guest", "O", "remove office", "policy.no-rule", fields=GUEST),
        Row("disabled", "O", "remove office", "policy.target-disabled", fields=DISABLED),
        Row("no role", "M", "remove mobile", "access.not-allowed", by="mallory"),
        # swap
        Row("both present", "MA", "swap", "done", "mobile M>A; alternate A>-",
            ("afterwards there is no alternate mobile",)),
        Row("office beside", "MAO", "swap", "done", "mobile M>A; alternate A>-"),
        Row("no alternate", "M", "swap", "policy.no-alternate"),
        Row("no phone", "", "swap", "policy.no-alternate"),
        Row("mobile is the default", "MA", "swap", "done", "mobile M>A; alternate A>-", fields=SMS),
        Row("alternate is the default, unread", "MA", "swap", "failed directory.half-done", "mobile M>A",
            fields=CALL_ALTERNATE),
        Row("synced", "MA", "swap", "done", "mobile M>A; alternate A>-", fields=SYNCED),
        Row("guest", "MA", "swap", "policy.no-rule", fields=GUEST),
        Row("disabled", "MA", "swap", "policy.target-disabled", fields=DISABLED),
        Row("protected", "MA", "swap", "policy.protected", fields=PROTECTED),
        Row("no role", "MA", "swap", "access.not-allowed", by="mallory"),
        # SMS sign-in
        Row("not usable for sign-in", "M", "sms-on", "directory.sms-not-allowed"),
        Row("no mobile", "", "sms-on", "policy.no-mobile-for-sms"),
        Row("office only", "O", "sms-on", "policy.no-mobile-for-sms"),
        Row("guest", "M", "sms-on", "policy.sms-not-for-guests policy.no-rule", fields=GUEST),
        Row("off already", "M", "sms-off", "already"),
        Row("no mobile", "", "sms-off", "policy.no-mobile-for-sms"),
        # check
        Row("codes only", "M", "check mobile N", "yes/yes/yes/no", says=("second factor only",)),
        Row("alternate, mobile present", "M", "check alternate N", "no/yes/no/no"),
        Row("alternate, no mobile", "", "check alternate N", "no/no/no/no"),
        Row("office", "M", "check office N", "no/yes/yes/no"),
        Row("registered", "M", "check mobile", "yes/yes/yes/no"),
        Row("guest", "M", "check mobile N", "yes/yes/yes/no", fields=GUEST),
        Row("disabled", "M", "check mobile N", "no/no/no/no", fields=DISABLED),
        Row("protected", "M", "check mobile N", "yes/yes/yes/no", fields=PROTECTED),
        Row("empty, no number said", "", "check mobile", "usage.malformed"),
        Row("extension", "M", "check office +12065550142x12", "no/yes/no/no"),
        Row("no role", "M", "check mobile N", "access.not-allowed", by="mallory"),
    ),
)  # fmt: skip

GUESTS = World(
    "a rule for guests",
    (
        Row("empty", "", "set mobile N", "done", "mobile ->N", fields=GUEST),
        Row("other", "M", "set mobile N", "done", "mobile M>N", fields=GUEST),
        Row("same", "M", "set mobile M", "already", fields=GUEST),
        Row("alternate", "M", "set alternate N", "done", "alternate ->N", fields=GUEST),
        Row("remove", "M", "remove mobile", "done", "mobile M>-", fields=GUEST),
        Row("swap", "MA", "swap", "done", "mobile M>A; alternate A>-", fields=GUEST),
        Row("sms on", "M", "sms-on", "policy.sms-not-for-guests", fields=GUEST),
        Row("sms off", "M", "sms-off", "already", fields=GUEST),
        Row("protected guest", "M", "set mobile N", "policy.protected", fields={**GUEST, **PROTECTED}),
    ),
    rules={"sms_usable_for_sign_in": True},
    policy=(('["ordinary", "new-hire"]', '["ordinary", "new-hire", "guest"]'),),
)

DEFAULTS = World(
    "the default can be read",
    (
        Row("push", "M", "show", "shown", says=("Microsoft Authenticator",), fields=PUSH),
        Row("push, first phone", "", "set mobile N", "done", "mobile ->N",
            (KEPT, "has a stronger method"), PUSH),
        Row("push, other", "M", "set mobile N", "done", "mobile M>N", (KEPT,), PUSH),
        Row("text, other", "M", "set mobile N", "done", "mobile M>N", (KEPT,), SMS),
        Row("text, same", "M", "set mobile M", "already", fields=SMS),
        Row("none", "M", "set mobile N", "done", "mobile M>N"),
        Row("call, alternate", "M", "set alternate N", "done", "alternate ->N", (KEPT,), CALL),
        Row("text, removed, others exist", "MO", "remove mobile", "policy.default-method", fields=SMS),
        Row("call, removed, Authenticator", "M", "remove mobile", "policy.default-method",
            fields={**APP, **CALL}),
        Row("text, removed, alone", "M", "remove mobile", "done", "mobile M>-",
            ("only sign-in method", ), SMS),
        Row("push, mobile removed", "M", "remove mobile", "done", "mobile M>-", (KEPT,), PUSH),
        Row("call to alternate, removed", "MA", "remove alternate", "policy.default-method",
            fields=CALL_ALTERNATE),
        Row("text, alternate removed", "MA", "remove alternate", "done", "alternate A>-", (KEPT,), SMS),
        Row("call to office, removed", "MO", "remove office", "policy.default-method", fields=CALL_OFFICE),
        Row("call to office, alone", "O", "remove office", "done", "office O>-", fields=CALL_OFFICE),
        Row("push, swapped", "MA", "swap", "done", "mobile M>A; alternate A>-", (KEPT,), PUSH),
        Row("text, swapped", "MA", "swap", "done", "mobile M>A; alternate A>-", (KEPT,), SMS),
        Row("call to alternate, swapped", "MA", "swap", "policy.default-method", fields=CALL_ALTERNATE),
    ),
    more=GUARD,
)  # fmt: skip

MOVES = World(
    "a written phone becomes the default",
    (
        Row("push, first phone", "", "set mobile N", "done", "mobile ->N; default sms>push",
            ("I restored it",), PUSH),
        Row("push, other", "M", "set mobile N", "done", "mobile M>N; default sms>push", (KEPT,), PUSH),
        Row("push, office", "", "set office N", "done", "office ->N; default voiceOffice>push", fields=PUSH),
        Row("code, alternate", "M", "set alternate N", "done",
            "alternate ->N; default voiceAlternateMobile>oath",
            fields={"other_methods": ["password", "softwareOath"], "default_method": "oath"}),
        Row("call, other", "M", "set mobile N", "done", "mobile M>N", fields=CALL),
        Row("none", "", "set mobile N", "done", "mobile ->N"),
        Row("push, swapped", "MA", "swap", "done", "mobile M>A; alternate A>-; default sms>push",
            fields=PUSH),
    ),
    rules={"default_moves": True},
    more=GUARD,
)  # fmt: skip

SIGN_IN = World(
    "usable for sign-in",
    (
        Row("empty", "", "set mobile N", "done", "mobile ->N; sms ready>notEnabled", (KEPT_OFF,)),
        Row("other", "M", "set mobile N", "done", "mobile M>N; sms ready>notEnabled", (KEPT_OFF,)),
        Row("other, ready", "M", "set mobile N", "done", "mobile M>N", fields=READY),
        Row("same, ready", "M", "set mobile M", "already", fields=READY),
        Row("alternate", "M", "set alternate N", "done", "alternate ->N"),
        Row("office", "M", "set office N", "done", "office ->N"),
        Row("swap", "MA", "swap", "done", "mobile M>A; alternate A>-; sms ready>notEnabled"),
        Row("synced", "", "set mobile N", "done", "mobile ->N; sms ready>notEnabled", fields=SYNCED),
        Row("never on", "M", "sms-on", "done", "sms ->ready", ("without a password",)),
        Row("switched off", "M", "sms-on", "done", "sms notEnabled>ready",
            fields={"sms_state": "notEnabled"}),
        Row("on", "M", "sms-on", "already", fields=READY),
        Row("on", "M", "sms-off", "done", "sms ready>notEnabled", fields=READY),
        Row("off", "M", "sms-off", "already", fields={"sms_state": "notEnabled"}),
        Row("alternate beside", "MA", "sms-on", "done", "sms ->ready"),
        Row("synced", "M", "sms-on", "done", "sms ->ready", fields=SYNCED),
        Row("disabled", "M", "sms-on", "policy.target-disabled", fields=DISABLED),
        Row("disabled", "M", "sms-off", "policy.target-disabled", fields={**READY, **DISABLED}),
        Row("protected", "M", "sms-on", "policy.protected", fields=PROTECTED),
        Row("protected", "M", "sms-off", "policy.protected", fields={**READY, **PROTECTED}),
        Row("no role", "M", "sms-on", "access.not-allowed", by="mallory"),
        Row("synced", "M", "sms-off", "done", "sms ready>notEnabled", fields={**READY, **SYNCED}),
        Row("the default", "M", "sms-on", "done", "sms ->ready", fields=SMS),
        Row("the default", "M", "sms-off", "done", "sms ready>notEnabled", fields={**READY, **SMS}),
        Row("the default", "M", "check mobile N", "yes/yes/yes/cannot tell", fields=SMS),
        Row("synced", "M", "check mobile N", "yes/yes/yes/cannot tell", fields=SYNCED),
        Row("on", "M", "show", "shown", fields=READY),
        Row("on, frontline", "M", "check mobile", "yes/yes/yes/yes", fields=FRONTLINE),
        Row("licence missing", "M", "check mobile N", "yes/yes/yes/no", fields={"licences": []}),
        Row("new number", "M", "check mobile N", "yes/yes/yes/cannot tell"),
        Row("off", "M", "check mobile", "yes/yes/yes/no", fields={"sms_state": "notEnabled"}),
        Row("mobile removed", "M", "remove mobile", "done", "mobile M>-", fields=READY),
        Row("no password", "M", "sms-off", "done", "sms ready>notEnabled",
            ("has no password",), FRONTLINE),
    ),
    rules={"sms_usable_for_sign_in": True},
    more=GUARD,
)  # fmt: skip

AUTOMATIC = World(
    "sign-in by itself is wanted",
    (
        Row("empty", "", "set mobile N", "done", "mobile ->N", ("may also make this number a sign-in name",)),
        Row("other", "M", "set mobile N", "done", "mobile M>N"),
        Row("swap", "MA", "swap", "done", "mobile M>A; alternate A>-"),
    ),
    rules={"sms_usable_for_sign_in": True},
    policy=(("[numbers]\n", "[numbers]\nautomatic_sms_sign_in = true\n"),),
)

PARTIAL = World(
    "usable for sign-in by a group",
    (
        Row("in the group", "M", "sms-on", "done", "sms ->ready", group="Sales team"),
        Row("outside", "M", "sms-on", "directory.sms-not-allowed", says=("policy administrator includes",)),
        Row("in the group", "", "set mobile N", "done", "mobile ->N; sms ready>notEnabled",
            (KEPT_OFF,), group="Sales team"),
        Row("outside", "", "set mobile N", "done", "mobile ->N"),
        Row("excluded", "M", "sms-on", "directory.sms-not-allowed", group="Sales team"),
        Row("excluded", "", "set mobile N", "done", "mobile ->N", group="Sales team"),
        Row("in the group", "M", "check mobile N", "yes/yes/yes/cannot tell", group="Sales team"),
        Row("outside", "M", "check mobile N", "no/yes/yes/no", says=("is not meant for this person",)),
        Row("excluded", "M", "check mobile N", "no/yes/yes/no", says=("is closed to this person",),
            group="Sales team"),
    ),
    rules={
        "sms_usable_for_sign_in": True,
        "sms_targets": ["{Sales team}"],
        "sms_excluded": ["{row004}", "{row005}", "{row008}"],
    },
)  # fmt: skip

OFF = World(
    "both methods off",
    (
        Row("empty", "", "set mobile N", "done", "mobile ->N"),
        Row("other", "M", "set mobile N", "done", "mobile M>N"),
        Row("same", "M", "set mobile M", "already"),
        Row("office", "", "set office N", "done", "office ->N"),
        Row("remove", "M", "remove mobile", "done", "mobile M>-"),
        Row("swap", "MA", "swap", "done", "mobile M>A; alternate A>-"),
        Row("sms on", "M", "sms-on", "directory.sms-not-allowed"),
        Row("sms off", "M", "sms-off", "already"),
        Row("check mobile", "M", "check mobile N", "no/no/no/no", says=("is switched off in this tenant",)),
        Row("check alternate", "M", "check alternate N", "no/no/no/no"),
        Row("check office", "M", "check office N", "no/no/no/no"),
    ),
    rules={"sms_state": "disabled", "voice_state": "disabled", "sms_disabled_wording": "new"},
)

BLOCKED = World(
    "off, and the directory refuses the write",
    (
        Row("empty", "", "set mobile N", "failed directory.method-policy", says=("Graph request id",)),
        Row("other", "M", "set mobile N", "failed directory.method-policy"),
        Row("alternate", "M", "set alternate N", "failed directory.method-policy"),
        Row("office", "", "set office N", "failed directory.method-policy"),
        Row("swap", "MA", "swap", "failed directory.method-policy"),
        Row("remove", "M", "remove mobile", "done", "mobile M>-"),
        Row("same", "M", "set mobile M", "already"),
        Row("check, old policies count", "M", "check mobile N",
            "cannot tell/cannot tell/cannot tell/no", says=("migrationInProgress",)),
    ),
    rules={
        "sms_state": "disabled", "voice_state": "disabled", "policy_blocks_writes": True,
        "migration_state": "migrationInProgress",
    },
)  # fmt: skip

VOICE = World(
    "texts only; a voice number stands in the way",
    (
        Row("office beside", "MO", "sms-on", "failed directory.rule", says=("Graph request id",)),
        Row("alternate beside", "MA", "sms-on", "failed directory.rule"),
        Row("alone", "M", "sms-on", "done", "sms ->ready"),
        Row("office beside", "O", "set mobile N", "done", "mobile ->N"),
        Row("mobile", "M", "check mobile N", "yes/no/yes/cannot tell"),
        Row("office", "M", "check office N", "no/no/no/no"),
        Row("alternate", "M", "check alternate N", "no/no/no/no"),
        Row("office beside", "MO", "check mobile N", "yes/no/yes/cannot tell"),
    ),
    rules={"sms_usable_for_sign_in": True, "voice_state": "disabled", "voice_blocks_sms": True},
)

_HOLDER = {"alias": "holder", "manager": "marta", "sms_state": "ready", "phones": {"mobile": "+1 2065559999"}}
TAKEN = "+12065559999"
NOT_UNIQUE = World(
    "another person's sign-in name, and saved",
    (
        Row("empty", "", f"set mobile {TAKEN}", "done", "mobile ->+1 2065559999"),
        Row("other", "M", f"set mobile {TAKEN}", "done", "mobile M>+1 2065559999", ("belongs to another",)),
        Row("alternate", "M", f"set alternate {TAKEN}", "done", "alternate ->+1 2065559999"),
        Row("office", "", f"set office {TAKEN}", "done", "office ->+1 2065559999"),
        Row("sms on", "M", "sms-on", "failed directory.sms-not-unique",
            fields={"phones": {"mobile": "+1 2065559999"}}),
    ),
    rules={"sms_usable_for_sign_in": True},
    policy=(("[numbers]\n", "[numbers]\nshared_number_max = 0\n"),),
    holders=(_HOLDER,),
)  # fmt: skip

NOT_SAVED = World(
    "another person's sign-in name, and refused",
    (
        Row("empty", "", f"set mobile {TAKEN}", "failed directory.number-not-unique", minutes=3),
        Row("other", "M", f"set mobile {TAKEN}", "failed directory.number-not-unique", minutes=3),
        Row("office", "M", f"set office {TAKEN}", "done", "office ->+1 2065559999"),
    ),
    rules={"sms_usable_for_sign_in": True, "not_unique_saves": False},
    policy=(("[numbers]\n", "[numbers]\nshared_number_max = 0\n"),),
    holders=(_HOLDER,),
)

SHARED = World(
    "numbers of others",
    (
        Row("seen", "M", "show", "shown"),
        Row("one other has it", "M", "set mobile M@0", "policy.number-shared"),
        Row("one other has it, swapped", "MA", "swap", "policy.number-shared",
            fields={"phones": {"mobile": "+1 2065558000", "alternateMobile": "+1 2065551000"}}),
        Row("one other has it, office", "M", "set office M@0", "done", "office ->+1 2065551000"),
        Row("nobody else", "M", "set mobile N", "done", "mobile M>N"),
    ),
)  # fmt: skip

WORLDS = (
    PLAIN, GUESTS, DEFAULTS, MOVES, SIGN_IN, AUTOMATIC, PARTIAL, OFF, BLOCKED, VOICE, NOT_UNIQUE, NOT_SAVED,
    SHARED,
)  # fmt: skip
