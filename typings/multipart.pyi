# What we use of multipart. Beside python-multipart, type checkers would take that one for it.
from collections.abc import Generator

__version__: str

class MultipartError(ValueError): ...

class MultipartSegment:
    headerlist: list[tuple[str, str]]
    name: str | None
    filename: str | None
    content_type: str | None
    complete: bool

class PushMultipartParser:
    closed: bool
    def __init__(
        self,
        boundary: str | bytes,
        *,
        max_header_size: int = ...,
        max_header_count: int = ...,
        max_segment_count: int = ...,
        strict: bool = ...,
    ) -> None: ...
    def parse(self, chunk: bytes | bytearray) -> Generator[MultipartSegment | bytearray | None]: ...
    def close(self, check_complete: bool = ...) -> None: ...

def parse_options_header(header: str) -> tuple[str, dict[str, str]]: ...
