"""A page of the dashboard as everybody has it: dark and light, on a desk and on a phone.

The page is loaded once and follows the system, as it does when the evening comes or a phone is
turned. Each form is kept as a picture; `make thorough` looks at all four.
"""

from pathlib import Path
from typing import Any

from tests.support import effort

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / ".artifacts/screenshots"
AXE = ROOT / "ui/node_modules/axe-core/axe.min.js"
DESK, PHONE = 1280, 390  # pixels
BOTH = (("light", DESK), ("dark", PHONE))  # both schemes, both widths
FORMS = effort.pick(BOTH, thorough=(*BOTH, ("light", PHONE), ("dark", DESK)))
SETTLES_MS = 150  # until a chart is drawn again
SERIOUS = frozenset({"serious", "critical"})


def keep_all(page: Any, name: str) -> None:
    """Keep a picture of each form; nothing may be cut off sideways, or keep anybody out."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)  # nothing is hovered
    page.evaluate("window.scrollTo(0, 0)")
    troubles = []
    for scheme, width in FORMS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(SETTLES_MS)
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            troubles.append(f"{scheme} {width}: it is {wide} wide")
        troubles += [f"{scheme} {width}: {one}" for one in barriers(page)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": DESK, "height": 900})
    assert troubles == [], name


def barriers(page: Any) -> list[str]:
    """Return what axe finds that keeps people out."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]
