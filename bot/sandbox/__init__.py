"""A stand-alone pretend Microsoft: directory, login and Teams channel over HTTP, in one process.

Knows nothing of the bot and imports nothing of it; the two meet only over sockets.
"""
