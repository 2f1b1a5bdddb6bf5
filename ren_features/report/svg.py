"""Marks and scales of inline SVG. Colours are classes, so that the page's style gives them, light or dark."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10
from typing import NamedTuple

from markupsafe import Markup


class Scale(NamedTuple):
    """A linear scale from values to places in the drawing; ticks are at least `least_step` apart."""

    low: float
    high: float
    start: float
    stop: float
    least_step: float = 0.0

    def __call__(self, value: float) -> float:
        """Place of a value."""
        return round(self.start + (value - self.low) / ((self.high - self.low) or 1) * (self.stop - self.start), 2)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the scale, at most about so many."""
        step = max(_round_step((self.high - self.low) / most), self.least_step)
        first = floor(self.low / step)
        ticks = [round(place * step, 10) for place in range(first, first + 3 * most)]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def _round_step(least: float) -> float:
    """1, 2, 5 or 10 times a power of ten, or 25, 250, ...: a quarter of a hundred is as round as a fifth."""
    power = 10.0 ** floor(log10(least)) if least > 0 else 1.0
    factors = (1, 2, 2.5, 5, 10) if power >= 10 else (1, 2, 5, 10)
    return next((factor * power for factor in factors if factor * power >= least), 10 * power)


def drawing(width: float, height: float, label: str, marks: Iterable[Markup]) -> Markup:
    """An SVG element that screen readers announce as one picture."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, Markup().join(marks)
    )


def text(x: float, y: float, content: str, *, anchor: str = "middle", kind: str = "tick") -> Markup:
    """A line of text with its baseline at y."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, content)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return Markup('<path class="{}" d="M{} {}L{} {}"/>').format(kind, x1, y1, x2, y2)


def bar(x: float, y: float, width: float, height: float, kind: str, hint: str) -> Markup:
    """A rectangle that says what it stands for when pointed at."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        kind, round(x, 2), round(y, 2), round(max(width, 0), 2), round(max(height, 0), 2), hint
    )


def curve(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """Straight lines from point to point."""
    return Markup('<path class="{}" d="M{}"/>').format(kind, "L".join(f"{x} {y}" for x, y in points))


def dots(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """A dot at every point, all of them one element."""
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(f"M{x} {y}h0" for x, y in points))


def x_axis(scale: Scale, y: float, label: str, most: int = 5) -> Markup:
    """Ticks and a label beneath a drawing."""
    ticks = [text(scale(tick), y + 14, number(tick)) for tick in scale.ticks(most)]
    name = text((scale.start + scale.stop) / 2, y + 29, label, kind="axis")
    return Markup().join([line(scale.start, y, scale.stop, y, "base"), *ticks, name])


def y_axis(scale: Scale, x: float, right: float, label: str, most: int = 4) -> Markup:
    """Ticks with grid lines across a drawing, and a label above it."""
    grid = [line(x, scale(tick), right, scale(tick), "grid") for tick in scale.ticks(most)]
    ticks = [text(x - 6, scale(tick) + 3.5, number(tick), anchor="end") for tick in scale.ticks(most)]
    return Markup().join([*grid, *ticks, text(0, 9, label, anchor="start", kind="axis")])


def number(value: float) -> str:
    """A number with thin thousands and a true minus."""
    shown = f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"
    return shown.replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")
