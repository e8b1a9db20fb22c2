"""The MCP connector: tools of servers that a request names."""
