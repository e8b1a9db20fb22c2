"""The tools that this server runs itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from understudy.settings.room import Room


class CodeExecutionSettings(Room):
    """The code execution tool. See code-execution.md; where the code runs is set under sandbox."""

    timeout: float = Field(
        default=120, gt=0, le=3600, description="Seconds of one command or program; one that takes longer is ended."
    )
    max_output: int = Field(
        default=100_000,
        ge=100,
        description="Characters that a command may print; of more the model is told that they were too many.",
    )


class WebSearchSettings(Room):
    """The web search tool. See web-search-and-fetch.md."""

    provider: Literal["documents", "searxng", "brave", "tavily", "duckduckgo"] | None = Field(
        default=None,
        description="Who searches. Default: your own documents where there is a directory of them, else nobody.",
    )
    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Where the provider is reached. SearXNG needs it; of Brave and Tavily it is known.",
    )
    key: SecretStr | None = Field(default=None, description="The key that Brave or Tavily gave you.")
    documents: Path | None = Field(
        default=None, description="Directory of your own pages (.md, .txt, .jsonl) that are searched without a network."
    )
    documents_url: str = Field(
        default="https://documents.example/",
        pattern=r"^https?://[^/\s]+\.[^/\s]+/([^\s]*/)?$",
        description="What stands before a file's path in the URL of its page; it ends with a slash.",
    )


class WebFetchSettings(Room):
    """The web fetch tool, which is on with net.url_sources. See web-search-and-fetch.md."""

    robots: bool = Field(default=True, description="Fetch nothing that a site's robots.txt does not allow.")


class MCPSettings(Room):
    """The MCP connector. See mcp-connector.md; servers that are not on the public internet need net.allow."""

    listing_timeout: float = Field(
        default=20, gt=0, le=600, description="Seconds in which a server must be reached and have listed its tools."
    )
    call_timeout: float = Field(
        default=60, gt=0, le=3600, description="Seconds of one call; of one that takes longer the model is told so."
    )
    listing_lifetime: float = Field(
        default=60, ge=0, le=3600, description="Seconds that a server's listing is used again; 0 asks every time."
    )
    max_size: int = Field(
        default=5 * 1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Bytes that a server may send for a listing, or for a call.",
    )
    max_result: int = Field(
        default=200_000, ge=100, description="Characters of a result that the model is given; the rest is cut off."
    )


class AdvisorSettings(Room):
    """The advisor tool. See advisor.md."""

    timeout: float = Field(
        default=600, gt=0, le=3600, description="Seconds that an advisor may take; then the model goes on without it."
    )
