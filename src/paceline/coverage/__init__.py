"""Combining coverage over shards, exactly or not at all."""
