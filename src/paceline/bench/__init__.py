"""Benchmarks: scenarios timed in turns, compared with the last run, judged with care."""
