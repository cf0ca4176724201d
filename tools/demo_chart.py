"""Line charts as SVG: panels with axes, series with a legend, on a light ground of their own."""

import html
import math

INK, FAINT, GRID, GROUND = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
BLUE, ORANGE, GREEN = "#0969da", "#d1590a", "#1a7f5a"
FONT = "font-family='Helvetica, Arial, sans-serif'"
LEGEND_Y, PANELS_Y = 58, 84


class Panel:
    """Where values stand in the picture. `log`: the values' axis is logarithmic. `marks`: what
    stands below instead of seconds, [(place, words)]."""

    def __init__(self, box, title, seconds, values, unit, log=False, marks=None):
        self.left, self.top, self.width, self.height = box
        self.title = title
        self.seconds = seconds
        self.low, self.high = values
        self.unit = unit
        self.log = log
        self.marks = marks or [(second, f"{second} s")
                               for second in range(0, int(seconds) + 1, 5 if seconds <= 45 else 10)]
        self.drawn = []

    def x(self, second):
        return self.left + self.width * second / self.seconds

    def y(self, value):
        low, high, value = (math.log10(v) if self.log else v
                            for v in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.top + self.height * (1 - (value - low) / (high - low))

    def line(self, points, color, dash="", step=False):
        """`points`: (second, value or None, a gap). `step`: a value stays until the next."""
        path, before = [], None
        for second, value in points:
            if value is None:
                before = None
                continue
            x, y = self.x(second), self.y(value)
            if before is None:
                path.append(f"M{x:.1f} {y:.1f}")
            elif step:
                path.append(f"H{x:.1f}V{y:.1f}")
            else:
                path.append(f"L{x:.1f} {y:.1f}")
            before = value
        self.drawn.append(f"<path d='{''.join(path)}' fill='none' stroke='{color}' "
                          f"stroke-width='2' stroke-linejoin='round' stroke-linecap='round'"
                          f"{dashed(dash)}/>")

    def mark(self, second, words):
        """Something that happened."""
        x = self.x(second)
        self.drawn.append(
            f"<path d='M{x:.1f} {self.top}V{self.top + self.height}' stroke='{FAINT}' "
            f"stroke-dasharray='3 3'/>")
        anchor, dx = ("end", -5) if second > self.seconds * 0.7 else ("start", 5)
        if words:
            self.drawn.append(text(x + dx, self.top + self.height / 2, words, INK, anchor))

    def svg(self):
        parts = [text(self.left, self.top - 10, self.title, INK, size=13, weight="bold")]
        bottom = self.top + self.height
        for value in self.ticks():
            y = self.y(value)
            parts.append(f"<path d='M{self.left} {y:.1f}h{self.width}' stroke='{GRID}'/>")
            parts.append(text(self.left - 7, y + 4, f"{value:g}{self.unit}", FAINT, "end", 12))
        for place, words in self.marks:
            x = self.x(place)
            parts.append(f"<path d='M{x:.1f} {bottom}v4' stroke='{FAINT}'/>")
            parts.append(text(x, bottom + 18, words, FAINT, "middle", 12))
        parts.append(f"<path d='M{self.left} {bottom}h{self.width}' stroke='{FAINT}'/>")
        return parts + self.drawn

    def ticks(self):
        if self.log:
            tick = 10 ** math.floor(math.log10(self.low))
            found = [tick * 10 ** i * m for i in range(8) for m in (1, 2, 5)]
            return [round(v, 6) for v in found if self.low <= v <= self.high * 1.001]
        step = next_step(self.high / 4)
        return [step * i for i in range(int(self.high / step) + 1)]


def next_step(least):
    """The next 1, 2 or 5 with zeros."""
    power = 10 ** math.floor(math.log10(least))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= least * 0.999)


def dashed(dash):
    return f" stroke-dasharray='{dash}'" if dash else ""


def text(x, y, words, color, anchor="start", size=13, weight="normal"):
    return (f"<text x='{x:.1f}' y='{y:.1f}' fill='{color}' font-size='{size}' "
            f"font-weight='{weight}' text-anchor='{anchor}'>{html.escape(words)}</text>")


def picture(width, height, title, legend, panels):
    """The whole SVG; legend: (words, color, dash)."""
    parts = [f"<rect width='{width}' height='{height}' rx='8' fill='{GROUND}' stroke='{GRID}'/>",
             text(20, 30, title, INK, size=16, weight="bold")]
    x = 20
    for words, color, dash in legend:
        parts.append(f"<path d='M{x} {LEGEND_Y - 4}h26' stroke='{color}' stroke-width='3'"
                     f"{dashed(dash)}/>")
        parts.append(text(x + 32, LEGEND_Y, words, INK))
        x += 54 + 7 * len(words)
    for panel in panels:
        parts += panel.svg()
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
            f"width='{width}' height='{height}' role='img' {FONT}>\n<title>{html.escape(title)}"
            "</title>\n" + "\n".join(parts) + "\n</svg>\n")
