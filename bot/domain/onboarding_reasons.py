"""The "no" of onboarding: who cannot be onboarded, and which answers to its card do nothing.

Constructing a reason registers it; they are used by their names here. Knows no card.
"""

from __future__ import annotations

from bot.domain.reason import Reason

# --- who cannot be onboarded ------------------------------------------------------------------------------
NOT_NEW = Reason(
    "policy.onboarding-not-new",
    "{name} is not new here",
    "Onboarding is for people within {days} days of their hire date, or of the making of their account, because it "
    "lets somebody enter their own first phone. For {name} that was {since}.",
    "The helpdesk sets the phone instead: `set mobile for {who}`.",
    audience="actor",
)
HAS_METHOD = Reason(
    "conflict.onboarding-has-method",
    "{name} has a sign-in method already",
    "Onboarding registers the very first method and replaces none. There is already: {methods}.",
    "`show {who}` tells more; a change of a phone is asked for with `set mobile for {who}`.",
    audience="actor",
)
NOT_FOR_KIND = Reason(
    "policy.onboarding-kind",
    "{name} cannot be onboarded here",
    "People with power here and guests do not enter their own number; for them the rules of their kind count: {kind}.",
    "IT security or the helpdesk sets the phone by the rule for {kind}.",
    audience="actor",
)
ALREADY_INVITED = Reason(
    "conflict.onboarding-open",
    "{name} is being onboarded already",
    "One person has one card at a time, so that nobody answers twice. It was begun by {starter}: {stage}.",
    "`onboarding report` shows how it stands.",
    audience="actor",
)
SAID_NO = Reason(
    "policy.onboarding-said-no",
    "{name} has chosen another way",
    "Whoever says that they have no phone, or prefer not to use theirs, is not asked again.",
    "Arrange a security key or a Temporary Access Pass. Should they change their mind, they type `onboarding` to me.",
    audience="actor",
)
YOURSELF = Reason(
    "access.onboarding-yourself",
    "Somebody else must begin your onboarding",
    "Whoever could begin their own onboarding could give themselves a sign-in method.",
    "Ask your manager or the coordinator to type `onboard {who}`.",
    audience="actor",
)
PASS_DUE = Reason(
    "conflict.onboarding-pass-due",
    "A Temporary Access Pass is to be made for {name} first",
    "A lifecycle workflow makes a pass for people without any method; a number that is there before it would break that run.",
    "Begin the onboarding when it has run; of several people I look again every day.",
    audience="actor",
    retryable=True,
)
TOO_MANY = Reason(
    "policy.onboarding-too-many",
    "That is more people than I invite at once",
    "I begin at most {most} onboardings with one command, so that a slip does not write to the whole company.",
    "Name a smaller group, or fewer days.",
    audience="actor",
)
NOBODY_NEW = Reason(
    "usage.onboarding-nobody",
    "I found nobody to onboard",
    "{where} there is nobody who could be invited.",
    "Check the group or the number of days, or name people: `onboard alice, bob`.",
)

# --- answers that do nothing ------------------------------------------------------------------------------
NO_CARD = Reason(
    "usage.onboarding-none",
    "There is no onboarding for you",
    "A card for a first phone comes only when your manager or the coordinator has begun it.",
    "Ask your manager or the coordinator; if you need help with signing in, ask the helpdesk.",
)
CARD_USED = Reason(
    "conflict.onboarding-used",
    "This card has been answered",
    "Each card can be answered once, so that nobody can send it again with another number.",
    "Type `onboarding` to see how it stands.",
)
CARD_LATE = Reason(
    "conflict.onboarding-late",
    "This card has run out",
    "A card can be answered until {until}; after that it does nothing.",
    "Ask {starter} to begin again: `onboard {who}`",
)
NOT_YOURS = Reason(
    "access.onboarding-not-yours",
    "This card belongs to somebody else",
    "A card for a first phone works only for the person it was made for, in their own account.",
    "Nothing was done. If you are new, ask your manager to begin your own onboarding.",
)
LAST_FOUR_DIFFER = Reason(
    "usage.last-four",
    "The last four digits do not fit the number",
    "They are typed a second time so that a slip of the finger does not send your codes to somebody else.",
    "Check the number and type its last four digits again.",
)
COUNTRY_MISSING = Reason(
    "usage.onboarding-country",
    "The country is missing",
    "Without a country the same digits are different numbers, and I never guess.",
    "Choose the country of the number, or type it with + in front, for example {example}.",
)
NUMBER_WRONG = Reason(
    "usage.onboarding-number",
    "That is not a possible phone number",
    "I never correct a number: one wrong digit would send your codes to somebody else.",
    "Check the digits and the country, or type it with + and the country code, for example {example}.",
)
LINE_MISSING = Reason(
    "usage.line-missing",
    "It is not said on which line you spoke",
    "For a first phone the policy wants an approver to say on which line, known before, they spoke to {name}.",
    "Name it on the card, for example the desk extension or a video call you started. The new number does not count.",
    audience="approver",
)
SLOT_MISSING = Reason(
    "usage.onboarding-slot",
    "The kind of phone is missing",
    "A text message only reaches a mobile, so the two are kept apart.",
    "Choose one of them.",
)
CONFIRM_DIFFERS = Reason(
    "usage.onboarding-confirm",
    "Those are not the last four digits",
    "Whoever confirms a number that somebody else entered shows that they know it.",
    "Look at your phone and try again. If the number is not yours, press “That is not my number”.",
)
OVER = Reason(
    "conflict.onboarding-over",
    "The onboarding of {name} is over",
    "A number is written only while its onboarding is open; it ended before the write.",
    "`onboarding report` shows why; the coordinator can begin again: `onboard {who}`",
    audience="actor",
)
CANNOT_REACH = Reason(
    "conflict.onboarding-unreachable",
    "{name} cannot be reached in Teams",
    "The card goes into a person's own chat with me, and there is none: {why}. Whoever has no sign-in method yet often "
    "cannot open Teams at all (conditional access asks for one).",
    "Enter the number on their behalf (`onboard {who} on behalf`), let them sign in with a Temporary Access Pass, or have "
    "the app installed for them and begin again.",
    audience="actor",
)
