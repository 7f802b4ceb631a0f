"""The channel's signing keys: rotation, outages, floods of unknown keys."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from fake_channel import ConnectorHost, HandClock, House, MetadataHost, house, jwk

from bot.teams.signing_keys import SigningKeys


async def _status(home: House, key: str = "k1", kid: str | None = None) -> int:
    return (await home.post(token=home.token(key, kid)))[0]


async def test_a_new_key_works_on_its_first_message() -> None:
    """After a rotation the first message signed with the new key is let in, without waiting for a daily
    refresh.
    """
    async with house() as home:
        home.clock.pass_(minutes=2)
        home.metadata.keys = [jwk("k2")]
        assert await _status(home, "k2") == 201
        assert await _status(home, "k1") == 401


async def test_a_thousand_unknown_keys_cost_one_fetch_a_minute() -> None:
    """A4: a flood of invented key ids is refused, and the metadata host sees one fetch a minute."""
    async with house() as home:
        home.clock.pass_(minutes=2)
        home.metadata.fetches = 0
        found = await asyncio.gather(*(home.keys.find(f"invented-{n}") for n in range(1000)))
        assert found == [None] * 1000
        assert home.metadata.fetches == 1
        home.clock.pass_(seconds=59)
        assert await _status(home, kid="invented") == 401
        assert home.metadata.fetches == 1
        home.clock.pass_(seconds=2)
        assert await _status(home, kid="invented") == 401
        assert home.metadata.fetches == 2
        assert await _status(home) == 201


@pytest.mark.parametrize("mode", ["html", "empty", "500", "hang"])
async def test_known_keys_serve_while_the_metadata_host_is_ill(mode: str) -> None:
    """A23: an outage of any kind leaves known keys working and unknown ones refused."""
    async with house(limit_seconds=0.05) as home:
        home.metadata.mode = mode
        home.clock.pass_(minutes=2)
        assert await _status(home, kid="new") == 401
        assert await _status(home) == 201


async def test_last_good_keys_end_a_day_after_the_missed_refresh() -> None:
    """Keys are refreshed after 24 hours; when that fails they serve 24 hours more and then no longer."""
    async with house() as home:
        home.metadata.mode = "500"
        home.clock.pass_(hours=47)
        assert await _status(home) == 201
        home.clock.pass_(hours=2)
        assert await _status(home) == 401
        home.metadata.mode = "ok"
        home.clock.pass_(minutes=2)
        assert await _status(home) == 201


async def test_the_daily_refresh_drops_withdrawn_keys_without_delaying_anyone() -> None:
    """After a day the next request is served with what we have, and the refresh happens behind it."""
    async with house() as home:
        home.metadata.keys = [jwk("k2")]
        home.clock.pass_(hours=25)
        home.metadata.asked.clear()
        assert await _status(home) == 201
        async with asyncio.timeout(5):
            await home.metadata.asked.wait()
        await home.keys.warm()  # joins the refresh, if it is still under way
        assert await _status(home, "k1") == 401


async def test_a_hanging_metadata_host_delays_nobody_with_a_known_key() -> None:
    """A23: while a fetch hangs, known keys and the health page answer at once."""
    async with house(limit_seconds=30) as home:
        home.metadata.mode = "hang"
        home.clock.pass_(minutes=2)
        stuck = asyncio.create_task(_status(home, kid="new"))
        await home.metadata.hanging.wait()
        began = time.perf_counter()
        assert await _status(home) == 201
        async with home.session.get(f"http://127.0.0.1:{home.port}/healthz") as answer:
            assert answer.status == 200
        assert time.perf_counter() - began < 0.5
        assert not stuck.done()
        home.metadata.mode = "ok"
        home.metadata.go_on.set()
        assert await stuck == 401


async def test_a_start_without_metadata_host_recovers_within_seconds() -> None:
    """Warming never fails the start; with no keys at all the next try comes after five seconds, not a
    minute.
    """
    host, clock = MetadataHost(), HandClock()
    host.mode = "500"
    await host.server.start_server()
    async with aiohttp.ClientSession() as session:
        keys = SigningKeys(host.url, lambda: session, clock)
        await keys.warm()
        host.mode = "ok"
        assert await keys.find("k1") is None
        clock.pass_(seconds=6)
        assert await keys.find("k1") is not None
    await host.server.close()


async def test_keys_from_another_host_are_not_taken() -> None:
    """Metadata that points elsewhere for its keys is not believed."""
    host, other, clock = MetadataHost(), ConnectorHost(), HandClock()
    await host.server.start_server()
    await other.server.start_server()
    other.answers = [(200, {}, {"jwks_uri": str(host.server.make_url("/keys"))})]
    async with aiohttp.ClientSession() as session:
        keys = SigningKeys(str(other.server.make_url("/meta")), session, clock)
        assert await keys.find("k1") is None
    await host.server.close()
    await other.server.close()


async def test_weak_and_broken_keys_are_left_out() -> None:
    """A short modulus, another key type, an encryption key and garbage are skipped; the good one is kept."""
    host, clock = MetadataHost(), HandClock()
    good = jwk("k1")
    host.keys = [
        {**good, "kid": "short", "n": good["n"][:40]},
        {**good, "kid": "ec", "kty": "EC"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": 5},
        {**good, "kid": "broken", "n": 7},
        good,
    ]
    await host.server.start_server()
    async with aiohttp.ClientSession() as session:
        keys = SigningKeys(host.url, session, clock)
        found = [await keys.find(kid) is not None for kid in ("short", "ec", "enc", "broken", "k1")]
        assert found == [False, False, False, False, True]
    await host.server.close()
