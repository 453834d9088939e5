"""Fixtures of these tests."""

from tests.support.fixtures import rein, sqlite_url, world

__all__ = ["rein", "sqlite_url", "world"]
