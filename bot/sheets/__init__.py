"""Spreadsheets in and out: what a stranger's file says, and files of ours in which nothing comes alive.

The bot's process sees only `process`; all that looks into a file runs in a child with bounds of memory and
time, started anew for each file. Must not know people, policy or batches.
"""
