"""Backups: the whole database in one file by PostgreSQL's own programs, and back from it."""
