"""Charts of the pages, drawn on the server as inline SVG.

Colours come from the style sheet by class, so that both themes hold; series differ in shape or hatching as well as in
colour. A chart is a picture with a title; the page puts the same numbers beside it as a table.
"""

from pneumoscope.web.charts.columns import Column, columns
from pneumoscope.web.charts.histogram import Outlined, outlined
from pneumoscope.web.charts.lines import Line, lines
from pneumoscope.web.charts.plane import PlanePoint, plane, reach_of
from pneumoscope.web.charts.rates import RateRow, rate_rows, share_bar

__all__ = [
    "Column",
    "Line",
    "Outlined",
    "PlanePoint",
    "RateRow",
    "columns",
    "lines",
    "outlined",
    "plane",
    "rate_rows",
    "reach_of",
    "share_bar",
]
