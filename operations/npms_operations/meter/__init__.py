"""Trying a meter out before it is an installation: which one it is, and what it reads."""
