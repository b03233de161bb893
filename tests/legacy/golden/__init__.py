"""Comparing a dump with what was recorded."""
