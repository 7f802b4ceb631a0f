"""How fast Teams is spoken to, by a clock of our own."""

from __future__ import annotations

from bot.teams.pacing import CREATING, PATIENCE, Pace


class Time:
    """Moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def most_in(times: list[float], window: float) -> int:
    """The most calls in any window."""
    return max(sum(start <= each < start + window for each in times) for start in times)


async def test_one_chat_is_kept_below_its_windows() -> None:
    """A hundred cards to one person: 7 in a second, 8 in two and 60 in thirty are never passed."""
    time = Time()
    pace = Pace(time, time.sleep)
    sent: list[float] = []
    while len(sent) < 100:
        early = await pace.admit("a", answer=True)
        if early:
            assert early > PATIENCE
            time.now += early
        else:
            sent.append(time.now)
    assert (most_in(sent, 1), most_in(sent, 2), most_in(sent, 30)) <= (7, 8, 60)
    assert most_in(sent, 30) <= 60


async def test_a_tenant_is_kept_below_fifty_in_a_second() -> None:
    """Two hundred people, one card each: spread over seconds, and nobody waits longer than that needs."""
    time = Time()
    pace = Pace(time, time.sleep)
    sent = []
    for n in range(200):
        assert await pace.admit(f"chat {n}") == 0
        sent.append(time.now)
    assert most_in(sent, 1) <= 50
    assert time.slept < 200 / 45 * 1.2 + 1


def test_answers_find_room_where_the_unasked_has_to_wait() -> None:
    """Whoever is flooded with news still gets an answer at once."""
    pace = Pace(lambda: 100.0)
    while pace.wait_for("a") == 0:
        pass
    assert pace.wait_for("a", answer=True) == 0
    assert pace.wait_for("b") == 0


def test_new_chats_are_counted_together() -> None:
    """Creating is a thread of its own, whoever it is for."""
    pace = Pace(lambda: 100.0)
    assert [pace.wait_for(CREATING) == 0 for _ in range(8)] == [True] * 7 + [False]
