"""The "no" of batches: files, plans, rows and runs.

Constructing a reason registers it; they are used by their names here. Knows no card.
"""

from __future__ import annotations

from bot.domain.reason import Reason

ROWS_TOO_MANY = Reason(
    "policy.bulk-rows",
    "The file has too many rows",
    "It has {rows} rows; the policy allows {most} in one file, so that a plan can still be looked at.",
    "Split the file, or ask the owner of the policy for another `bulk_rows`.",
)
NOTHING_TO_DO = Reason(
    "usage.bulk-nothing",
    "Nothing in this file can be carried out",
    "None of the {rows} rows would change anything: {what}.",
    "Mend the rows that are refused and send the file again. The plan names what is wrong with each.",
)
PERSON_TWICE = Reason(
    "policy.bulk-person-twice",
    "The person stands in the file more than once",
    "Two rows for one person contradict each other, and I never pick one: lines {lines}. None of them runs.",
    "Leave one row for the person and send the file again.",
)
NUMBER_TWICE = Reason(
    "policy.bulk-number-twice",
    "The number stands in the file for too many people",
    "The policy allows {most} per mobile number; it stands in the lines {lines}.",
    "Give each person a number of their own and send the file again.",
)
ROW_WITHOUT_SLOT = Reason(
    "usage.bulk-slot",
    "The kind of phone is not known",
    "I know three: mobile, alternate mobile and office. Nothing is guessed from the number.",
    "Write one of the three into the column slot.",
)
ROW_WITHOUT_PERSON = Reason(
    "usage.bulk-person",
    "The person is missing",
    "A row needs a user name, mail address, employee id or object id in the column user.",
    "Fill in the person and send the file again.",
)
ROW_AMBIGUOUS = Reason(
    "usage.bulk-ambiguous",
    "More than one person fits",
    "“{who}” fits {count} accounts, and I never pick one.",
    "Use the full user name (name@company) or the object id.",
)
ROW_FROZEN = Reason(
    "policy.bulk-frozen",
    "{name} is frozen",
    "Nothing about this person's phones goes forward here, not in a batch either.",
    "Leave the row out. Two of security lift a freeze.",
)
OTHER_RULE = Reason(
    "policy.bulk-other-rule",
    "Another rule decides about this person",
    "One file is decided by one rule, here “{rule}”. This row falls under “{other}”.",
    "Put such people into a file of their own.",
)
OVER_DAILY = Reason(
    "policy.bulk-target-limit",
    "The person's phones were changed often enough today",
    "The policy allows {most} changes for one person within 24 hours.",
    "Leave the row for tomorrow.",
)
ROW_MOVED = Reason(
    "conflict.bulk-moved",
    "The {slot} is not what the plan shows",
    "The plan shows {before}; the directory holds {now}. What was approved would replace something else.",
    "Send a file with this row again: its plan shows what is there now.",
)
CHOICE_TOO_LATE = Reason(
    "conflict.bulk-mode-late",
    "The plan of {id} is settled",
    "What happens to phones that hold another number is chosen before the plan is submitted; it is: {state}.",
    "Cancel it and send the file again.",
)
PLAN_REPLACED = Reason(
    "conflict.bulk-replaced",
    "The same file has another plan now",
    "What becomes of phones that hold another number was chosen anew: the plan is {id}.",
    "Go on with that one.",
)
NOT_A_BATCH = Reason(
    "usage.not-a-batch",
    "{id} is no file of many changes",
    "This word is about a batch: the request that a file became.",
    "`my requests` lists yours; `status {id}` shows this one.",
)
SEND_AGAIN = Reason(
    "usage.bulk-send-again",
    "A file is not kept, so it cannot be repeated from here",
    "Of the batch {id} the rows stand in its result, but no number of them is kept.",
    "Send the file again: rows that are done are recognised, and only the rest is planned.",
)
NOT_RUNNING = Reason(
    "conflict.bulk-not-running",
    "{id} is not running",
    "Only a run that has begun and not ended can be held, continued or tried again; this one is: {state}.",
    "`status {id}` shows how it stands.",
)
HELD_BY_PERSON = Reason(
    "policy.bulk-held",
    "{name} holds the run",
    "Rows that were sent are settled; no further row is sent until somebody lets it go on.",
    "`resume {id}` lets it go on, `cancel {id}` ends it.",
)
HELD_CANARY = Reason(
    "directory.bulk-canary",
    "The run waits after its first rows",
    "{failed} of the first {rows} rows were refused: {why}. Going on would probably repeat that.",
    "Look at the result so far. `resume {id}` goes on all the same, `cancel {id}` ends it.",
)
HELD_ERRORS = Reason(
    "directory.bulk-errors",
    "The run waits: too many rows fail",
    "{failed} of the last {rows} rows were refused: {why}.",
    "Look at the result so far. `resume {id}` goes on all the same, `cancel {id}` ends it.",
)
STOPPED = Reason(
    "policy.bulk-stopped",
    "{name} ended the run",
    "{done} rows were carried out; {left} were not begun and stay as they are.",
    "Send the file again for the rest: rows that are done are recognised.",
)
OUT_OF_TIME = Reason(
    "policy.bulk-out-of-time",
    "The time for this batch is over",
    "The policy gives a run {minutes} minutes (`bulk_finish_minutes`). {done} rows were carried out; {left} were not "
    "begun and never run late.",
    "Send the file again for the rest: rows that are done are recognised, and the rest is approved anew.",
)
ROWS_FAILED = Reason(
    "directory.bulk-failed-rows",
    "{failed} rows were not carried out",
    "{done} rows are done. The others were refused by the directory, or when their turn came.",
    "`retry {id}` tries the rows that failed once more while the time of the batch lasts; `cancel {id}` ends it.",
)
APPROVALS_LOST = Reason(
    "policy.bulk-approvals-lost",
    "The run waits: its approvals do not hold any more",
    "{what}. A batch runs only while those who approved it may still decide.",
    "`cancel {id}` ends it; send the file again for the rest.",
)
NOTHING_TO_UNDO = Reason(
    "policy.bulk-nothing-to-undo",
    "Nothing of {id} can be undone any more",
    "What rows replaced is kept sealed for 72 hours, and only where the directory still holds what was written.",
    "Make new requests with the numbers that the people name.",
)
NOT_UNDOABLE = Reason(
    "policy.bulk-row-not-kept",
    "What this row replaced is no longer kept, or was changed again",
    "The earlier number is kept sealed for 72 hours, and nothing newer is ever overwritten.",
    "Make a new request for this person.",
)
ROW_BROKEN = Reason(
    "internal.batch-row-unreadable",
    "This row cannot be read any more",
    "What was stored about it was damaged or changed, so that nothing of it may be believed. It was not written.",
    "Send the row again in a new file, and tell the administrators: the log names it.",
    audience="admin",
)
