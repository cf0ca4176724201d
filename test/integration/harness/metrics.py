"""A page in Prometheus text format, read the obvious way."""

import re

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


class Metrics:
    """Samples of one page: list of (name, {label: value}, number)."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        self.types = {}
        for line in text.split("\n"):
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = SAMPLE.match(line)
                if not match:
                    raise AssertionError(f"not a sample: {line!r}")
                name, labels, number = match.groups()
                self.samples.append((name, self._labels(labels or "", line), float(number)))

    @staticmethod
    def _labels(text, line):
        labels = {}
        at = 0
        while at < len(text):
            match = LABEL.match(text, at)
            if not match:
                raise AssertionError(f"bad labels: {line!r}")
            value = re.sub(r'\\(.)', lambda m: "\n" if m[1] == "n" else m[1], match[2])
            labels[match[1]] = value
            at = match.end()
        return labels

    def sum(self, name, /, **labels):
        """The sum of the samples of that name that carry those labels; 0 without any."""
        return sum(number for n, l, number in self.samples
                   if n == name and all(l.get(k) == v for k, v in labels.items()))

    def names(self):
        return sorted({name for name, _, _ in self.samples})
