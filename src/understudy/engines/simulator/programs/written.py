"""The programs, in Python. Each runs with nothing but the standard library, and uses a better one where it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from understudy.engines.simulator.programs.rows import Rows

_CSV: Final = """\
import csv, statistics

path = {path!r}
with open(path, newline="", encoding="utf-8-sig") as file:
    rows = list(csv.DictReader(file))
columns = list(rows[0]) if rows else []
print(f"{{len(rows)}} rows; columns: {{', '.join(columns)}}")
for column in columns:
    values = []
    for row in rows:
        try:
            values.append(float((row[column] or "").replace(",", "")))
        except ValueError:
            pass
    if values and len(values) == sum(bool(row[column]) for row in rows):
        print(f"{{column}}: sum {{sum(values):g}}, mean {{statistics.fmean(values):g}}, "
              f"minimum {{min(values):g}}, maximum {{max(values):g}}")
    else:
        print(f"{{column}}: {{len(set(row[column] for row in rows))}} different values")
"""

_NUMBERS: Final = """\
import statistics

values = {values!r}
print("count:", len(values))
print("sum:", sum(values))
print("mean:", statistics.mean(values))
print("median:", statistics.median(values))
print("standard deviation:", statistics.stdev(values) if len(values) > 1 else 0)
print("population standard deviation:", statistics.pstdev(values))
print("minimum:", min(values))
print("maximum:", max(values))
"""

_XLSX: Final = """\
import os

rows = {rows!r}
path = os.path.join(os.environ["OUTPUT_DIR"], {name!r})
try:
    from openpyxl import Workbook
except ImportError:
    import zipfile
    from xml.sax.saxutils import escape

    def cell(value):
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t xml:space="preserve">{{escape(value)}}</t></is></c>'
        return f"<c><v>{{value}}</v></c>"

    sheet = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    of = "http://schemas.openxmlformats.org/"
    main, office = of + "spreadsheetml/2006/main", of + "officeDocument/2006/relationships"
    package, kind = of + "package/2006/", "application/vnd.openxmlformats-"
    parts = {{
        "[Content_Types].xml": f'<Types xmlns="{{package}}content-types">'
        f'<Default Extension="rels" ContentType="{{kind}}package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{{kind}}officedocument.spreadsheetml.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet1.xml" ContentType="{{kind}}officedocument.spreadsheetml.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{{package}}relationships">'
        f'<Relationship Id="r1" Type="{{office}}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{{main}}" xmlns:r="{{office}}">'
        '<sheets><sheet name="Sheet" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{{package}}relationships">'
        f'<Relationship Id="r1" Type="{{office}}/worksheet" Target="sheet1.xml"/></Relationships>',
        "xl/sheet1.xml": f'<worksheet xmlns="{{main}}"><sheetData>{{sheet}}</sheetData></worksheet>',
    }}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for part, text in parts.items():
            file.writestr(part, head + text)
else:
    workbook = Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(path)
print(f"{{os.path.basename(path)}}: {{len(rows)}} rows, {{max(map(len, rows))}} columns")
"""

_CHART: Final = """\
import os

labels = {labels!r}
values = {values!r}
path = os.path.join(os.environ["OUTPUT_DIR"], {name!r})
try:
    import matplotlib
except ImportError:
    import struct, zlib

    width, height, edge = 640, 400, 20
    top, bottom = max([0, *values]), min([0, *values])
    scale = (height - 2 * edge) / ((top - bottom) or 1)
    step = (width - 2 * edge) / len(values)
    bars = [
        (edge + place * step + step * 0.1, edge + place * step + step * 0.9,
         edge + (top - max(value, 0)) * scale, edge + (top - min(value, 0)) * scale)
        for place, value in enumerate(values)
    ]
    lines = []
    for y in range(height):
        line = bytearray(b"\\xff" * (3 * width))
        for left, right, high, low in bars:
            if high <= y < low:
                line[3 * int(left) : 3 * int(right)] = bytes((76, 114, 176)) * (int(right) - int(left))
        lines.append(b"\\0" + line)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as file:
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(b"".join(lines))) + chunk(b"IEND", b""))
else:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.{shape}(labels, values)
    plt.tight_layout()
    plt.savefig(path)
print(f"{{os.path.basename(path)}}: {{len(values)}} values, from {{min(values)}} to {{max(values)}}")
"""

_FILE: Final = """\
import os

path = os.path.join(os.environ["OUTPUT_DIR"], {name!r})
with open(path, "w", encoding="utf-8") as file:
    file.write({text!r})
print(f"{{os.path.basename(path)}}: {{os.path.getsize(path)}} bytes")
"""

_PLACE: Final = """\
import os, platform

print("Python", platform.python_version())
folder = os.environ.get("INPUT_DIR", ".")
for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
    print(name, os.path.getsize(os.path.join(folder, name)), "bytes")
"""


def csv_summary(path: str) -> str:
    return _CSV.format(path=path)


def statistics_of(values: Sequence[int | float]) -> str:
    return _NUMBERS.format(values=list(values))


def spreadsheet(rows: Rows, name: str) -> str:
    return _XLSX.format(rows=rows, name=name)


def chart(labels: Sequence[str], values: Sequence[int | float], shape: str, name: str) -> str:
    """`shape`: `bar` or `plot`."""
    return _CHART.format(labels=list(labels), values=list(values), shape=shape, name=name)


def text_file(text: str, name: str) -> str:
    return _FILE.format(text=text, name=name)


def printing(expression: str) -> str:
    return f'result = {expression}\nprint(f"{{result:.10g}}" if isinstance(result, float) else result)\n'


def look_around() -> str:
    return _PLACE
