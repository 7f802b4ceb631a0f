"""Starts the command line of Ringfence; everything else is in `bot`."""

from bot.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
