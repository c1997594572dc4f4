"""Pages of HTML in a notebook."""

from __future__ import annotations

import html

#: The height of a page in a notebook, in pixels.
PAGE_HEIGHT = 720


def framed(page: str, title: str) -> str:
    """A page in a frame of its own.

    Its script may run, but in an origin of its own: it reaches neither the notebook nor the notebook's server.
    """
    return (
        f'<iframe sandbox="allow-scripts" title="{html.escape(title)}" '
        f'style="width: 100%; height: {PAGE_HEIGHT}px; border: 1px solid #8888" srcdoc="{html.escape(page)}"></iframe>'
    )
