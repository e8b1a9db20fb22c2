"""The scripts of the prebuilt skills do what their SKILL.md says, as commands, checked with other libraries."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.skills import prebuilt
from understudy.skills.front_matter import read_front_matter
from understudy.skills.prebuilt import IDS

from .api import unzipped

HERE = Path(prebuilt.__file__).parent
NEEDED = {"xlsx": "openpyxl", "docx": "docx", "pptx": "pptx", "pdf": "pypdf"}


def library(name: str) -> Any:
    return importlib.import_module(name)


def script(name: str, *arguments: object, cwd: Path, code: int = 0) -> str:
    """What a script printed."""
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def needs(skill_id: str) -> Any:
    return pytest.mark.skipif(
        importlib.util.find_spec(NEEDED[skill_id]) is None, reason=f"{NEEDED[skill_id]} is not installed"
    )


def described(skill_id: str) -> Any:
    """The example in SKILL.md."""
    text = (HERE / skill_id / "SKILL.md").read_text("utf-8")
    return json.loads(text.split("```json\n")[1].split("```")[0])


@pytest.mark.parametrize("skill_id", IDS)
def test_a_prebuilt_skill_keeps_the_rules_of_those_that_are_uploaded(skill_id: str) -> None:
    text = (HERE / skill_id / "SKILL.md").read_bytes()
    assert read_front_matter(text).name == skill_id
    found = prebuilt.prebuilt(skill_id)
    assert found is not None
    files = unzipped(found.archive)
    assert files[f"{skill_id}/SKILL.md"] == text
    assert not [name for name in files if "__pycache__" in name]
    # What the text speaks of is there.
    for word in text.decode().replace("`", " ").split():
        if word.startswith("/skills/") or word.startswith("scripts/"):
            assert word.removeprefix("/skills/").removeprefix(f"{skill_id}/").rstrip(".,") in {
                name.removeprefix(f"{skill_id}/") for name in files
            }, word


@needs("xlsx")
def test_xlsx_makes_reads_and_checks_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text(json.dumps(described("xlsx")), "utf-8")
    script("xlsx/scripts/make.py", "book.json", "book.xlsx", cwd=tmp_path)
    book = library("openpyxl").load_workbook(tmp_path / "book.xlsx")
    sheet = book["Sales"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows(max_row=4)] == [
        ["Month", "Units", "Price", "Revenue"],
        ["January", 10, 2.5, "=B2*C2"],
        ["February", 12, 2.5, "=B3*C3"],
        ["Total", "=SUM(B2:B3)", None, "=SUM(D2:D3)"],
    ]
    assert (sheet["C2"].number_format, sheet.column_dimensions["A"].width, sheet["A1"].font.b) == ("0.00", 18, True)
    assert len(sheet._charts) == 1
    shown = script("xlsx/scripts/read.py", "book.xlsx", cwd=tmp_path)
    assert "## Sales: 4 rows, 4 columns\nMonth,Units,Price,Revenue\nJanuary,10,2.5,=B2*C2\n" in shown
    assert "Nothing wrong" in script("xlsx/scripts/check.py", "book.xlsx", cwd=tmp_path)
    sheet["F1"], sheet["F2"] = "=Gone!A1", "#REF!"
    book.save(tmp_path / "bad.xlsx")
    shown = script("xlsx/scripts/check.py", "bad.xlsx", cwd=tmp_path, code=1)
    assert shown.splitlines() == ["Sales!F1: there is no sheet Gone", "Sales!F2: #REF!"]


@needs("xlsx")
def test_xlsx_turns_days_into_dates(tmp_path: Path) -> None:
    rows = {"sheets": [{"name": "A", "rows": [["2026-03-31", "2026-99-99", True, "=1+1"]]}]}
    (tmp_path / "a.json").write_text(json.dumps(rows), "utf-8")
    script("xlsx/scripts/make.py", "a.json", "a.xlsx", cwd=tmp_path)
    sheet = library("openpyxl").load_workbook(tmp_path / "a.xlsx")["A"]
    assert (sheet["A1"].value.isoformat()[:10], sheet["A1"].is_date) == ("2026-03-31", True)
    assert [sheet[place].value for place in ("B1", "C1", "D1")] == ["2026-99-99", True, "=1+1"]


TEXT = """# One

A paragraph of
two lines, **bold** and *thin*.

- first
  - deeper
1. number

| a | b |
| --- | --- |
| 1 | x **y** |

> said

---

```
code
  more
```
"""


@needs("docx")
def test_docx_makes_and_reads_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT, "utf-8")
    script("docx/scripts/make.py", "a.md", "a.docx", "--title", "Report", "--footer", "Internal", cwd=tmp_path)
    document = library("docx").Document(str(tmp_path / "a.docx"))
    styles = [(paragraph.style.name, paragraph.text) for paragraph in document.paragraphs]
    assert styles[:6] == [
        ("Title", "Report"),
        ("Heading 1", "One"),
        ("Normal", "A paragraph of two lines, bold and thin."),
        ("List Bullet", "first"),
        ("List Bullet 2", "deeper"),
        ("List Number", "number"),
    ]
    assert [run.text for run in document.paragraphs[2].runs if run.bold] == ["bold"]
    assert [[cell.text for cell in row.cells] for row in document.tables[0].rows] == [["a", "b"], ["1", "x y"]]
    shown = script("docx/scripts/read.py", "a.docx", cwd=tmp_path)
    for line in ("# Report", "  - deeper", "| 1 | x y |", "> said", "(footer of section 1: Internal)"):
        assert line in shown.splitlines()


@needs("docx")
def test_docx_fills_a_template_whose_keys_lie_in_several_runs(tmp_path: Path) -> None:
    document = library("docx").Document()
    paragraph = document.add_paragraph("Dear {{na")
    paragraph.add_run("me").bold = True
    paragraph.add_run("}}, and {{name}} again. {{date}}")
    document.add_table(1, 1).cell(0, 0).text = "{{date}}"
    document.sections[0].header.paragraphs[0].text = "for {{name}}"
    document.save(str(tmp_path / "t.docx"))
    values = {"{{name}}": "Ada {{name}}", "{{date}}": "31 March"}
    (tmp_path / "v.json").write_text(json.dumps(values), "utf-8")
    shown = script("docx/scripts/replace.py", "t.docx", "o.docx", "v.json", cwd=tmp_path)
    assert shown.splitlines() == ["{{name}}: replaced 3 times", "{{date}}: replaced 2 times"]
    out = library("docx").Document(str(tmp_path / "o.docx"))
    assert out.paragraphs[0].text == "Dear Ada {{name}}, and Ada {{name}} again. 31 March"
    assert out.tables[0].cell(0, 0).text == "31 March"
    assert out.sections[0].header.paragraphs[0].text == "for Ada {{name}}"
    (tmp_path / "v.json").write_text('{"{{gone}}": "x"}', "utf-8")
    assert "{{gone}}: not found" in script(
        "docx/scripts/replace.py", "t.docx", "o.docx", "v.json", cwd=tmp_path, code=1
    )


def picture(path: Path) -> None:
    library("PIL.Image").new("RGB", (60, 30), "red").save(path)


@needs("pptx")
def test_pptx_makes_and_reads_a_deck(tmp_path: Path) -> None:
    picture(tmp_path / "site.png")
    (tmp_path / "deck.json").write_text(json.dumps(described("pptx")), "utf-8")
    script("pptx/scripts/make.py", "deck.json", "deck.pptx", cwd=tmp_path)
    deck = library("pptx").Presentation(str(tmp_path / "deck.pptx"))
    assert [slide.shapes.title.text for slide in deck.slides] == [
        *("Third quarter", "What happened", "Sales", "Trend", "Site"),
    ]
    bullets = deck.slides[1].placeholders[1].text_frame.paragraphs
    assert [(one.text, one.level) for one in bullets] == [
        ("Sales grew by 12 %", 0),
        ("in the north by 20 %", 1),
        ("Costs stayed", 0),
    ]
    for slide in deck.slides:
        for shape in slide.shapes:
            # Nothing hangs over the edge.
            assert shape.left >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
    shown = script("pptx/scripts/read.py", "deck.pptx", cwd=tmp_path)
    for line in ("## 2. What happened", "  - in the north by 20 %", "(notes: Mention the new plant.)"):
        assert line in shown.splitlines()
    assert "| North | 10 | 12 |" in shown
    assert "(North: 1.0, 2.0, 3.0)" in shown
    assert "(image image/png" in shown
    again = {"slides": [{"title": "More", "bullets": ["x"]}]}
    (tmp_path / "more.json").write_text(json.dumps(again), "utf-8")
    script("pptx/scripts/make.py", "more.json", "more.pptx", "--template", "deck.pptx", cwd=tmp_path)
    assert len(library("pptx").Presentation(str(tmp_path / "more.pptx")).slides) == 6


@needs("pdf")
def test_pdf_makes_reads_and_turns_pages(tmp_path: Path) -> None:
    picture(tmp_path / "chart.png")
    content = described("pdf")
    content["content"] += [{"text": "The last page."}]
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    script("pdf/scripts/make.py", "a.json", "a.pdf", cwd=tmp_path)
    reader = library("pypdf").PdfReader(str(tmp_path / "a.pdf"))
    assert len(reader.pages) == 2
    assert (reader.metadata.title, reader.metadata.author) == ("Report", "Ada")
    shown = script("pdf/scripts/read.py", "a.pdf", "--tables", cwd=tmp_path)
    for text in ("2 pages", "Summary", "Plain text, with bold and italic.", "| North | 10 |", "The last page."):
        assert text in shown
    assert "Summary" not in script("pdf/scripts/read.py", "a.pdf", "--pages", "2", cwd=tmp_path)
    assert "pages 1 to 2" in script("pdf/scripts/read.py", "a.pdf", "--pages", "3", cwd=tmp_path, code=1)
    script("pdf/scripts/pages.py", "merge", "all.pdf", "a.pdf", "a.pdf", cwd=tmp_path)
    script("pdf/scripts/pages.py", "pick", "part.pdf", "all.pdf", "2-3,1", cwd=tmp_path)
    script("pdf/scripts/pages.py", "rotate", "turned.pdf", "part.pdf", "90", "--pages", "2", cwd=tmp_path)
    turned = library("pypdf").PdfReader(str(tmp_path / "turned.pdf"))
    assert [page.rotation for page in turned.pages] == [0, 90, 0]
    assert "The last page." in turned.pages[0].extract_text()
    assert "Summary" in turned.pages[2].extract_text()


@needs("pdf")
def test_pdf_shows_and_fills_a_form(tmp_path: Path) -> None:
    canvas = library("reportlab.pdfgen.canvas").Canvas(str(tmp_path / "form.pdf"))
    canvas.acroForm.textfield(name="who", x=50, y=700, width=200, height=20)
    canvas.acroForm.checkbox(name="yes", x=50, y=650)
    canvas.drawString(50, 750, "A form")
    canvas.showPage()
    canvas.save()
    shown = script("pdf/scripts/form.py", "list", "form.pdf", cwd=tmp_path)
    assert "who: text" in shown
    assert "yes: box; one of" in shown
    (tmp_path / "v.json").write_text('{"who": "Ada", "yes": "/Yes"}', "utf-8")
    script("pdf/scripts/form.py", "fill", "form.pdf", "out.pdf", "v.json", cwd=tmp_path)
    fields = library("pypdf").PdfReader(str(tmp_path / "out.pdf")).get_fields()
    assert (fields["who"].value, fields["yes"].value) == ("Ada", "/Yes")
    (tmp_path / "v.json").write_text('{"gone": "x"}', "utf-8")
    assert "gone" in script("pdf/scripts/form.py", "fill", "form.pdf", "out.pdf", "v.json", cwd=tmp_path, code=1)
    script("pdf/scripts/pages.py", "pick", "one.pdf", "form.pdf", "1", cwd=tmp_path)
