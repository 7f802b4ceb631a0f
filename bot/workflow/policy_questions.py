"""What would be said to a request under this policy: asked at the command line, answered in lines of words.

Knows judging and approvers. Must not write, send or take anything: it works beside a running bot, on a store
that is opened for reading and a messenger that only knows who has spoken to the bot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain import reasons
from bot.domain.access import may
from bot.domain.change import Asking, ResolvedStep
from bot.domain.command import Order, SetPhone, Who, WhoKind
from bot.domain.naming import read_who
from bot.domain.parsing import parse
from bot.domain.people import Actor, Person
from bot.domain.phone import PhoneNumber, Slot, read_number
from bot.domain.policy import Action, Rule
from bot.domain.reason import Refusal
from bot.domain.rule_words import rule_in_words, scope_of, why_not
from bot.domain.signals import Signal, risks_of
from bot.domain.words import split
from bot.ports import Delivered, DirectoryUnavailable, Message, Reach, Store
from bot.workflow.approvers import Approvers, Resolved
from bot.workflow.freezing import Freezing
from bot.workflow.identity import Identity
from bot.workflow.judging import Judge, Ruled, may_ask
from bot.workflow.lookup import Several, look_up
from bot.workflow.parts import Parts
from bot.workflow.planning import Case, Facts, against
from bot.workflow.risks import A_DAY, AN_HOUR
from bot.workflow.wishes import wish_of

Lines = Iterator[str]


class NoQuestion(Exception):
    """Why something cannot be answered, in words for whoever asked."""


class Unasked:
    """A messenger that says nothing to anybody. strangers: those who have never spoken to the bot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.strangers: set[str] = set()

    async def reach(self, oid: str) -> Reach:
        """Taken as reachable: whether a stranger is only shows when they are written to."""
        if await self._store.conversation(oid) is None:
            self.strangers.add(oid)
        return Reach(True)

    async def deliver(self, message: Message) -> Delivered:
        raise AssertionError("questions send nothing")


@dataclass(frozen=True, slots=True)
class _Answer:
    """All that was found for one request. resolved: None where no rule leads to people."""

    actor: Actor
    case: Case
    ruled: Ruled
    resolved: Resolved | None
    refusals: tuple[Refusal, ...]
    asked_lately: tuple[int, int]


class PolicyQuestions:
    """`policy explain`. messenger: the same as in parts."""

    def __init__(self, parts: Parts, messenger: Unasked) -> None:
        self._parts = parts
        self._messenger = messenger
        self._identity = Identity(parts)
        self._approvers = Approvers(parts)
        self._judge = Judge(parts, self._approvers)
        self._freezing = Freezing(parts, self._identity)

    async def explain(self, asker: str, text: str) -> tuple[str, ...]:
        """Line by line what this person would be answered. Raises NoQuestion with why when it is no request,
        or somebody is not found; DirectoryUnavailable when the directory is silent.
        """
        command = parse(text, {})
        if not isinstance(command, Order) or command.who is None:
            raise NoQuestion('ask about a request, for example "set mobile for alice"')
        actor = await self.actor(asker)
        target = await self._person(command.who, actor)
        case = self._case(command, actor, target)
        gathered = await self._judge.gather(target)
        if isinstance(gathered, Refusal):
            return tuple(_refused([gathered]))
        answer = await self._answer(command, actor, case, gathered)
        return tuple(self._lines(answer))

    # --- what is found ------------------------------------------------------------------------------------
    async def actor(self, asker: str) -> Actor:
        """Whoever is meant, with the roles of this moment. Raises NoQuestion and DirectoryUnavailable."""
        who = read_who(split(asker, {}).words)
        if who is None or who.kind is WhoKind.ME:
            raise NoQuestion("--as wants a user name, mail, name, employee id or object id")
        nobody = Actor(Person("", "", ""), frozenset())
        person = await self._person(who, nobody)
        actor = await self._identity.actor(person.oid)
        if isinstance(actor, Refusal) and actor.code == reasons.RIGHTS_UNKNOWN.code:
            raise DirectoryUnavailable("the groups of a person")
        return Actor(person, frozenset()) if isinstance(actor, Refusal) else actor

    async def _person(self, who: Who, actor: Actor) -> Person:
        found = await look_up(self._parts.directory, who, actor)
        if isinstance(found, Several):
            raise NoQuestion(f"several people fit: {', '.join(person.upn for person in found.people)}")
        if isinstance(found, Refusal):
            raise NoQuestion(said(found))
        return found

    def _case(self, command: Order, actor: Actor, target: Person) -> Case:
        wish, number = wish_of(command), self._number(command)
        if wish is not None:
            action, slot, enable = wish.action, wish.slot, wish.enable
        else:
            slot = getattr(command, "slot", None) or Slot.MOBILE
            action, enable = Action.SET if isinstance(command, SetPhone) else Action.REMOVE, False
        return Case(actor.oid, target, action, slot, number, enable, actor.roles)

    def _number(self, command: Order) -> PhoneNumber | None:
        if not isinstance(command, SetPhone) or not command.number:
            return None
        number = read_number(command.number, command.slot or Slot.MOBILE, self._parts.policy.numbers)
        if isinstance(number, Refusal):
            raise NoQuestion(said(number))
        return number

    async def _answer(self, command: Order, actor: Actor, case: Case, facts: Facts) -> _Answer:
        ruled = await self._judge.ruled(case, facts)
        rule, target = ruled.rule, case.target
        emergency = rule is not None and rule.break_glass
        asks = may_ask(case.roles, case.action, deciders=ruled.deciders, break_glass=emergency)
        refusals = [] if asks and may(type(command), actor.roles) else [reasons.NO_ROLE.refuse()]
        refusals += [*self._judge.personal(case), *against(case, facts), *ruled.refusals]
        resolved = None
        if rule is not None and not rule.refuse:
            resolved = await self._approvers.resolve(rule.steps, actor.oid, target)
            if resolved.short is not None:
                refusals.append(reasons.NOBODY_TO_ASK.refuse(rule=rule.name, missing=resolved.short))
        people = sum(step.need for step in resolved.steps) if resolved else 0
        leave = await self._freezing.leave_for(target.oid, actor.oid, people)
        refusals += [leave] if isinstance(leave, Refusal) else []
        now, store = self._parts.now(), self._parts.store
        recent = await store.recent((actor.oid, now - AN_HOUR), (target.oid, now - A_DAY), "")
        lately = recent.by_requester, recent.of_target
        return _Answer(actor, case, ruled, resolved, tuple(refusals), lately)

    # --- in words -----------------------------------------------------------------------------------------
    def _lines(self, answer: _Answer) -> Lines:
        case, ruled = answer.case, answer.ruled
        person, target = answer.actor.person, case.target
        roles = ", ".join(sorted(answer.actor.roles)) or "no role"
        yield f"{person.name} ({person.upn}) has {roles}"
        what = f"to {case.number.masked}" if case.number else ""
        asked = " ".join(filter(None, (case.action.value, case.slot.word, "for", target.name, what)))
        yield f"asks: {asked} ({target.upn}), who is {ruled.kind}"
        unknown = case.action is Action.SET and case.number is None
        without = "; without the number its country and its holders are not known" if unknown else ""
        yield f"signals of risk: {'; '.join(map(_signal, ruled.signals)) or 'none'}{without}"
        yield from self._rules(answer)
        yield from self._limits(answer)
        yield from _refused(answer.refusals)

    def _rules(self, answer: _Answer) -> Lines:
        case, ruled = answer.case, answer.ruled
        risks = risks_of(ruled.signals)
        for number, rule in enumerate(self._parts.policy.rules, start=1):
            place = f"rule {number} “{rule.name}”"
            if ruled.rule is not None and rule.name == ruled.rule.name:
                yield f"{place} decides: {scope_of(rule)}"
                yield from (f"  {line}" for line in self._people(ruled.rule, answer))
                return
            not_held = why_not(rule, case.action, ruled.kind, case.slots, case.roles, risks)
            not_held = not_held or (f"it waits for nobody, and this needs {ruled.deciders} people",)
            yield f"{place} does not fit: {'; '.join(not_held)}"
        yield "no rule fits"

    def _people(self, rule: Rule, answer: _Answer) -> Lines:
        if answer.resolved is None or not rule.steps:
            yield from rule_in_words(rule)
            return
        for step in answer.resolved.steps:
            yield from self._step(step, len(answer.resolved.steps) > 1)
        yield from answer.resolved.notes
        waits = [line for line in rule_in_words(rule) if "minutes" in line and "somebody" not in line]
        yield from waits

    def _step(self, step: ResolvedStep, several: bool) -> Lines:
        place = f"step {step.n}: " if several else ""
        able = [each for each in step.asked if each.state is Asking.ASKED]
        names = ", ".join(f"{each.person.name} ({each.via})" for each in able) or "nobody"
        yield f"{place}{step.need} of: {names}"
        for missing in step.missing:
            yield f"  not asked: {missing}"
        if step.fallback and not step.fallback_on:
            yield f"  in their place, if need be: {', '.join(step.fallback)}"
        strangers = [each.person.name for each in able if each.person.oid in self._messenger.strangers]
        if strangers:
            yield f"  never spoke to the bot, and perhaps cannot be reached: {', '.join(strangers)}"

    def _limits(self, answer: _Answer) -> Lines:
        limits, (by_requester, of_target) = self._parts.policy.limits, answer.asked_lately
        for most, have, words in (
            (
                limits.changes_per_operator_per_hour,
                by_requester,
                f"requests of {answer.actor.person.name} in this hour",
            ),
            (
                limits.changes_per_target_per_day,
                of_target,
                f"requests for {answer.case.target.name} in 24 hours",
            ),
        ):
            full = ": no more until one is older" if most and have >= most else ""
            yield f"limit: {have} of {most or 'any number of'} {words}{full}"


def _refused(refusals: list[Refusal] | tuple[Refusal, ...]) -> Lines:
    for refusal in refusals:
        yield f"it would be refused, {refusal.code}: {said(refusal)}"
    if not refusals:
        yield "nothing else stands against it"


def said(refusal: Refusal) -> str:
    """The reason in words: title, why and next step."""
    reason = refusal.reason
    texts = (f"{reason.title}.", reason.why, reason.next_step)
    return " ".join(text.format(**refusal.facts) for text in texts)


def _signal(signal: Signal) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in signal.facts)
    return f"{signal.risk}{f' ({facts})' if facts else ''}"
