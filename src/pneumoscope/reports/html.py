"""A reading as one page of HTML: no script, no request, its style and pictures inside."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from pneumoscope.reports.overlay import report_images
from pneumoscope.reports.summary import PRELIMINARY_NOTE, SIDES_NOTE, percent, summarize

if TYPE_CHECKING:
    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.reading import Reading

__all__ = ["policy", "write"]

_KIND = {"sha256": ' class="hash"'}
_LETTERS = '<span class="side r" aria-hidden="true">R</span><span class="side l" aria-hidden="true">L</span>'


def policy() -> str:
    """The page's Content-Security-Policy: its own style by its hash, its own pictures, and nothing else.

    The page says it itself; a server that has a policy of its own sends this one in its place for the page.
    """
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def write(reading: Reading, given: ReportContext) -> bytes:
    """The page of a reading, read or refused, in UTF-8."""
    said = summarize(reading, given)
    meta_policy = policy().rpartition("; frame-ancestors")[0]  # which a page cannot say of itself
    parts = [
        _head(said),
        _call(said),
        _beside(_part("Warnings", _list(said.warnings)), _part("Corrected before reading", _list(said.mended))),
        _films(reading, given, said),
        _part("For whom the model was made", _paragraphs(said.population)),
        _part("What this operating point means", _paragraphs(said.meaning)),
        _beside(_part("Probabilities", _classes(said)), _part("Pattern", _paragraphs(said.pattern))),
        _part("Where the evidence lies", _where(said)),
        _part("This reading", _facts(said)),
        f"<footer><p><strong>{escape(said.notice)}</strong> {escape(PRELIMINARY_NOTE)}</p></footer>",
    ]
    body = "\n".join(part for part in parts if part)
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(meta_policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(said.headline)}: {escape(said.film)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        '<main class="sheet">\n' + body.replace(" %", "&nbsp;%") + "\n</main>\n</body>\n</html>\n"
    )
    return page.encode("utf-8", "replace")


@cache
def _style() -> str:
    return files("pneumoscope.reports").joinpath("page.css").read_text("utf-8")


def _head(said: Summary) -> str:
    return (
        f'<header><p class="kicker">Chest film, read by a program</p><h1>{escape(said.film) or "film"}</h1></header>\n'
        f'<p class="notice"><strong>{escape(said.notice)}</strong> {escape(PRELIMINARY_NOTE)}</p>'
    )


def _call(said: Summary) -> str:
    told = f'<p class="headline">{escape(said.headline)}</p>'
    if said.probability is not None:
        share, name = escape(percent(said.probability)), escape(said.name)
        told += f'<p class="figure told"><strong>{share}</strong> probability of {name}, {escape(said.relation)}</p>'
        told += _scale(said)
    told += f'<p class="told">{escape(said.lead)}</p>'
    if said.remedy:
        told += f'<p class="told">What to do: {escape(said.remedy)}</p>'
    return f'<section class="call {said.tone}" aria-label="Call">{told}</section>'


def _scale(said: Summary) -> str:
    """From 0 to 100 %: the probability as a bar, and a mark at each threshold."""
    marks = "".join(
        f'<line class="mark" x1="{1000 * at:.1f}" x2="{1000 * at:.1f}" y1="0" y2="14"/>' for at in said.marks
    )
    return _bar("scale", said.probability or 0, height=14, rail=(3, 8), marks=marks)


def _bar(kind: str, value: float, *, height: int = 10, rail: tuple[int, int] = (0, 10), marks: str = "") -> str:
    top, thick = rail
    return (
        f'<svg class="{kind}" viewBox="0 0 1000 {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rail" y="{top}" width="1000" height="{thick}"/>'
        f'<rect class="fill" y="{top}" width="{1000 * value:.1f}" height="{thick}"/>{marks}</svg>'
    )


def _films(reading: Reading, given: ReportContext, said: Summary) -> str:
    if given.film is None:
        return ""
    drawn = report_images(given.film, reading)
    if said.probability is None:
        return f'<div class="films alone">{_figure(drawn.film, drawn.size, "The picture that was given.", "")}</div>'
    mended = " (corrected)" if said.mended else ""
    shown = _figure(
        drawn.film, drawn.size, f"The film as it was read{mended}. {SIDES_NOTE}", "The film.", sides=_LETTERS
    )
    if drawn.evidence is None or drawn.legend is None:
        return f'<div class="films alone">{shown}</div>'
    name = escape(said.name)
    legend = (
        f'<span class="legend"><span>against</span><img src="{_data(drawn.legend, "png")}" alt=""><span>for {name}'
        f"</span></span>Natural log-odds, from {-drawn.limit:.2g} to {drawn.limit:+.2g}."
    )
    told = f"What speaks for {name} (orange) and against it (blue).{legend}"
    evidence = _figure(drawn.evidence, drawn.size, told, said.evidence, sides=_LETTERS)
    return f'<div class="films">{shown}{evidence}</div>'


def _figure(jpeg: bytes, size: tuple[int, int], caption: str, alt: str, sides: str = "") -> str:
    return (
        f'<figure><div class="film"><img src="{_data(jpeg, "jpeg")}" width="{size[0]}" height="{size[1]}" '
        f'alt="{escape(alt or caption)}">{sides}</div><figcaption>{caption}</figcaption></figure>'
    )


def _data(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


def _classes(said: Summary) -> str:
    if not said.classes:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="share">{_bar("share", value)}</td>'
        f'<td class="number">{escape(percent(value))}</td></tr>'
        for name, value in said.classes
    )
    return f"<table>{rows}</table>"


def _where(said: Summary) -> str:
    if not said.evidence:
        return ""
    told = f"<p>{escape(said.evidence)}</p>"
    if not said.zones:
        return told
    rows = "".join(
        f'<tr><th scope="row">{height} zone</th>'
        + "".join(f"<td>{100 * said.zones.get(f'{side} {height}', 0):.0f} %</td>" for side in ("right", "left"))
        + "</tr>"
        for height in ("upper", "middle", "lower")
    )
    return (
        f'{told}<table class="zones"><thead><tr><td></td><th scope="col">patient&rsquo;s right</th>'
        f'<th scope="col">patient&rsquo;s left</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _facts(said: Summary) -> str:
    told = "".join(
        f"<dt>{escape(name)}</dt><dd{_KIND.get(name[:6], '')}>{escape(value)}</dd>" for name, value in said.facts
    )
    return f"<dl>{told}</dl>"


def _part(title: str, inner: str) -> str:
    return f'<section class="part"><h2>{title}</h2>{inner}</section>' if inner else ""


def _beside(*parts: str) -> str:
    there = [part for part in parts if part]
    return f'<div class="beside">{"".join(there)}</div>' if len(there) > 1 else "".join(there)


def _paragraphs(sentences: tuple[str, ...]) -> str:
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def _list(items: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""
