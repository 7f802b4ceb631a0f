"""Alembic's scripts. They run only from `bot.store.migrate`, on the connection it hands over."""
