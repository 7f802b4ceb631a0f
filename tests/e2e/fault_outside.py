"""What can go wrong with the directory, with rights and with Teams: broken when armed, whole when healed.

Knows how to break these. Must not know what the bot should make of it.
"""

from typing import ClassVar

from fault_inside import BEGINS, GLOBAL_ADMINISTRATOR, Json, Kind
from fault_site import BY_PEOPLE, Step


# --- the directory ----------------------------------------------------------------------------------------
class Directory(Kind):
    """Answers of Graph by the sandbox: to every read, or to the next write."""

    READS: ClassVar[Json] = {}
    WRITE: ClassVar[Json] = {}

    async def arm(self) -> None:
        stage = self.site.stage
        if self.step is Step.CALL:
            await stage.fault(
                **self.WRITE, verb="PATCH", path=f"{self.way.oid}/authentication/phoneMethods", times=1
            )
        else:
            await stage.fault(**self.READS, path="", times=None)

    async def heal(self) -> None:
        await self.site.stage.heal()


class Throttled(Directory):
    """f6: 429 with Retry-After, longer than a person is kept waiting."""

    READS: ClassVar[Json] = {"kind": "status", "status": 429, "retry_after": 30}
    WRITE: ClassVar[Json] = READS

    async def heal(self) -> None:
        await super().heal()
        if self.step in BY_PEOPLE:
            self.site.stage.clock.pass_by(seconds=31)


class Broken(Directory):
    """f7: answers of a broken server, or none."""

    WRITE: ClassVar[Json] = {"kind": "status", "status": 500}

    async def arm(self) -> None:
        kinds: dict[Step, Json] = {
            Step.SAVE: {"kind": "status", "status": 503},
            Step.VOTE: {"kind": "reset"},
            Step.CLAIM: {"kind": "status", "status": 504},
        }
        self.READS = kinds.get(self.step, {})
        await super().arm()


class ReplyLost(Directory):
    """f8: the write landed, its answer did not come."""

    WRITE: ClassVar[Json] = {"kind": "reset_after"}


class SignedOut(Directory):
    """f9: Graph takes our token no more; the secret is dead as well, unless a new token helps (how R)."""

    READS: ClassVar[Json] = {"kind": "token_expired"}
    WRITE: ClassVar[Json] = {"kind": "token_expired"}

    async def arm(self) -> None:
        await super().arm()
        if self.how != "R":
            await self.site.stage.control("PATCH", "", {"secret": "a-secret-that-was-replaced"})

    async def heal(self) -> None:
        await super().heal()
        await self.site.stage.control("PATCH", "", {"secret": self.site.stage.world["secret"]})


class Stale(Kind):
    """f13: reads show what was there before, for a while after a write."""

    async def arm(self) -> None:
        stage = self.site.stage
        if self.step is Step.CLAIM:
            # Seen at the preview and changed since, by somebody else.
            await stage.patch(self.way.alias, phones={"mobile": f"{self.way.number[:-3]}999"})
        else:
            await stage.fault(
                kind="stale_reads", ms=60_000, path=f"{self.way.oid}/authentication/phoneMethods", times=None
            )

    async def heal(self) -> None:
        await self.site.stage.heal()


class NoWay(Kind):
    """f18: no name, no certificate, no proxy: nothing is sent (how W), or the bytes are gone (how Q)."""

    async def arm(self) -> None:
        if self.step in BY_PEOPLE or self.step is Step.CLAIM:
            await self.strike()
        elif self.step is Step.CALL:
            self.site.at(BEGINS[self.step], self.strike)
        else:
            await self.site.stage.fault(
                server="teams", kind="reset", verb="POST", path="/activities", times=4
            )

    async def strike(self) -> None:
        await self.site.relay.turn("cut" if self.how == "Q" else "dark")

    async def heal(self) -> None:
        await self.site.stage.heal()
        await self.site.relay.turn("open")


# --- rights and Teams -------------------------------------------------------------------------------------
class Changed(Kind):
    """f14: rights or the person change on the way."""

    async def arm(self) -> None:
        stage = self.site.stage
        if self.step is Step.RECEIVE:
            await stage.leave("operator", "olivia")
        elif self.step is Step.VOTE:
            await self.way.do(Step.VOTE)
            await stage.patch(self.way.alias, manager="vera")
        else:
            await stage.patch(self.way.alias, roles=[GLOBAL_ADMINISTRATOR])

    async def act(self) -> None:
        if self.step is Step.VOTE:
            await self.site.work()
        else:
            await self.way.do(self.step)

    async def heal(self) -> None:
        stage = self.site.stage
        await stage.join("operator", "olivia")
        await stage.patch(self.way.alias, roles=[], manager="marta")


class Silent(Kind):
    """f10: Teams does not take what we say: refused, throttled or broken."""

    STATUS: ClassVar[dict[Step, int]] = {Step.RECEIVE: 403, Step.SAVE: 503, Step.VOTE: 429, Step.TELL: 502}

    async def strike(self) -> None:
        status = self.STATUS[self.step]
        if self.how == "A":
            status = 403
        await self.site.stage.fault(
            server="teams", kind="status", status=status, verb="POST", path="/activities", times=None,
            retry_after=5 if status == 429 else None,
        )  # fmt: skip

    async def heal(self) -> None:
        await self.site.stage.heal()
