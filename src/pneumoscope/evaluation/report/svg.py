"""SVG of a page: drawn figures with ids of their own, and flow diagrams of boxes and arrows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.engine import Picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Box", "FigureSet", "flow_svg", "inline_svg", "standalone_svg"]

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


class FigureSet:
    """The drawn figures by key, in the order they were drawn.

    Args:
        folder: Where they go.
        step: Told the name of each as its drawing begins.
    """

    def __init__(self, folder: Path, step: Callable[[str], None] = lambda _: None) -> None:
        self.folder, self._step = folder, step
        self._pictures: dict[str, Picture] = {}

    def path(self, key: str) -> Path:
        """Where a figure goes that is now drawn, without a suffix."""
        self._step(f"figure {key.replace('_', ' ')}")
        return self.folder / key

    def keep(self, files: list[Path], title: str, caption: str, *, wide: bool = False) -> None:
        """Take a figure that was just written; its file's name is its key."""
        svg = next(path for path in files if path.suffix == ".svg")
        key = svg.stem.replace("_", "-")
        element = inline_svg(svg.read_text(encoding="utf-8"), f"fig-{key}", f"{title}. {caption}")
        self._pictures[key] = Picture(key, title, caption, element, tuple(files), wide)

    def get(self, *keys: str) -> tuple[Picture, ...]:
        """Those of the figures that were drawn."""
        return tuple(self._pictures[key] for key in keys if key in self._pictures)

    def starting(self, start: str) -> tuple[Picture, ...]:
        """All whose key begins so."""
        return tuple(picture for key, picture in self._pictures.items() if key.startswith(start))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All, in the order they were drawn."""
        return tuple(self._pictures.values())

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [path for picture in self._pictures.values() for path in picture.files]


_WIDTH, _LEFT, _LINE, _PAD, _GAP = 460, 8, 17, 9, 26
_SIDE = 150  # of a box that goes off to the right
_ALONE = """
text{font:13px 'DejaVu Sans',Arial,sans-serif;fill:#1c2126}.head{font-weight:bold}
.box,.strong{fill:#eef3f8;stroke:#98a2ad}.strong{stroke:#0072B2;stroke-width:2}.aside{fill:#fff3e2;stroke:#d98a2b}
.arrow{stroke:#57606a;fill:none;stroke-width:1.5}.tip{fill:#57606a}
"""
_LETTER = 6.7  # mean width of a letter at 13 px, in px


@dataclass(frozen=True, slots=True)
class Box:
    """One step.

    Attributes:
        title: In bold.
        lines: Below it.
        aside: What leaves here, in a box to the right; empty if nothing does.
        strong: The step that the page is about.
    """

    title: str
    lines: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    strong: bool = False


def flow_svg(boxes: tuple[Box, ...], key: str, title: str) -> str:
    """The steps from top to bottom, arrows between them; its words are also the page's list of steps.

    Args:
        boxes: In their order.
        key: Before every id.
        title: What the diagram shows.
    """
    body: list[str] = []
    top = 4.0
    before: float | None = None
    for box in boxes:
        width = _WIDTH - 2 * _LEFT - (_SIDE + 22 if box.aside else 0)
        lines = [part for line in box.lines for part in _wrap_words(line, width - 2 * _PAD)]
        aside = [part for line in box.aside for part in _wrap_words(line, _SIDE - 2 * _PAD)]
        tall = 2 * _PAD + _LINE * max(1 + len(lines), len(aside))
        middle = _LEFT + 60
        if before is not None:
            body.append(_arrow(middle, before, middle, top - 2, key))
        body.append(_rectangle(_LEFT, top, width, tall, "strong" if box.strong else "box"))
        body.append(_svg_text(_LEFT + _PAD, top + _PAD + 12, box.title, "head"))
        body += [_svg_text(_LEFT + _PAD, top + _PAD + 12 + _LINE * (i + 1), line) for i, line in enumerate(lines)]
        if aside:
            x = _LEFT + width + 22
            body.append(_arrow(_LEFT + width, top + tall / 2, x - 2, top + tall / 2, key))
            body.append(_rectangle(x, top, _SIDE, tall, "aside"))
            body += [_svg_text(x + _PAD, top + _PAD + 12 + _LINE * i, line) for i, line in enumerate(aside)]
        before = top + tall
        top = before + _GAP
    height = (before or 0) + 6
    head = (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-labelledby="{key}-title" class="flow">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<defs><marker id="{key}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z" class="tip"/></marker></defs>'
    )
    return f"{head}{''.join(body)}</svg>"


def standalone_svg(svg: str) -> str:
    """The diagram as a file: with a namespace, and with the colours that a page would give it."""
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "<defs>", f"<style>{_ALONE}</style><defs>", 1
    )


def _wrap_words(text: str, width: float) -> list[str]:
    """Lines of at most ``width`` px, by the mean width of a letter; a longer word is broken."""
    most = max(8, int(width / _LETTER))
    lines = [""]
    for word in text.split():
        rest = word
        while len(rest) > most:
            if lines[-1]:
                lines.append("")
            lines[-1], rest = rest[:most], rest[most:]
            lines.append("")
        if lines[-1] and len(lines[-1]) + 1 + len(rest) > most:
            lines.append(rest)
        else:
            lines[-1] = f"{lines[-1]} {rest}".strip()
    return lines


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" class="{kind}"/>'


def _svg_text(x: float, y: float, words: str, kind: str = "line") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float, key: str) -> str:
    return f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" class="arrow" marker-end="url(#{key}-tip)"/>'
