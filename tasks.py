"""Paceline's own tasks: the lines that any user writes."""

from paceline import tasks

ns = tasks.ns
