"""Containers in which code runs that a model has written."""
