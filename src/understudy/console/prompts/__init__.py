"""Prompts that people save in the Workbench, with versions, test cases and results."""
