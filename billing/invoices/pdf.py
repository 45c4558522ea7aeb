"""An invoice or credit note as PDF (A4), made from the same document as the page, with embedded fonts and no system ones."""

from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from io import BytesIO
from itertools import groupby
from typing import Any, Final

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from billing.invoices.documents import Document, Line, Section
from billing.invoices.invoices import Party

FONT: Final = "NotoSans"
CJK_FONT: Final = "WenQuanYi"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
TEXT: Final = colors.HexColor("#1c1b19")
MUTED: Final = colors.HexColor("#5f5c56")
RULE: Final = colors.HexColor("#d3d0ca")
MARGIN: Final = 20 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
LOGO: Final = (50 * mm, 16 * mm)
COLUMNS: Final = (WIDTH - 66 * mm, 38 * mm, 28 * mm)


def invoice_pdf(document: Document) -> bytes:
    """The PDF's bytes. The same document gives the same bytes, so that a copy can be compared with the first."""
    _register_fonts()
    buffer = BytesIO()
    template = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN + 6 * mm,
        title=f"{document.kind} {document.number}",
        author=document.seller.name,
        invariant=1,
    )
    template.build(_story(document), onFirstPage=_footer(document), onLaterPages=_footer(document))
    return buffer.getvalue()


def _story(document: Document) -> list[Any]:
    story: list[Any] = [
        _pair(
            [*_logo(document), *_party(document.seller)],
            _right(_text(f"{document.kind} {document.number}", size=16), _facts(document)),
        ),
        Spacer(0, 10 * mm),
        _small("Billed to" if document.kind == "Invoice" else "Credited to"),
        *_party(document.buyer),
        Spacer(0, 10 * mm),
    ]
    for section in document.sections:
        story += [_lines(document, section), Spacer(0, 4 * mm)]
    story += [_totals(document), Spacer(0, 8 * mm)]
    story += [_text(line) for line in document.payment_note.splitlines()]
    return story


def _logo(document: Document) -> list[Any]:
    """The seller's logo above their name: as large as it is, a point for a pixel, or as LOGO allows."""
    if document.logo is None:
        return []
    body = bytes(document.logo.body)
    width, height = ImageReader(BytesIO(body)).getSize()
    scale = min(LOGO[0] / width, LOGO[1] / height, 1)
    return [Image(BytesIO(body), width * scale, height * scale, hAlign="LEFT"), Spacer(0, 3 * mm)]


def _facts(document: Document) -> str:
    facts = (
        ("Issue date", document.issued),
        ("Due date", document.due),
        ("Period", document.period),
        ("Corrects invoice", document.corrects),
        ("State", document.settled or document.state),
    )
    return "<br/>".join(f"{label}: {_marked(value)}" for label, value in facts if value)


def _party(party: Party) -> list[Paragraph]:
    lines = [party.name, *party.address.splitlines()]
    found = [_text(line, size=10 if number == 0 else 9) for number, line in enumerate(lines) if line.strip()]
    return found + ([_small(f"Tax ID {party.tax_id}")] if party.tax_id else [])


def _lines(document: Document, section: Section) -> Table:
    head = section.organization if document.is_consolidated else "Usage"
    rows = [[_small(head), _small("Quantity", right=True), _small("Amount", right=True)]]
    rows += [
        [_text(_described(line)), _text(line.quantity, right=True), _text(line.amount, right=True)]
        for line in section.lines
    ]
    if document.is_consolidated:
        rows.append([_small(f"Sum of {section.organization}"), "", _text(section.subtotal, right=True)])
    table = _table(rows, COLUMNS, repeat_rows=1)
    table.setStyle(_rules([("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE), ("LINEABOVE", (0, 0), (-1, 0), 0.8, TEXT)]))
    return table


def _described(line: Line) -> str:
    return f"{line.model}, {line.line_item}" + (f" – late usage of {line.late}" if line.late else "")


def _totals(document: Document) -> Table:
    rows = [("Subtotal", document.subtotal)]
    rows += [(f"Credit: {name}", amount) for name, amount in document.credits]
    rows += [("Net amount", document.taxable)] if document.credits else []
    rows += [(document.tax_label, document.tax)]
    cells: list[list[Any]] = [["", _text(name, right=True), _text(amount, right=True)] for name, amount in rows]
    cells.append(["", _text("Total (USD)", size=11, right=True), _text(document.total, size=11, right=True)])
    below = [document.balance] if document.balance else []
    below += [("Amount due (USD)", document.to_pay)] if document.to_pay else []
    cells += [["", _text(name, right=True), _text(amount, right=True)] for name, amount in below]
    table = _table(cells, (WIDTH - 110 * mm, 76 * mm, 34 * mm))
    table.setStyle(_rules([("LINEABOVE", (1, len(rows)), (-1, len(rows)), 0.8, TEXT)]))
    return table


def _table(rows: list[list[Any]], widths: tuple[float, ...], *, repeat_rows: int = 0) -> Table:
    """A table whose rows go on on the next page, however much text is in a cell: no party's address breaks a document."""
    return Table(rows, widths, repeatRows=repeat_rows, splitInRow=1)


def _rules(more: list[tuple[Any, ...]]) -> TableStyle:
    padding: list[tuple[Any, ...]] = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return TableStyle(padding + more)


def _pair(left: list[Any], right: list[Any]) -> Table:
    table = _table([[left, right]], (WIDTH * 0.45, WIDTH * 0.55))
    table.setStyle(_rules([]))
    return table


def _right(title: Paragraph, facts: str) -> list[Paragraph]:
    return [title, Spacer(0, 2 * mm), Paragraph(facts, _style(9, MUTED, right=False))]


def _text(text: str, *, size: float = 9, right: bool = False) -> Paragraph:
    return Paragraph(_marked(text), _style(size, TEXT, right=right))


def _small(text: str, *, right: bool = False) -> Paragraph:
    return Paragraph(_marked(text), _style(8, MUTED, right=right))


@cache
def _style(size: float, color: colors.Color, *, right: bool) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size} {color} {right}",
        fontName=FONT,
        fontSize=size,
        leading=size * 1.4,
        textColor=color,
        alignment=2 if right else 0,
    )


def _marked(text: str) -> str:
    """The text as markup, each letter in a font that has it; one that neither has is seen to be missing."""
    runs = groupby(text, key=_font_of)
    return "".join(_run(font, "".join(letters)) for font, letters in runs)


def _run(font: str, letters: str) -> str:
    if not font:
        return REPLACEMENT * len(letters)
    return escape(letters) if font == FONT else f'<font name="{font}">{escape(letters)}</font>'


def _font_of(letter: str) -> str:
    fonts = (font for font in (FONT, CJK_FONT) if ord(letter) in pdfmetrics.getFont(font).face.charToGlyph)
    return next(fonts, "")


def _footer(document: Document) -> Callable[[Any, Any], None]:
    def draw(canvas: Any, template: Any) -> None:
        canvas.setFont(FONT, 8)
        canvas.setFillColor(MUTED)
        canvas.drawString(MARGIN, 12 * mm, f"{document.kind} {document.number}")
        canvas.drawRightString(A4[0] - MARGIN, 12 * mm, f"Page {template.page}")

    return draw


@cache
def _register_fonts() -> None:
    """Noto Sans for Latin, Greek and Cyrillic letters, and WenQuanYi Micro Hei for Chinese, Japanese and Korean ones."""
    latin = files("fontpkg_noto_sans") / "files" / "NotoSans[wdth,wght].ttf"
    pdfmetrics.registerFont(TTFont(FONT, BytesIO(latin.read_bytes())))
    cjk = files("paperang_p2_fonts_cjk") / "fonts" / "wqy-microhei.ttc"
    pdfmetrics.registerFont(TTFont(CJK_FONT, BytesIO(cjk.read_bytes()), subfontIndex=0))
