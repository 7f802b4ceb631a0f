"""Microsoft Graph as the directory: what the composition root needs, and nothing else."""

from __future__ import annotations

from bot.graph.client import GraphClient, GraphTiming, Tokens
from bot.graph.directory import GraphDirectory
from bot.graph.lanes import Lanes

__all__ = ["GraphClient", "GraphDirectory", "GraphTiming", "Lanes", "Tokens"]
