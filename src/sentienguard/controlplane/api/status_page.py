"""The plain page that is served where the dashboard was not built: how to see more."""

import base64
import hashlib
from html import escape

from sentienguard import __version__

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem;
  color: #1c2530; background: #fafbfc; }
code { background: #eceff3; padding: .1em .35em; border-radius: 4px; }
@media (prefers-color-scheme: dark) { body { color: #dfe5ec; background: #14181d; }
  code { background: #262c34; } }
"""
STYLE_HASH = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SentienGuard</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}</style></head><body>
<h1>SentienGuard is running</h1>
<p>Version {version}. The dashboard was not built, because Node.js was not there when the project
was set up: install Node.js 20 or later and run <code>make demo</code> again. The command line shows
the same things.</p>
<p><code>sentienguard incidents list</code> &middot; <code>sentienguard approvals list</code>
&middot; <code>sentienguard audit verify</code></p>
</body></html>"""


def render() -> str:
    """Return the page; it needs no login and therefore tells nothing of the installation."""
    return PAGE.format(version=escape(__version__), style=STYLE)
