"""How the official Java, Go, C#, Ruby and PHP SDKs send a Messages request, as data.

Read off each SDK's sources at the release named in `read_version`, its last major version that sends
`anthropic-version: 2023-06-01` with the key in `x-api-key`. The next major sends 2026-10-21 and
`Authorization: Bearer` (the API's page "Migrating to API version 2026-10-21"); its sources were not at hand, so its
other headers are taken to be those of the release that was read, under the new version number.

Headers stand as the SDK, or the HTTP library it uses, writes them; `host` and `content-length` come from the sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MODEL = "claude-sonnet-4-5"
TEXT = "Hello, Claude & <friends>: ¿qué tal?"
"""Holds what JSON encoders differ in: HTML's special characters and letters beyond ASCII."""

# Go escapes HTML's characters, .NET these and everything beyond ASCII; the others write them as they are.
_TEXT_GO = TEXT.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
_TEXT_NET = r"Hello, Claude \u0026 \u003Cfriends\u003E: \u00BFqu\u00E9 tal?"


@dataclass(frozen=True)
class Sdk:
    language: str
    read_version: str
    current_version: str
    credential_header: str
    """How the SDK spells x-api-key; a Bearer credential is spelled as `bearer_header`."""
    bearer_header: str
    version_header: str
    headers: tuple[tuple[str, str], ...]
    """`{version}` stands for the SDK's version."""
    create_headers: tuple[tuple[str, str], ...]
    stream_headers: tuple[tuple[str, str], ...]
    body: str
    """Of a plain create; a streaming one has `"stream":true` as its last key in every SDK."""


@dataclass(frozen=True)
class SdkRequest:
    name: str
    stream: bool
    headers: tuple[tuple[str, str], ...]
    body: bytes
    method: str = "POST"
    path: str = "/v1/messages"


JAVA = Sdk(
    language="java",
    read_version="2.57.0",
    current_version="3.0.0",
    credential_header="X-Api-Key",
    bearer_header="Authorization",
    version_header="anthropic-version",
    headers=(
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Kotlin-Version", "1.8.0"),
        ("X-Stainless-Lang", "java"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-OS-Version", "6.1.0"),
        ("X-Stainless-Package-Version", "{version}"),
        ("X-Stainless-Runtime", "JRE"),
        ("X-Stainless-Runtime-Version", "21.0.5"),
        ("X-Stainless-Retry-Count", "0"),
        ("User-Agent", "AnthropicClientImpl/Java {version}"),
        ("X-Stainless-Read-Timeout", "600"),
        ("X-Stainless-Timeout", "600"),
        ("Content-Type", "application/json"),
        ("Connection", "Keep-Alive"),  # this and the next: OkHttp
        ("Accept-Encoding", "gzip"),
    ),
    create_headers=(),  # no Accept header at all
    stream_headers=(("Accept", "text/event-stream"),),
    body=f'{{"max_tokens":1024,"messages":[{{"content":"{TEXT}","role":"user"}}],"model":"{MODEL}"}}',
)

GO = Sdk(
    language="go",
    read_version="1.60.0",
    current_version="2.0.0",
    credential_header="X-Api-Key",
    bearer_header="Authorization",
    version_header="Anthropic-Version",  # net/http writes names in canonical case
    headers=(
        ("User-Agent", "Anthropic/Go {version}"),
        ("Accept", "application/json"),  # for streams too
        ("Content-Type", "application/json"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Lang", "go"),
        ("X-Stainless-Os", "Linux"),
        ("X-Stainless-Package-Version", "{version}"),
        ("X-Stainless-Retry-Count", "0"),
        ("X-Stainless-Runtime", "go"),
        ("X-Stainless-Runtime-Version", "go1.24.4"),
        ("Accept-Encoding", "gzip"),  # net/http
    ),
    create_headers=(("X-Stainless-Timeout", "600"),),
    stream_headers=(),  # a stream has no timeout unless the caller sets one
    body=f'{{"max_tokens":1024,"messages":[{{"content":[{{"text":"{_TEXT_GO}","type":"text"}}],"role":"user"}}],'
    f'"model":"{MODEL}"}}',
)

CSHARP = Sdk(
    language="csharp",
    read_version="12.38.0",
    current_version="13.0.0",
    credential_header="X-Api-Key",
    bearer_header="Authorization",
    version_header="anthropic-version",
    headers=(
        ("User-Agent", "AnthropicClient/C# {version}"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Lang", "csharp"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-Package-Version", "{version}"),
        ("X-Stainless-Runtime", ".NET"),
        ("X-Stainless-Runtime-Version", "8.0.11"),
        ("X-Stainless-Timeout", "600"),
        ("x-stainless-retry-count", "0"),
        ("Content-Type", "application/json"),
    ),
    create_headers=(),  # no Accept header, in either case
    stream_headers=(),
    body=f'{{"max_tokens":1024,"messages":[{{"role":"user","content":"{_TEXT_NET}"}}],"model":"{MODEL}"}}',
)

RUBY = Sdk(
    language="ruby",
    read_version="1.65.0",
    current_version="2.0.0",
    credential_header="X-Api-Key",
    bearer_header="Authorization",
    version_header="Anthropic-Version",  # Net::HTTP capitalizes names
    headers=(
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Lang", "ruby"),
        ("X-Stainless-Os", "Linux"),
        ("X-Stainless-Package-Version", "{version}"),
        ("X-Stainless-Runtime", "ruby"),
        ("X-Stainless-Runtime-Version", "3.3.6"),
        ("Content-Type", "application/json"),
        ("User-Agent", "Anthropic::Client/Ruby {version}"),
        ("X-Stainless-Retry-Count", "0"),
        ("X-Stainless-Timeout", "600.0"),
    ),
    create_headers=(
        ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),  # Net::HTTP
        ("Accept", "application/json"),
    ),
    stream_headers=(
        ("Accept-Encoding", "identity"),
        ("Accept", "text/event-stream"),
        ("X-Stainless-Helper-Method", "stream"),
    ),
    body=f'{{"max_tokens":1024,"messages":[{{"role":"user","content":"{TEXT}"}}],"model":"{MODEL}"}}',
)

PHP = Sdk(
    language="php",
    read_version="0.43.0",
    current_version="1.0.0",
    credential_header="X-Api-Key",
    bearer_header="Authorization",
    version_header="anthropic-version",
    headers=(
        ("Content-Type", "application/json"),
        ("User-Agent", "anthropic/PHP {version}"),
        ("X-Stainless-Lang", "php"),
        ("X-Stainless-Package-Version", "{version}"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-Runtime", "cli"),
        ("X-Stainless-Runtime-Version", "8.3.14"),
        ("X-Stainless-Retry-Count", "0"),
    ),
    create_headers=(("Accept", "application/json"),),
    stream_headers=(("Accept", "text/event-stream"),),
    body=f'{{"max_tokens":1024,"messages":[{{"role":"user","content":"{TEXT}"}}],"model":"{MODEL}"}}',
)

SDKS = (JAVA, GO, CSHARP, RUBY, PHP)


def requests(api_key: str) -> Iterator[SdkRequest]:
    """Each SDK's previous and current major version, creating plainly and streaming."""
    for sdk in SDKS:
        for version, api_version, credential in (
            (sdk.read_version, "2023-06-01", (sdk.credential_header, api_key)),
            (sdk.current_version, "2026-10-21", (sdk.bearer_header, f"Bearer {api_key}")),
        ):
            for stream in (False, True):
                common = (*sdk.headers, *(sdk.stream_headers if stream else sdk.create_headers))
                filled = tuple((name, value.replace("{version}", version)) for name, value in common)
                body = sdk.body[:-1] + ',"stream":true}' if stream else sdk.body
                yield SdkRequest(
                    name=f"{sdk.language}-{version}-{'stream' if stream else 'create'}",
                    stream=stream,
                    headers=(*filled, (sdk.version_header, api_version), credential),
                    body=body.encode(),
                )
