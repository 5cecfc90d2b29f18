"""Profiles in files: whether they are good, and what they would read."""
