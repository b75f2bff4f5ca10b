"""Paceline's own sessions: the few lines that any user writes."""

from paceline.sessions import register

register()
