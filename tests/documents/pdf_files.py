"""PDFs written by hand: with words, with a password, and such as are made to do harm."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def document(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is the catalog; with a cross-reference table."""
    body = b"%PDF-1.7\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(body)
    size = len(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R%s>>\n" % (size, table, size, trailer)
    return body + b"startxref\n%d\n%%%%EOF\n" % start


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), entries, content)


def flate(content: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(content, 9), b"/Filter/FlateDecode" + entries)


def with_pages(contents: Sequence[bytes], *more: bytes, trailer: bytes = b"", catalog: bytes = b"") -> bytes:
    """A PDF with a page for each content stream. Its objects: 1 catalog, 2 pages, 3 font, then `more`."""
    first = 4 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * number) for number in range(len(contents)))
    resources = b"<</Font<</F 3 0 R>>/XObject<</X0 4 0 R>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(contents)),
        _FONT,
        *more,
    ]
    for number, content in enumerate(contents):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources %s>>"
        objects += [page % (first + 2 * number + 1, resources), content]
    return document(objects, trailer)


def words(*texts: str, size: int = 12) -> bytes:
    """A PDF with one of `texts` on each page; a line feed begins a new line."""
    contents: list[bytes] = []
    for text in texts:
        lines = b" 0 -14 Td ".join(b"(%s) Tj" % line.encode("cp1252") for line in text.split("\n"))
        contents.append(stream(b"BT /F %d Tf 20 750 Td %s ET" % (size, lines)))
    return with_pages(contents)


def with_password() -> bytes:
    """A PDF that opens with a password only: the check of the empty one cannot come out right."""
    encrypt = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"ab" * 32, b"cd" * 32)
    return with_pages([stream(b"")], trailer=encrypt)


def nested_forms(depth: int, width: int, innermost: bytes = b"BT /F 9 Tf 9 9 Td (deep) Tj ET") -> bytes:
    """A page whose form calls `width` others, each of which does: `width` to the power of `depth` of the innermost."""
    forms: list[bytes] = []
    for level in range(depth):
        inner = b"/X0 Do " * width if level < depth - 1 else innermost
        resources = b"/Resources<</Font<</F 3 0 R>>/XObject<</X0 %d 0 R>>>>" % (5 + level)
        forms.append(stream(inner, b"/Type/XObject/Subtype/Form/BBox[0 0 99 99]" + resources))
    return with_pages([stream(b"/X0 Do")], *forms)


def bomb(size: int) -> bytes:
    """A page whose content is `size` bytes of white space in a thousandth of that."""
    return with_pages([flate(b" " * size)])


def slow(pieces: int) -> bytes:
    """A page with so many pieces of text."""
    return with_pages([flate(b"BT /F 9 Tf " + b"1 1 Td (ab) Tj " * pieces + b"ET")])


def pages_in_circles() -> bytes:
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Parent 2 0 R/Count 2>>"]
    return document(objects)


def tables_in_circles() -> bytes:
    """Cross-reference tables that name one another as the one before."""
    body = words("circle")
    start = body.rindex(b"xref\n0 ")
    return body.replace(b"trailer\n<<", b"trailer\n<</Prev %d" % start)


def with_script_and_file() -> bytes:
    """A PDF that runs a script when it is opened, and has a file inside."""
    script = b"/OpenAction<</S/JavaScript/JS(while\\(true\\){})>>"
    return with_pages(
        [stream(b"BT /F 9 Tf 9 9 Td (quiet) Tj ET")], flate(b"MZ" * 1000, b"/Type/EmbeddedFile"), catalog=script
    )
