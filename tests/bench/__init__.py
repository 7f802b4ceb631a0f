"""What a turn and a start of the bot cost in processor time. Run alone: `python -m tests.bench`."""
