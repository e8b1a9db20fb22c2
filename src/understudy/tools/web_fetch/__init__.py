"""Web fetch: pages and PDFs whose URLs stand in the conversation."""
