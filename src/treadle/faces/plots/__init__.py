"""Plots and pages of one file: SVG and HTML as text, from plain numbers, without a library and without a network.

A chart is a function of numbers and a width, so one figure can be drawn for a desk and for a phone; colours are the
page's (`page.css`), so it follows the reader's light or dark scheme. Nothing here knows a model or a store.
"""

from treadle.faces.plots.forest import Interval, forest
from treadle.faces.plots.heat import Heat, heat_map
from treadle.faces.plots.lines import Flag, Line, Point, line_chart
from treadle.faces.plots.page import Branch, figure, grid, legend, listing, page, section, table, tree
from treadle.faces.plots.reliability import Promise, reliability_chart
from treadle.faces.plots.svg import Html, tag

__all__ = [
    "Branch",
    "Flag",
    "Heat",
    "Html",
    "Interval",
    "Line",
    "Point",
    "Promise",
    "figure",
    "forest",
    "grid",
    "heat_map",
    "legend",
    "line_chart",
    "listing",
    "page",
    "reliability_chart",
    "section",
    "table",
    "tag",
    "tree",
]
