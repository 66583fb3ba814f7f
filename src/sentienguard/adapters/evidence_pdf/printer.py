r"""A report drawn on A4 pages. Offers ports.report_printer.ReportPrinter.

Only the fonts that every reader of PDF has are used, so nothing is embedded and no file of a font
is needed. They hold the letters of Western Europe; any other one is shown as its code, \u4e2d,
rather than as an empty box or not at all.
"""

import functools
from collections.abc import Callable

from sentienguard.ports import report_printer
from sentienguard.ports.report_printer import Facts, Heading, Paragraph, Report, Table


class PdfPrinter(report_printer.ReportPrinter):
    """Draws reports with reportlab."""

    def printed(self, report: Report, told: Callable[[int, int], None]) -> bytes:
        """Return the report as PDF."""
        # reportlab is loaded by who prints; most runs of a control plane never do.
        from sentienguard.adapters.evidence_pdf import pages  # noqa: PLC0415

        page = pages.Pages(report)
        of = sum(len(part.rows) for part in report.parts if isinstance(part, Table))
        done = 0
        told(done, of)
        for part in report.parts:
            match part:
                case Heading(text, level):
                    page.heading(text, level)
                case Paragraph(text):
                    page.paragraph(text)
                case Facts(pairs):
                    page.facts(pairs)
                case Table():
                    page.table(part, functools.partial(_told_after, told, done, of))
                    done += len(part.rows)
        told(done, of)
        return page.finished()


def _told_after(told: Callable[[int, int], None], before: int, of: int, drawn: int) -> None:
    told(before + drawn, of)
