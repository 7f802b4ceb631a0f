"""Adapters made from settings: keys, tokens and the directory, for the bot as for a question.

Knows how each is built. Must not know the workflow, nor put anything together.
"""

from __future__ import annotations

import random
from pathlib import Path

from bot.graph.client import GraphClient
from bot.graph.directory import GraphDirectory
from bot.graph.lanes import Lanes
from bot.graph.together import TogetherClient
from bot.ports import Clock, LaneBook
from bot.settings.environment import Identity, Settings
from bot.store.keyring import KeyRing
from bot.telemetry import Counters
from bot.tokens import Certificate, Credential, EntraTokens, ManagedIdentity, Secret

#: A throttled item holds up all reads for as long as it says: many at once wait together, not in turn.
WIDE_IN_FLIGHT = 20


def keyring_of(settings: Settings) -> KeyRing:
    """The data keys of the settings, or the key file beside SQLite."""
    if settings.data_keys:
        return KeyRing([(key.id, key.secret) for key in settings.data_keys])
    return KeyRing.beside_sqlite(settings.database.sqlite_path or Path())


def tokens_of(settings: Settings, identity: Identity, clock: Clock, counters: Counters) -> EntraTokens:
    """Tokens of one app registration, by its secret, certificate or managed identity."""
    credential: Credential = ManagedIdentity()
    if identity.certificate is not None:
        credential = Certificate(identity.certificate)
    elif not identity.managed:
        credential = Secret(identity.secret.get_secret_value())
    return EntraTokens(
        identity.app_id,
        settings.tenant_id,
        settings.login_base_url,
        credential,
        custom_host=settings.custom_login_host,
        clock=clock,
        count=counters.count,
    )


def graph_of(
    settings: Settings,
    tokens: EntraTokens,
    clock: Clock,
    counters: Counters,
    book: LaneBook,
    *,
    lanes: Lanes | None = None,
    wide: bool = False,
) -> GraphDirectory:
    """Microsoft Graph for this installation. book: where its pauses are kept.

    lanes: shared by those that have one allowance. wide: for reading about many people at once.
    """
    kind = TogetherClient if wide else GraphClient
    client = kind(
        settings.graph_base_url,
        settings.tenant_id,
        tokens,
        clock,
        lanes or Lanes(random.SystemRandom().random),
        random.SystemRandom().random,
        count=counters.count,
        book=book,
    )
    return GraphDirectory(
        client,
        profile=settings.graph_profile,
        cloud=settings.cloud.name,
        app_id=settings.app_id,
        count=counters.count,
        **({"in_flight": WIDE_IN_FLIGHT} if wide else {}),
    )
