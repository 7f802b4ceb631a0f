"""The "no" about a file on its way: fetching what somebody sent, and handing over what they asked for.

Constructing a `Reason` registers it; `reasons` imports this module, so that the catalogue is whole. Knows words
only; what is wrong inside a file is in `sheet_reasons`.
"""

# ruff: noqa: E501 - whole sentences stay whole, for readers and translators
from __future__ import annotations

from bot.domain.reason import Reason

ONE_FILE = Reason(
    "usage.one-file",
    "One file at a time, please",
    "You sent {count} files in one message. Each file gets a plan and a decision of its own.",
    "Send them one after another.",
)
FILE_HOST = Reason(
    "policy.file-host",
    "I do not fetch a file from there",
    "Files that are sent in Teams lie in the SharePoint or OneDrive of the company. This one is said to lie somewhere else, and I go nowhere else, so that nobody can send me to other machines.",
    "Attach the file to a message in this chat. If your company's SharePoint has a name of its own, whoever runs this bot adds it to FILE_HOSTS.",
    audience="actor",
)
FILE_GONE = Reason(
    "conflict.file-gone",
    "The file is not there any more",
    "Teams gives me a link to it that works for a short time; it answered {status}.",
    "Send the file again.",
    retryable=True,
)
FILE_BROKE_OFF = Reason(
    "internal.file-broke-off",
    "The file did not come through",
    "It broke off, or took longer than {seconds} seconds. Nothing of it was kept.",
    "Send the file again.",
    retryable=True,
)
FILE_NOT_SENT = Reason(
    "internal.file-not-sent",
    "The file could not be put into your OneDrive",
    "Teams named a place for it, and that place did not take it: {what}.",
    "Type `{command}` to be offered it again. On the machine of the bot it can be had from the command line, too.",
    retryable=True,
)
FILES_NOT_HERE = Reason(
    "usage.files-not-here",
    "No files can be exchanged here",
    "In this cloud Teams does not let bots send or receive files.",
    "Use the command line on the machine of the bot: `python app.py bulk`. Whoever runs this bot can do that.",
)
FILE_NOT_TAKEN = Reason(
    "usage.file-not-taken",
    "Teams did not take my offer of a file",
    "I asked whether I may put a file into your OneDrive, and Teams refused to show that question in this chat.",
    "Type `{command}` to be offered it again. On the machine of the bot it can be had from the command line: `python app.py bulk`",
)
FILE_NOT_OFFERED = Reason(
    "usage.file-not-offered",
    "There is no file behind that",
    "What was taken is no file that I offer.",
    "Type `help` to see what you can do.",
)
