"""Lines over logarithmic axes as an SVG picture, with nothing but Python."""

import html
import math

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
COLOURS = ["#888888", "#c98a1b", "#1f6fb4", "#2a9d5c", "#b4409c", "#c0392b"]


def short(value):
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


class Axis:
    """From a value to a place; powers of ten, with 2 and 5 between them where there are few."""

    def __init__(self, values, begin, end):
        low, high = min(values), max(values)
        if low == high:
            low, high = low / 2, high * 2
        self.low, self.high = math.log10(low), math.log10(high)
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        steps = (1,) if self.high - self.low > 2.5 else (1, 2, 5)
        found = [step * 10.0 ** power
                 for power in range(math.floor(self.low), math.ceil(self.high) + 1)
                 for step in steps]
        return [tick for tick in found
                if self.low - 1e-9 <= math.log10(tick) <= self.high + 1e-9]


def svg(series, x_title, y_title):
    """`series`: name -> [(x, y, least y, most y)], all above 0. Whiskers show least and most."""
    points = [point for one in series.values() for point in one]
    x_axis = Axis([point[0] for point in points], LEFT + 12, WIDTH - RIGHT - 12)
    y_axis = Axis([value for point in points for value in point[2:]], HEIGHT - BOTTOM - 8, TOP + 8)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def line(x1, y1, x2, y2, colour, width=1):
        out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                   f'stroke="{colour}" stroke-width="{width}"/>')

    def text(x, y, words, anchor="middle", more=""):
        out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>'
                   f'{html.escape(words)}</text>')

    for tick in y_axis.ticks():
        line(LEFT, y_axis.at(tick), WIDTH - RIGHT, y_axis.at(tick), "#dddddd")
        text(LEFT - 6, y_axis.at(tick) + 4, short(tick), "end")
    for tick in sorted({point[0] for point in points}):
        line(x_axis.at(tick), HEIGHT - BOTTOM, x_axis.at(tick), HEIGHT - BOTTOM + 4, "#333333")
        text(x_axis.at(tick), HEIGHT - BOTTOM + 18, short(tick))
    line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#333333")
    line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#333333")
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    text(16, middle, y_title, more=f' transform="rotate(-90 16 {middle:.1f})"')
    legend_at = LEFT
    for number, (name, one) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y, _, _ in one)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, least, most in one:
            line(x_axis.at(x), y_axis.at(least), x_axis.at(x), y_axis.at(most), colour)
            out.append(f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3" '
                       f'fill="{colour}"/>')
        line(legend_at, 20, legend_at + 20, 20, colour, 2)
        text(legend_at + 26, 24, name, "start")
        legend_at += 44 + 7 * len(name)
    out.append("</svg>\n")
    return "\n".join(out)
