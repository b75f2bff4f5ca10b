"""Dividing a test group over shards, and proving afterwards that every test ran once."""
