"""The reliability plot as SVG: what was said against what was right.

Called by benchmarks.matching_confidence.
"""

from collections.abc import Mapping, Sequence

_SIDE, _EDGE = 320, 46  # pixels of the square, and around it


def svg(rows: Sequence[Mapping[str, float]]) -> str:
    """Draw the tenths of `matching_fit.reliability`; the area of a point is its count."""
    most = max(row["count"] for row in rows)
    points = [
        f'<circle cx="{_x(row["said"]):.1f}" cy="{_y(row["was_right"]):.1f}" '
        f'r="{3 + 9 * (row["count"] / most) ** 0.5:.1f}" fill="#1864ab" fill-opacity="0.75">'
        f"<title>{row['count']:.0f} alerts: said {row['said']:.2f}, right "
        f"{row['was_right']:.2f}</title></circle>"
        for row in rows
    ]
    ticks = [
        f'<text x="{_x(tick / 5):.0f}" y="{_SIDE + _EDGE + 18}" text-anchor="middle">{tick / 5:g}'
        f'</text><text x="{_EDGE - 8}" y="{_y(tick / 5) + 4:.0f}" text-anchor="end">{tick / 5:g}'
        "</text>"
        for tick in range(6)
    ]
    whole = _SIDE + 2 * _EDGE
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" '
                f'width="{whole}" height="{whole}" font-family="sans-serif" font-size="12">'
            ),
            "<title>Confidence said against share right, services left out</title>",
            f'<rect width="{whole}" height="{whole}" fill="#ffffff"/>',
            (
                f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none" '
                'stroke="#868e96"/>'
            ),
            (
                f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#868e96" '
                'stroke-dasharray="4 4"/>'
            ),
            *ticks,
            *points,
            f'<text x="{whole / 2}" y="{whole - 8}" text-anchor="middle">confidence said</text>',
            (
                f'<text x="14" y="{whole / 2}" text-anchor="middle" transform="rotate(-90 14 '
                f'{whole / 2})">share right</text>'
            ),
            "</svg>\n",
        ]
    )


def _x(share: float) -> float:
    return _EDGE + _SIDE * share


def _y(share: float) -> float:
    return _EDGE + _SIDE * (1 - share)
