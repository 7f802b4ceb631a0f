"""Undoing a batch: a plan of rows that restore what its rows replaced, while that is still kept.

Knows what is kept. Must not decide or write: the plan is approved and carried out like any other, and each of
its rows runs only where the directory still holds what was written.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import bulk_reasons as no
from bot.domain import stop_reasons as stops
from bot.domain.bulk import Batch, Bucket, PlanRow
from bot.domain.change import Change, Operation, OpKind, OpState, State
from bot.domain.people import Actor, Role
from bot.domain.policy import Action
from bot.domain.reason import Refusal
from bot.workflow.parts import Parts
from bot.workflow.undoing import may_still_be_undone

_PAGE = 200


class BatchUndoing:
    """From a batch that ran to the rows of its undo."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def rows(self, head: Change, batch: Batch, actor: Actor) -> tuple[PlanRow, ...] | Refusal:
        """Whoever asked for a batch undoes it, and security any."""
        own = actor.oid == head.requester.oid and {Role.OPERATOR, Role.BULK} <= actor.roles
        if not own and Role.SECURITY not in actor.roles:
            return stops.UNDO_NOT_YOURS.refuse(id=head.printed_id, name=head.requester.name)
        found: list[PlanRow] = []
        after = -1
        while page := await self._parts.store.batch_results(batch.sheet_id, after, _PAGE):
            after = page[-1][0].line
            found += [await self._row(row, change) for row, change in page if _was_done(change)]
        if not any(row.operations for row in found):
            return no.NOTHING_TO_UNDO.refuse(id=head.printed_id)
        return tuple(found)

    async def _row(self, row: PlanRow, change: Change | None) -> PlanRow:
        blank = replace(
            row, bucket=Bucket.OUT_OF_SCOPE, operations=(), why=no.NOT_UNDOABLE.refuse(), risks=()
        )
        if change is None or not may_still_be_undone(change, self._parts.now()):
            return blank
        earlier = await self._parts.store.earlier(change.id, self._parts.now())
        undone = await self._parts.store.children(change.id)
        if earlier is None or any(child.action is Action.UNDO for child in undone):
            return blank
        written = next(op for op in change.operations if op.state is OpState.DONE and not op.kind.conditional)
        number = earlier.get(written.n)
        back = Operation(
            1,
            OpKind.SET if number else OpKind.REMOVE,
            written.slot,
            written.after,
            number.masked if number else "",
            written.after_key,
            self._parts.number_key(number),
        )
        return replace(
            row,
            bucket=Bucket.OVERWRITE,
            slot=written.slot,
            operations=(back,),
            number=number,
            parent_id=change.id,
            why=None,
            risks=(),
        )


def _was_done(change: Change | None) -> bool:
    return change is not None and change.state is State.APPLIED
