"""The pre-push flow: which checks a change needs, running them, and saying what came out."""
