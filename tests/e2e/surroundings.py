"""What belongs to the whole process and is lent to one test: its environment and its log.

Must not know what either is for.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping

from bot.telemetry import JsonLines, configure_logging


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables for the block: the token libraries read their trust from the environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def captured_log(level: str) -> Iterator[io.StringIO]:
    """Everything the process logs, exactly as the product would write it."""
    root = logging.getLogger()
    handlers, root_level, raising = root.handlers[:], root.level, logging.raiseExceptions
    stream = io.StringIO()
    configure_logging(level, stream)
    assert isinstance(root.handlers[0].formatter, JsonLines)
    try:
        yield stream
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(root_level)
        logging.raiseExceptions = raising
