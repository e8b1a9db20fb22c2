"""What web search and web fetch share: domains, documents to search, what is sealed in their answers."""
