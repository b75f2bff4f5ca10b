"""Deciding which tests a change can affect: too many rather than too few."""
