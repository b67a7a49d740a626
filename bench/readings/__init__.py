"""Timelines, scripted models and the replay behind bench/reading.py."""
