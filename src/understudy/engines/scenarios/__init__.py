"""Scripted answers, errors and faults in front of any engine, for tests of programs that call the API."""
