"""What the fixed words of the policy file mean: actions, kinds of targets, signals, proofs, tokens.

Knows the words for a reader of docs/policy.md and of `policy check`. Must not judge anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.people import TargetKind
from bot.domain.policy import Action, Method, Risk, TokenKind

ACTIONS: Mapping[Action, str] = {
    Action.SET: "A number comes into a slot, or takes the place of another.",
    Action.REMOVE: "A number goes.",
    Action.SWAP: "The alternate mobile becomes the mobile; the old mobile is gone.",
    Action.SMS: "Sign-in by text message is switched on or off.",
    Action.UNDO: "The earlier number comes back, within 72 hours.",
    Action.ONBOARD: "A new hire's first number, entered on a card of an onboarding.",
    Action.PASS: "A Temporary Access Pass for somebody new, where [onboarding] pass_minutes is set.",
    Action.BULK: "Each row of a file, judged with its own target.",
}
TARGETS: Mapping[TargetKind, str] = {
    TargetKind.PROTECTED: "Has a directory role, could get one, or is named in [protected]. Always refused.",
    TargetKind.OPERATOR: "Has any role of [roles].",
    TargetKind.VIP: "Is in a group of [targets] vip.",
    TargetKind.GUEST: "A guest of the directory.",
    TargetKind.NEW_HIRE: "An onboarding of theirs is open.",
    TargetKind.ORDINARY: "Everybody else.",
}
SIGNALS: Mapping[Risk, str] = {
    Risk.VIP: "The target is a vip.",
    Risk.COUNTRY: "The new number is of another country than the phones held, or the account's location.",
    Risk.HOURS: "Asked outside the hours of [risk].",
    Risk.SHARED: "Somebody else is known to have the number (where shared_number_max lets it pass).",
    Risk.INDEX: "Not everybody's numbers are known, so somebody else may have it unseen.",
    Risk.SECOND: "The second request for this person within 24 hours.",
    Risk.BURST: "The requester has made more requests in an hour than [risk] burst_per_hour.",
    Risk.FIRST_PHONE: "The first phone of somebody who has a stronger method: it would weaken their sign-in.",
    Risk.LAST_METHOD: "Takes the last method of signing in.",
    Risk.RESET: "The password was reset within [risk] recent_hours, where that can be read.",
    Risk.TAP: "A Temporary Access Pass was issued within [risk] recent_hours, where that can be read.",
}
METHODS: Mapping[Method, str] = {
    Method.MANAGER_VOUCHES: "The manager said that it is them.",
    Method.IN_PERSON: "They stood there in person.",
    Method.PUSH: "A push to a device they hold (not enforced yet).",
    Method.CALL_BACK: "They were called back on a number that was known before.",
    Method.EXTERNAL: "Another system verified them.",
}
TOKENS: Mapping[TokenKind, str] = {
    TokenKind.MANAGER: "The manager in the directory.",
    TokenKind.SECOND_MANAGER: "The manager's manager.",
    TokenKind.ROLE: "`role:NAME`: anybody with that role of [roles].",
    TokenKind.GROUP: "`group:ID`: anybody in that group, by its object id.",
}
