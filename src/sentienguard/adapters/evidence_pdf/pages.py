"""Drawing a report: pages, lines, tables, and where a line breaks. Called by `printer` alone."""

import io
from collections.abc import Callable, Sequence
from typing import Final

from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]  # ships no types
from reportlab.pdfbase.pdfmetrics import stringWidth  # type: ignore[import-untyped]  # ships none
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]  # ships no types

from sentienguard.ports.report_printer import Report, Table

WIDTH, HEIGHT = A4
MARGIN: Final = 42.0  # points, about 15 mm
PROSE, BOLD, FIXED = "Helvetica", "Helvetica-Bold", "Courier"
PROSE_SIZE, PROSE_LEADING = 9.5, 13.0
FACT_NAME_WIDTH: Final = 150.0
TITLE_SIZES: Final = {1: 15.0, 2: 11.0}
TABLE_MOST_SIZE: Final = 8.0  # points; wider tables get smaller letters
COURIER_WIDTH: Final = 0.6  # of the size, for each letter
TOLD_EVERY: Final = 1000  # rows
_GREY, _BLACK = 0.4, 0.0


class Pages:
    """Where the pen stands."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._file = io.BytesIO()
        self._pen = canvas.Canvas(self._file, pagesize=A4, invariant=1, pageCompression=1)
        self._pen.setTitle(_shown(report.title))
        self._pen.setSubject(_shown(report.subtitle))
        self._pen.setAuthor("SentienGuard")
        self._pen.setCreator("SentienGuard")
        self._number = 0
        self._chapters = 0
        self._begin_page()
        self._line(report.title, BOLD, 22.0, 30.0)
        self._line(report.subtitle, PROSE, 11.0, 24.0)

    def heading(self, text: str, level: int) -> None:
        """Draw a title; one of level 1 begins a page and stands in the outline."""
        if level == 1:
            if self._chapters:
                self._next_page()
            self._chapters += 1
            self._pen.bookmarkPage(f"c{self._chapters}")
            self._pen.addOutlineEntry(_shown(text), f"c{self._chapters}", 0)
        size = TITLE_SIZES[level]
        self._need(size * 4)  # a title does not stand alone at the foot of a page
        self._y -= size * 0.6
        self._line(text, BOLD, size, size * 1.6)

    def paragraph(self, text: str) -> None:
        """Draw running text."""
        for paragraph in text.split("\n"):
            for line in _broken(_shown(paragraph), PROSE, PROSE_SIZE, WIDTH - 2 * MARGIN):
                self._line(line, PROSE, PROSE_SIZE, PROSE_LEADING)
        self._y -= PROSE_LEADING / 2

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Draw names with their values beside them."""
        room = WIDTH - 2 * MARGIN - FACT_NAME_WIDTH
        for name, value in pairs:
            names = _broken(_shown(name), PROSE, PROSE_SIZE, FACT_NAME_WIDTH - 8)
            values = _broken(_shown(value), PROSE, PROSE_SIZE, room)
            for number in range(max(len(names), len(values))):
                self._need(PROSE_LEADING)
                self._pen.setFont(PROSE, PROSE_SIZE)
                self._pen.setFillGray(_GREY)
                self._pen.drawString(MARGIN, self._y, names[number] if number < len(names) else "")
                self._pen.setFillGray(_BLACK)
                found = values[number] if number < len(values) else ""
                self._pen.drawString(MARGIN + FACT_NAME_WIDTH, self._y, found)
                self._y -= PROSE_LEADING
        self._y -= PROSE_LEADING / 2

    def table(self, table: Table, told: Callable[[int], None]) -> None:
        """Draw rows as lines of fixed width: one piece of text for a page."""
        characters = sum(column.characters + 1 for column in table.columns)
        size = min(TABLE_MOST_SIZE, (WIDTH - 2 * MARGIN) / characters / COURIER_WIDTH)
        leading = size * 1.3
        titles = _fixed([column.title for column in table.columns], table)
        at = 0
        while at < len(table.rows):
            self._need(leading * 4)
            self._pen.setFillGray(_GREY)
            self._line(titles, FIXED, size, leading * 1.2, shown=True)
            self._pen.setFillGray(_BLACK)
            count = min(len(table.rows) - at, int((self._y - 2 * MARGIN) / leading) + 1)
            text = self._pen.beginText(MARGIN, self._y)
            text.setFont(FIXED, size, leading)
            for row in table.rows[at : at + count]:
                text.textLine(_fixed(row, table))
            self._pen.drawText(text)
            self._y -= leading * count
            if (at + count) // TOLD_EVERY != at // TOLD_EVERY:
                told(at + count)
            at += count
        self._y -= PROSE_LEADING / 2

    def finished(self) -> bytes:
        """Return the whole as PDF; nothing is drawn after it."""
        self._pen.showPage()
        self._pen.save()
        return self._file.getvalue()

    def _line(
        self, text: str, font: str, size: float, leading: float, *, shown: bool = False
    ) -> None:
        self._need(leading)
        self._pen.setFont(font, size)
        self._pen.drawString(MARGIN, self._y, text if shown else _shown(text))
        self._y -= leading

    def _need(self, height: float) -> None:
        if self._y - height < MARGIN:
            self._next_page()

    def _next_page(self) -> None:
        self._pen.showPage()
        self._begin_page()

    def _begin_page(self) -> None:
        self._number += 1
        self._pen.setFont(PROSE, 7)
        self._pen.setFillGray(_GREY)
        footer = _broken(_shown(self._report.footer), PROSE, 7, WIDTH - 2 * MARGIN - 40)
        self._pen.drawString(MARGIN, MARGIN / 2, footer[0] if footer else "")
        self._pen.drawRightString(WIDTH - MARGIN, MARGIN / 2, str(self._number))
        self._pen.setFillGray(_BLACK)
        self._y = HEIGHT - MARGIN - PROSE_LEADING


def _shown(text: str) -> str:
    """Return text in letters that the fonts have; others as their codes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _has(letter) else _code(letter) for letter in text)


def _has(letter: str) -> bool:
    return letter.isprintable() and (letter.isascii() or "\xa1" <= letter <= "\xff")


def _code(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004


def _fixed(cells: Sequence[str], table: Table) -> str:
    """Return a row as one line, each cell in its width; ~ marks where one was cut."""
    line = ""
    for text, column in zip(cells, table.columns, strict=True):
        shown = _shown(text)
        if len(shown) > column.characters:
            shown = shown[: column.characters - 1] + "~"
        line += shown.ljust(column.characters + 1)
    return line.rstrip()


def _broken(text: str, font: str, size: float, width: float) -> list[str]:
    """Break text between words, and inside words that are longer than the line."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if stringWidth(joined, font, size) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        rest = word
        while stringWidth(rest, font, size) > width:
            fits = max(1, int(len(rest) * width / stringWidth(rest, font, size)))
            while fits > 1 and stringWidth(rest[:fits], font, size) > width:
                fits -= 1
            lines.append(rest[:fits])
            rest = rest[fits:]
        line = rest
    return [*lines, line] if line or not lines else lines
