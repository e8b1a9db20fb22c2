"""The code execution tool: commands and files in a container (code-execution-tool.md, 2026-08)."""
