"""Paceline's own tasks: the line that any user writes."""

from paceline.tasks import ns

__all__ = ["ns"]
