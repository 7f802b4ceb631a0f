"""Typed text to one `Command`. The same words come from buttons, so every printed command reads back.

Knows the commands and what follows each verb. Must not know who asks, what exists, or what is allowed. It
never corrects a name or a number: those go on as typed, for the directory and the number reader to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bot.domain import command as c
from bot.domain.ballots import HOWS, KINDS, said_last
from bot.domain.change import NoKind, Proof
from bot.domain.command import Command
from bot.domain.command_docs import COMMANDS, LONGEST_VERB, SPELLINGS, CommandDoc, doc_of, nearest
from bot.domain.naming import FILLERS, is_plain, read_request_id, read_who, similar_slot
from bot.domain.onboarding_words import READERS as _ONBOARDING
from bot.domain.orders import (
    FOR,
    MAX_EVIDENCE,
    as_typed,
    cut_number,
    cut_proof,
    cut_reason,
    cut_tail,
    is_number,
    polite,
    reason_text,
    slot_and_who,
)
from bot.domain.sheets import FileKind
from bot.domain.words import MAX_TEXT, Line, Word, split, visible

__all__ = ["COMMANDS", "CommandDoc", "is_plain", "parse"]

_NOBODY: Mapping[str, str] = MappingProxyType({})
_FROM = FOR | {"from"}
_CODE = re.compile(r"[a-z]{2,20}\.[a-z-]{2,40}", re.ASCII)
_ABOUT = frozenset({"phone", "phones", "number", "numbers", "the", "all", "methods"})
_BOTH_PHONES = _ABOUT | {"mobile", "mobiles", "alternate", "and", "with", "to"}
_MODES = {
    c.BatchWord.SKIP: ("skip",),
    c.BatchWord.OVERWRITE: ("overwrite",),
    c.BatchWord.ALTERNATE: ("as", "alternate"),
}
_BEFORE_ID = frozenset({"request", "id", "of"})
_BEFORE_DAY = frozenset({"of", "office", "until", "till", "to", "on"})
_POLITE_START = frozenset({"please", "pls"})

_PHRASES: Mapping[str, Command] = MappingProxyType(
    {
        **dict.fromkeys(("whoami", "who am i"), c.Whoami()),
        "approvals": c.Approvals(),
        **dict.fromkeys(("my requests", "requests"), c.MyRequests()),
        **dict.fromkeys(("open", "open requests"), c.OpenRequests()),
    }
)


def parse(text: str, mentions: Mapping[str, str] = _NOBODY) -> Command:
    """The command a text means. Never raises; what cannot be read is `Unknown` or `Malformed`.

    text: what remains after our own mention was cut. mentions: exact text of other people's mentions to
    their object id, or "" when that is not known.
    """
    if len(text) > MAX_TEXT:
        return c.Unknown(text)
    line = split(text, mentions)
    words = line.words
    words = _drop(words, _POLITE_START)
    if not words:
        return c.Unknown(text)
    if SPELLINGS.get(_verb(words)) == "hi" and len(words) > 1 and _greets_first(words):
        words = words[1:]
    verb, size = _canonical(words)
    if verb:
        return _READERS[verb](verb, words[size:], line)
    words = polite(words)
    phrase = " ".join([_verb(words), *(word.key for word in words[1:])]) if len(words) < 4 else ""
    return _PHRASES.get(phrase) or c.Unknown(text, nearest(line.text))


def _verb(words: Sequence[Word]) -> str:
    return words[0].key.removeprefix("/").rstrip(":")


def _greets_first(words: Sequence[Word]) -> bool:
    return _verb(words[1:]) in SPELLINGS or bool(_canonical(words[1:])[0])


def _canonical(words: Sequence[Word]) -> tuple[str, int]:
    """The verb that the first words spell and how many words that takes, the longest; ("", 0) for none."""
    for size in range(min(LONGEST_VERB, len(words)), 0, -1):
        said = " ".join([_verb(words), *(word.key for word in words[1:size])])
        verb = SPELLINGS.get(said, "")
        if verb in _READERS:
            return verb, size
    return "", 0


def _malformed(verb: str, problem: str) -> c.Malformed:
    return c.Malformed(verb, doc_of(verb).how, problem)


# --- commands about a person or a request -----------------------------------------------------------------
def _help(verb: str, words: Sequence[Word], line: Line) -> Command:
    return c.Help()


def _hi(verb: str, words: Sequence[Word], line: Line) -> Command:
    return c.Hi()


def _person(verb: str, words: Sequence[Word], line: Line) -> Command:
    at = next((n for n, word in enumerate(words[:4]) if word.key in FOR), None)
    if at is not None and all(word.key in _ABOUT for word in words[:at]):
        words = words[at + 1 :]
    words = polite(words)
    if len(words) > 1 and words[0].key == "me":  # show me Alice Anders
        words = words[1:]
    if any(is_number(word) for word in words):
        return _malformed(verb, "That is a phone number; I need a person.")
    who = read_who(words)
    return c.Show(who) if verb == "show" else c.History(who)


def _freeze(verb: str, words: Sequence[Word], line: Line) -> Command:
    head, because = cut_reason(words)
    head = polite(head)
    if any(is_number(word) for word in head):
        return _malformed(verb, "That is a phone number; I need a person.")
    who = read_who(head)
    if who is None:
        return _malformed(verb, "The person is missing; `freeze me` is for yourself.")
    return c.Freeze(who, reason_text(line, because)) if verb == "freeze" else c.Unfreeze(who)


def _pause(verb: str, words: Sequence[Word], line: Line) -> Command:
    head, because = cut_reason(words)
    batch = read_request_id(polite(_drop(head, _BEFORE_ID)))
    if batch is not None:
        return c.OfBatch(c.BatchWord.HOLD, batch)
    if polite(head):
        return _malformed(verb, "Nothing stands between the word and its reason.")
    if not because:
        return _malformed(verb, "The reason is missing: everybody who waits reads it.")
    return c.Pause(reason_text(line, because))


def _resume(verb: str, words: Sequence[Word], line: Line) -> Command:
    batch = read_request_id(polite(_drop(words, _BEFORE_ID)))
    if batch is not None:
        return c.OfBatch(c.BatchWord.GO_ON, batch)
    return _malformed(verb, "It stands alone.") if polite(words) else c.Resume()


def _bulk(verb: str, words: Sequence[Word], line: Line) -> Command:
    said = [word.key for word in polite(words)]
    kind = next((kind for kind in FileKind if said == [kind.value]), None)
    if not said or kind is not None:
        return c.Bulk(kind or FileKind.XLSX)
    for word, keys in _MODES.items():
        if tuple(said[: len(keys)]) == keys:
            batch = read_request_id(polite(_drop(words[len(keys) :], _BEFORE_ID)))
            return c.OfBatch(word, batch) if batch else _malformed(verb, _id_problem(words[len(keys) :]))
    return _malformed(verb, "After it comes nothing, `csv`, or what becomes of numbers in the way and an ID.")


def _file(verb: str, words: Sequence[Word], line: Line) -> Command:
    words = polite(_drop(words, _BEFORE_ID))
    kind = next((kind for kind in FileKind if words and words[-1].key == kind.value), None)
    request = read_request_id(words if kind is None else words[:-1])
    if request is None:
        return _malformed(verb, _id_problem(words))
    return c.BatchFile(request, kind or FileKind.XLSX)


def _request(verb: str, words: Sequence[Word], line: Line) -> Command:
    words = polite(_drop(words, _BEFORE_ID))
    request = read_request_id(words)
    if request is None:
        return _malformed(verb, _id_problem(words))
    if verb == "submit":
        return c.Submit(None, request)
    return _ABOUT_A_REQUEST[verb](request)


def _approve(verb: str, words: Sequence[Word], line: Line) -> Command:
    words = polite(_drop(words, _BEFORE_ID))
    how, size = said_last(words, HOWS)
    request = read_request_id(words[: len(words) - size])
    if request is None:
        problem = "That is not an ID like R-7K2Q9M-4F3A, followed by nothing but how you know."
        return _malformed(verb, problem if words[: len(words) - size] else _id_problem(()))
    return c.Approve(request, how=how)


def _reject(verb: str, words: Sequence[Word], line: Line) -> Command:
    head, because = cut_reason(_drop(words, _BEFORE_ID))
    kind, size = said_last(head, KINDS)
    request = read_request_id(head[: len(head) - size])
    if request is None and len(head) > 1 and not because:
        # No "because": the rest is the reason. A spaced ID was tried first, so its tail is no reason.
        request, because, kind = read_request_id(head[:1]), head[1:], None
    if request is None:
        return _malformed(verb, _id_problem(head))
    return c.Reject(request, reason_text(line, because), kind=kind or NoKind.NOT_NOW)


def _id_problem(words: Sequence[Word]) -> str:
    if words:
        return "That is not an ID: it looks like R-7K2Q9M-4F3A, with nothing behind it."
    return "The ID of the request is missing; `approvals` and `my requests` list them."


def _out(verb: str, words: Sequence[Word], line: Line) -> Command:
    until = " ".join(word.key for word in polite(_drop(words, _BEFORE_DAY)))
    if verb == "back":
        return c.Out("today") if not until else _malformed(verb, "Nothing follows it.")
    return c.Out(until[:40]) if until else _malformed(verb, "The day of your return is missing.")


def _explain(verb: str, words: Sequence[Word], line: Line) -> Command:
    code = visible(words[0].inner).lower().strip("`.,;:!?()") if len(words) == 1 else ""
    if not _CODE.fullmatch(code):
        return _malformed(verb, "A code is two words with a dot between them; it stands on the refusal.")
    return c.Explain(code)


def _drop(words: Sequence[Word], fillers: frozenset[str]) -> Sequence[Word]:
    while words and words[0].key in fillers:
        words = words[1:]
    return words


def _report(verb: str, words: Sequence[Word], line: Line) -> Command:
    said = [word.key for word in polite(words)]
    kind = next((kind for kind in FileKind if said == [kind.value]), None)
    if said and kind is None:
        return _malformed(verb, "After it comes nothing, `csv` or `xlsx`.")
    return c.Report(kind or FileKind.XLSX)


def _who_has(verb: str, words: Sequence[Word], line: Line) -> Command:
    head, tail, ticket = cut_tail(words)
    while head and (head[0].key in FILLERS or head[0].key in FOR):
        head = head[1:]
    return c.WhoHas(as_typed(line, head).rstrip("?! "), reason_text(line, tail), ticket)


# --- set and remove ---------------------------------------------------------------------------------------
def _proof(words: Sequence[Word], line: Line) -> tuple[Sequence[Word], Proof | None]:
    """The words without `verified METHOD EVIDENCE`, and what it says."""
    words, method, evidence = cut_proof(words)
    return words, Proof(method.value, reason_text(line, evidence)[:MAX_EVIDENCE]) if method else None


def _set(verb: str, words: Sequence[Word], line: Line) -> Command:
    words, proof = _proof(words, line)
    head, tail, ticket = cut_tail(words)
    front, number = cut_number(head)
    slot, who, clear = slot_and_who(front, FOR)
    if not who and number:
        at = next((n for n, word in enumerate(number) if word.key in FOR), None)
        if at is not None:  # set mobile to NUMBER for WHO
            number, who = number[:at], number[at + 1 :]
    if not clear:
        return _malformed(verb, _slot_problem(front, FOR))
    typed, reason = as_typed(line, number) or None, reason_text(line, tail)
    return c.SetPhone(read_who(who), slot, typed, reason, ticket, proof=proof)


def _remove(verb: str, words: Sequence[Word], line: Line) -> Command:
    words, proof = _proof(words, line)
    head, tail, ticket = cut_tail(words)
    if cut_number(head)[1]:
        return _malformed(verb, "Say which phone goes (mobile, alternate mobile, office), not its number.")
    slot, who, clear = slot_and_who(head, _FROM)
    if not clear:
        return _malformed(verb, _slot_problem(head, _FROM))
    return c.RemovePhone(read_who(who), slot, reason_text(line, tail), ticket, proof=proof)


def _swap(verb: str, words: Sequence[Word], line: Line) -> Command:
    words, proof = _proof(words, line)
    head, tail, ticket = cut_tail(words)
    at = next((n for n, word in enumerate(head[:6]) if word.key in FOR), None)
    if at is not None and all(word.key in _BOTH_PHONES for word in head[:at]):
        head = head[at + 1 :]
    if any(is_number(word) for word in head):
        return _malformed(verb, "A swap needs only the person: both numbers are in the directory.")
    return c.Swap(read_who(head), reason_text(line, tail), ticket, proof=proof)


def _sms(verb: str, words: Sequence[Word], line: Line) -> Command:
    words, proof = _proof(words, line)
    head, tail, ticket = cut_tail(words)
    head = head[1:] if head and head[0].key in FOR else head
    if any(is_number(word) for word in head):
        return _malformed(verb, "That is a phone number; I need a person. The registered mobile counts.")
    enable, reason = verb.startswith("enable"), reason_text(line, tail)
    return c.SmsSignIn(read_who(head), enable, reason, ticket, proof=proof)


def _pass(verb: str, words: Sequence[Word], line: Line) -> Command:
    words, proof = _proof(words, line)
    head, tail, ticket = cut_tail(words)
    head = head[1:] if head and head[0].key in FOR else head
    if any(is_number(word) for word in head):
        return _malformed(verb, "That is a phone number; I need a person. A pass goes with no number.")
    return c.IssuePass(read_who(head), reason_text(line, tail), ticket, proof=proof)


def _check(verb: str, words: Sequence[Word], line: Line) -> Command:
    head, _, _ = cut_tail(words)
    front, number = cut_number(head)
    slot, who, clear = slot_and_who(front, FOR)
    if not clear:
        return _malformed(verb, _slot_problem(front, FOR))
    return c.Check(read_who(who), slot, as_typed(line, number) or None)


def _slot_problem(words: Sequence[Word], links: frozenset[str]) -> str:
    at = next(n for n, word in enumerate(words) if word.key in links)
    similar = similar_slot(words[:at])
    hint = f" Did you mean {similar}?" if similar else ""
    return f"I know three kinds of phone: mobile, alternate mobile and office.{hint}"


_ABOUT_A_REQUEST: Mapping[str, Callable[[c.RequestId], Command]] = MappingProxyType(
    {
        "status": c.Status,
        "cancel": c.Cancel,
        "repeat": c.Repeat,
        "nudge": c.Nudge,
        "withdraw": c.Withdraw,
        "take": c.Take,
        "undo": c.Undo,
        "review": c.Review,
        "not me": c.NotMe,
        "retry": lambda request: c.OfBatch(c.BatchWord.RETRY, request),
    }
)
_READERS: Mapping[str, Callable[[str, Sequence[Word], Line], Command]] = MappingProxyType(
    {
        "help": _help,
        "hi": _hi,
        "show": _person,
        "history": _person,
        "set": _set,
        "remove": _remove,
        "swap": _swap,
        "enable sms sign-in": _sms,
        "disable sms sign-in": _sms,
        "issue pass": _pass,
        "check": _check,
        "submit": _request,
        **dict.fromkeys(_ABOUT_A_REQUEST, _request),
        "approve": _approve,
        "reject": _reject,
        "who has": _who_has,
        "report": _report,
        "file": _file,
        "freeze": _freeze,
        "unfreeze": _freeze,
        "pause": _pause,
        "resume": _resume,
        "bulk": _bulk,
        "explain": _explain,
        "out until": _out,
        "back": _out,
        **_ONBOARDING,
    }
)
