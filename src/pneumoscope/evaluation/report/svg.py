"""Figures inside a page: the same SVG, with ids of its own, a title, and no name of another server."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

__all__ = ["inline_svg"]

_HEAD = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')
_ID = re.compile(r'(\sid=")([^"]+)(")')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_SIZE = re.compile(r'\s(?:width|height)="[\d.]+(?:pt|px)?"')
_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL)


def inline_svg(source: str, name: str, title: str) -> str:
    """An SVG file's text as an element of an HTML page.

    Every id gets the figure's name before it: a page holds many figures, and matplotlib numbers each from 1.
    Namespaces go, because HTML knows them, and with them the addresses that they are written as. The stylesheet of
    the file goes too, since in a page it would reach every other figure; what it says stands on the element.

    Args:
        source: Of the file.
        name: Different for each figure of the page; letters, digits and hyphens.
        title: What the figure shows, for those who cannot see it.
    """
    body = _METADATA.sub("", _HEAD.sub("", source, count=1))
    body = _NAMESPACE.sub("", _STYLE.sub("", body)).replace("xlink:href=", "href=")
    seen: Counter[str] = Counter()

    def own(found: re.Match[str]) -> str:
        # Equal pictures of one figure get equal ids from matplotlib; nothing refers to them.
        seen[found[2]] += 1
        again = f"-{seen[found[2]]}" if seen[found[2]] > 1 else ""
        return f"{found[1]}{name}-{found[2]}{again}{found[3]}"

    body = _ID.sub(own, body)
    body = _REFERENCE.sub(rf"\g<1>{name}-\g<2>", body)
    head, rest = body.split(">", 1)
    head = _SIZE.sub("", head)
    label = f"{name}-title"
    head += f' role="img" aria-labelledby="{label}" class="figure" style="stroke-linejoin:round;stroke-linecap:butt"'
    return f'{head}><title id="{label}">{escape(title)}</title>{rest}'
