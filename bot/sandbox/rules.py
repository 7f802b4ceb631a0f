"""The switches of one pretend tenant, and the check that a switch and its value exist.

Knows which values a switch may take. Must not know what a switch does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .throttle import Profile

_STATES = ("enabled", "disabled")
#: Values of the switches that are words.
_WORDS = {
    "sms_state": _STATES,
    "voice_state": _STATES,
    "email_state": _STATES,
    "tap_state": _STATES,
    "migration_state": ("preMigration", "migrationInProgress", "migrationComplete"),
    "cloud": ("global", "usgov", "dod", "china"),
    "sms_disabled_wording": ("old", "new"),
}


@dataclass(slots=True)
class Rules:
    """Switches of the pretend tenant. `*_ms` in milliseconds, `page_size` in rows.

    Policy: `*_targets` are group ids, object ids of people or "all_users"; `*_excluded` win.
    `sms_usable_for_sign_in` holds for every SMS target, or only for those in `sms_sign_in_targets` when that
    is a list. `policy_wrapped`: one configuration comes as {"value": {...}}, as doc samples show it.
    `pass_least_minutes`, `pass_most_minutes`: bounds of the life of a Temporary Access Pass, as a new tenant
    has them. `tap_state` is "enabled", unlike there.
    `office_allowed_text`: isOfficePhoneAllowed is the text "true", as a doc sample shows it.
    `sms_disabled_wording`: the refusal outside policy, as seen in 2022 ("old", code disabledByPolicy) or in
    2024 ("new"; its code is not known, here badRequest).
    `cloud`: in "china" SMS sign-in and the SMS policy do not exist.

    Phones: `not_unique_saves`: a 409 phoneNumberNotUnique leaves the number saved (what is usually seen).
    `default_moves`: a phone write makes that phone the default method (unproven either way).
    `policy_blocks_writes`: method off in policy refuses the write (unproven; off = what evidence says).
    `voice_blocks_sms`: an alternate mobile or office number stops SMS sign-in (a help page's advice).
    `sms_upn_noop`: SMS actions addressed by UPN answer 204 and do nothing (seen once, 2021).
    `patch_answers_object`: PATCH of a phone answers 200 and the object (older beta pages).

    Time: `stale_ms`: reads of methods and preferences show what was before writes of the last that many ms.
    `advanced_lag_ms`: reads with ConsistencyLevel: eventual do not see changes of people and groups of the
    last that many ms. `new_user_404_ms`: /authentication of a younger person is 404. `report_lag_ms`: the
    registration report shows phones as they were.

    Licences: without `has_p1` no reports, without `has_p2` no PIM (`no_p2_status`). SSPR as the report tells
    it: `sspr_enabled`, `sspr_needed` methods; `allowed_to_use_sspr` stands in the authorization policy.
    `pass_scope`: object ids in the scope of a lifecycle workflow that makes passes (empty = there is none).
    `app_in_catalogue`: our Teams app stands in the organisation's catalogue.
    `app_reads_stand_ins`: an app may read approverDelegate (the docs name a permission for people only).
    `throttle`: see throttle.Profile. `token_seconds`: life of a token.
    """

    sms_state: str = "enabled"
    sms_targets: list[str] = field(default_factory=lambda: ["all_users"])
    sms_excluded: list[str] = field(default_factory=list)
    sms_usable_for_sign_in: bool = False
    sms_sign_in_targets: list[str] | None = None
    sms_disabled_wording: str = "old"
    voice_state: str = "enabled"
    voice_targets: list[str] = field(default_factory=lambda: ["all_users"])
    voice_excluded: list[str] = field(default_factory=list)
    voice_office_allowed: bool = True
    office_allowed_text: bool = False
    email_state: str = "enabled"
    email_targets: list[str] = field(default_factory=lambda: ["all_users"])
    tap_state: str = "enabled"
    tap_targets: list[str] = field(default_factory=lambda: ["all_users"])
    pass_least_minutes: int = 60
    pass_most_minutes: int = 480
    policy_wrapped: bool = False
    migration_state: str = "migrationComplete"
    system_preferred: bool = False
    cloud: str = "global"
    has_p1: bool = True
    has_p2: bool = True
    app_reads_stand_ins: bool = False
    app_in_catalogue: bool = True
    pass_scope: list[str] = field(default_factory=list)
    no_p2_status: int = 400
    sspr_enabled: bool = True
    sspr_needed: int = 1
    allowed_to_use_sspr: bool = True
    not_unique_saves: bool = True
    default_moves: bool = False
    policy_blocks_writes: bool = False
    voice_blocks_sms: bool = False
    sms_upn_noop: bool = False
    patch_answers_object: bool = False
    stale_ms: float = 0
    advanced_lag_ms: float = 0
    new_user_404_ms: float = 0
    report_lag_ms: float = 3_600_000
    throttle: str | dict[str, Any] = "none"
    page_size: int = 100
    group_page_size: int = 5
    token_seconds: float = 3599

    def change(self, changes: dict[str, Any]) -> None:
        """Set some switches, all or none; ValueError naming an unknown one or a value that makes no sense."""
        for name, value in changes.items():
            if name not in Rules.__dataclass_fields__:
                raise ValueError(f"no such rule: {name}")
            if not self._sensible(name, value):
                raise ValueError(f"no such value of {name}: {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)

    def _sensible(self, name: str, value: Any) -> bool:
        if name in _WORDS:
            return value in _WORDS[name]
        if name == "throttle":
            Profile.read(value)
            return True
        if name == "sms_sign_in_targets" and value is None:
            return True
        have = getattr(_DEFAULTS, name)
        if isinstance(have, bool) or isinstance(value, bool):
            return isinstance(have, bool) and isinstance(value, bool)
        if isinstance(have, int | float):
            return isinstance(value, int | float) and (value >= 0 or name == "token_seconds")
        return isinstance(value, list) and all(isinstance(each, str) for each in value)


_DEFAULTS = Rules()
