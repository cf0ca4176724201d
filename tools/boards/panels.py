"""What Grafana boards are made of: panels with a query, a unit and what they are good for.

In queries `@G` is the gateways chosen, `@P` these and the pools, `@E` these and the endpoints, and
`@R` the range of rates.
"""

import dataclasses

COLUMNS = 24  # of Grafana's grid
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
QUANTILES = (0.5, 0.95, 0.99)


def query(text):
    gateway = 'instance=~"$gateway"'
    pool = gateway + ', pool=~"$pool"'
    for mark, meaning in (("@G", gateway), ("@P", pool), ("@E", pool + ', pod=~"$endpoint"'),
                          ("@R", "$__rate_interval")):
        text = text.replace(mark, meaning)
    return text


def rate(metric, by, labels="@P"):
    return f"sum by ({by}) (rate({metric}{{{labels}}}[@R]))"


def mean(total, count, by, labels="@P"):
    return f"{rate(total, by, labels)} / {rate(count, by, labels)}"


def quantiles(histogram, labels="@P", by=""):
    """(query, legend) of QUANTILES; `by` are further labels that are told apart."""
    legend = "".join(f" {{{{{label.strip()}}}}}" for label in by.split(",") if by)
    grouped = f"le, {by}" if by else "le"
    return [(f"histogram_quantile({q}, {rate(histogram + '_bucket', grouped, labels)})",
             f"p{q * 100:.0f}{legend}") for q in QUANTILES]


# What went wrong and is nobody's wish: 5xx, and answers that broke behind a good status. Statuses
# begin with their first request, so the rate of all, times 0, stands in for those yet to come.
def error_ratio(by=None, labels="@P"):
    grouped = f"sum by ({by})" if by else "sum"
    every = f"rate(penstock_requests_total{{{labels}}}[@R])"
    failed = (f'rate(penstock_requests_total{{{labels}, status=~"5.."}}[@R]) or '
              f'rate(penstock_requests_total{{{labels}, status!~"5..", '
              'outcome=~"upstream_broke|error_event|aborted|timed_out"}[@R])')
    return f"{grouped} ({failed} or 0 * {every}) / {grouped} ({every})"


def steps(*colours):
    """Thresholds: a colour, then pairs of the value from which another one holds."""
    first, *rest = colours
    return {"mode": "absolute", "steps": [{"color": first, "value": None}] + [
        {"color": colour, "value": value} for value, colour in rest]}


@dataclasses.dataclass
class Panel:
    """`queries`: [(query, legend)]; `body`: what its kind has beside what all have."""
    kind: str
    title: str
    description: str
    queries: list
    unit: str
    width: int
    height: int
    body: dict

    def made(self, number, x, y):
        made = {"id": number, "type": self.kind, "title": self.title,
                "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y}}
        if self.kind == "row":
            return {**made, "collapsed": False, "panels": []}
        instant = self.kind in ("table", "stat")
        made |= {"description": self.description, "datasource": DATASOURCE, "targets": [
            {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "editorMode": "code",
             "expr": query(text), "legendFormat": legend or "__auto",
             "range": not instant, "instant": instant,
             "format": {"table": "table", "heatmap": "heatmap"}.get(self.kind, "time_series")}
            for i, (text, legend) in enumerate(self.queries)]}
        made["fieldConfig"] = {"defaults": {"unit": self.unit, **self.body.get("defaults", {})},
                               "overrides": self.body.get("overrides", [])}
        made["options"] = self.body["options"]
        if "transformations" in self.body:
            made["transformations"] = self.body["transformations"]
        return made


def row(title):
    return Panel("row", title, "", [], "", COLUMNS, 1, {})


def stat(title, text, unit, description, thresholds=None, mappings=(), width=4, decimals=None):
    defaults = {"color": {"mode": "thresholds"}, "thresholds": thresholds or steps(BLUE),
                "mappings": list(mappings)}
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel("stat", title, description, [(text, "")], unit, width, 4, {
        "defaults": defaults,
        "options": {"colorMode": "value", "graphMode": "none", "justifyMode": "auto",
                    "orientation": "auto", "textMode": "auto", "wideLayout": True,
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}})


def graph(title, queries, unit, description, stacked=False, top=None, thresholds=None, width=8):
    """Lines over time; `top`: where the axis ends."""
    defaults = {
        "color": {"mode": "palette-classic"}, "min": 0,
        "custom": {"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1,
                   "fillOpacity": 25 if stacked else 8, "showPoints": "never", "spanNulls": False,
                   "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
                   "thresholdsStyle": {"mode": "line" if thresholds else "off"}},
        "thresholds": thresholds or steps(GREEN)}
    if top is not None:
        defaults["max"] = top
    return Panel("timeseries", title, description, queries, unit, width, 8, {
        "defaults": defaults,
        "options": {"legend": {"showLegend": True, "displayMode": "table", "placement": "bottom",
                               "calcs": ["mean", "max"], "sortBy": "Max", "sortDesc": True},
                    "tooltip": {"mode": "multi", "sort": "desc"}}})


def heatmap(title, text, unit, description, width=8):
    return Panel("heatmap", title, description, [(text, "{{le}}")], unit, width, 8, {
        "defaults": {"custom": {"scaleDistribution": {"type": "linear"},
                                "hideFrom": {"legend": False, "tooltip": False, "viz": False}}},
        "options": {"calculate": False, "cellGap": 1, "cellValues": {"unit": "reqps"},
                    "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange",
                              "scale": "exponential", "exponent": 0.5, "steps": 64,
                              "reverse": False},
                    "exemplars": {"color": "rgba(255,0,255,0.7)"},
                    "filterValues": {"le": 1e-9}, "legend": {"show": True},
                    "rowsFrame": {"layout": "auto"}, "showValue": "never",
                    "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
                    "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit}}})


def mapping(*values):
    """What the values 0, 1, ... are called, and their colours."""
    return [{"type": "value", "options": {
        str(i): {"text": text, "color": colour, "index": i}
        for i, (text, colour) in enumerate(values)}}]


def timeline(title, text, legend, description, mappings, width=24, height=8):
    return Panel("state-timeline", title, description, [(text, legend)], "none", width, height, {
        "defaults": {"color": {"mode": "thresholds"}, "thresholds": steps(GREEN),
                     "mappings": mappings, "custom": {"fillOpacity": 70, "lineWidth": 0}},
        "options": {"alignValue": "left", "mergeValues": True, "rowHeight": 0.9,
                    "showValue": "never", "tooltip": {"mode": "single", "sort": "none"},
                    "legend": {"showLegend": True, "displayMode": "list",
                               "placement": "bottom", "calcs": []}}})


def table(title, key, columns, description, link=None):
    """A line for each value of the label `key`; `columns`: [(heading, query, unit, thresholds)]."""
    names = {f"Value #{chr(ord('A') + i)}": column[0] for i, column in enumerate(columns)}
    overrides = []
    for heading, _, unit, thresholds in columns:
        properties = [{"id": "unit", "value": unit}]
        if thresholds:
            properties += [{"id": "thresholds", "value": thresholds},
                           {"id": "custom.cellOptions", "value": {"type": "color-text"}}]
        overrides.append({"matcher": {"id": "byName", "options": heading},
                          "properties": properties})
    if link:
        overrides.append({"matcher": {"id": "byName", "options": key},
                          "properties": [{"id": "links", "value": [link]}]})
    return Panel("table", title, description, [(text, "") for _, text, _, _ in columns],
                 "short", COLUMNS, 9, {
        "defaults": {"color": {"mode": "thresholds"}, "thresholds": steps("text"),
                     "custom": {"align": "auto", "inspect": False,
                                "cellOptions": {"type": "auto"}}},
        "overrides": overrides,
        "options": {"showHeader": True, "cellHeight": "sm",
                    "footer": {"show": False, "reducer": ["sum"], "countRows": False}},
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {},
                                           "renameByName": names}}]})


# Variables

def choice(name, label, metric, of):
    """A variable with the values of the label `of` of a metric.

    All of them is `.*`: requests that were refused before a pool was known say nothing there, and
    thousands of endpoints make no long query.
    """
    text = f"label_values({query(metric)}, {of})"
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": text, "refId": "StandardVariableQuery"},
            "refresh": 2, "regex": "", "sort": 1, "hide": 0, "skipUrlSync": False,
            "multi": True, "includeAll": True, "allValue": ".*", "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


DATASOURCE_CHOICE = {"name": "datasource", "label": "Data source", "type": "datasource",
                     "query": "prometheus", "refresh": 1, "regex": "", "hide": 0, "multi": False,
                     "includeAll": False, "skipUrlSync": False, "options": [],
                     "current": {"selected": False, "text": "Prometheus", "value": "prometheus"}}
GATEWAY = choice("gateway", "Gateway", "penstock_build_info", "instance")
POOL = choice("pool", "Pool", "penstock_pool_endpoints{@G}", "pool")
ENDPOINT = choice("endpoint", "Endpoint", "penstock_endpoint_ready{@P}", "pod")
RELEASE = choice("release", "Release", "penstock_release_phase{@G}", "release")

LINKS = [{"title": "Penstock", "type": "dashboards", "tags": ["penstock"], "asDropdown": False,
          "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "dashboard",
          "tooltip": "", "url": ""}]
# Where a curve bends, it is worth knowing that it was a release.
TRANSITIONS = {
    "name": "Releases", "enable": True, "hide": False, "iconColor": "purple",
    "datasource": DATASOURCE, "expr": query(
        "sum by (release, to) (increase(penstock_release_transitions_total{@G}[@R])) > 0"),
    "step": "10s", "titleFormat": "{{release}}", "textFormat": "{{to}}"}


def board(name, title, description, variables, panels):
    """(file name, board): panels from left to right, in lines as high as their first one."""
    made, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        made.append(panel.made(number, x, y))
        x, height = x + panel.width, max(height, panel.height)
    return f"{name}.json", {
        "uid": f"penstock-{name}", "title": f"Penstock / {title}", "description": description,
        "tags": ["penstock"], "schemaVersion": 39, "version": 1, "editable": True,
        "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser", "fiscalYearStartMonth": 0, "liveNow": False, "weekStart": "",
        "timepicker": {}, "links": LINKS, "annotations": {"list": [TRANSITIONS]},
        "templating": {"list": [DATASOURCE_CHOICE, GATEWAY, *variables]}, "panels": made}
