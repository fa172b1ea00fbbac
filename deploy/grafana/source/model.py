"""Dashboards, their panels, and where these stand, in the classic model that Grafana 11 and 12 take.

A dashboard is a list of sections, a section a list of lines, a line a height and panels that share
its width. So nothing can overlap, and there are no gaps.

In expressions stand, for short:

    {*}  {*, kind="check"}    what the dashboard is set to: installation, and replicas where it asks for them
    {@}  {@, kind="check"}    the installation, whatever replicas are chosen: recorded series know none
    [*]                       the span of a rate: long enough for two scrapes, and for a point of the graph
"""

import re

WIDTH = 24

# Every alert that a description names leads there.
RUNBOOK = "https://github.com/icpgate/icpgate/blob/main/docs/RUNBOOK.md"

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# One job is one installation, and one namespace where there are namespaces: where there are none, the
# label is absent, and `.*` is true of it.
INSTALLATION = 'job="$job", namespace=~"$namespace"'

# The same of alerts: that of an installation which is gone altogether has neither label.
OF_ALERTS = 'alertname=~"Icpgate.*", alertstate="firing", job=~"$job|", namespace=~"$namespace|"'

VERDICTS = {"ALLOW": "green", "REVIEW": "blue", "INDETERMINATE": "orange", "DENY": "red"}


# Targets.

def q(expr, legend, exemplar=False):
    """A query, and what its series are called."""
    return {"expr": expr, "legendFormat": legend, "exemplar": exemplar}


def quantile(share, metric, by=(), where=""):
    """A quantile of a histogram, for each combination of some labels."""
    labels = ", ".join(["le", *by])
    matchers = f"{{*, {where}}}" if where else "{*}"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{matchers}[*])))"


def quantiles(metric, by=(), where="", shares=(0.5, 0.99)):
    """Quantiles of a histogram, named after the share and the labels."""
    name = " ".join(f"{{{{{label}}}}}" for label in by)
    return [
        q(quantile(share, metric, by, where), f"{name} p{share * 100:g}".strip()) for share in shares
    ]


# Panels. `low` is a bound from below, `high` one from above, `warn` where it becomes worth a look.

def graph(title, says, unit, *targets, stack=False, top=None, colours=None, **bounds):
    custom = {
        "drawStyle": "line",
        "fillOpacity": 40 if stack else 8,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
        "thresholdsStyle": {"mode": "dashed" if bounds else "off"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom, "min": 0}
    if top is not None:
        defaults["max"] = top
    panel = base("timeseries", title, says, unit, targets, defaults, bounds)
    panel["fieldConfig"]["overrides"] += painted(colours)
    if any(target["legendFormat"].startswith("limit") for target in targets):
        panel["fieldConfig"]["overrides"].append({
            "matcher": {"id": "byRegexp", "options": "/^limit/"},
            "properties": [
                {"id": "custom.lineStyle", "value": {"dash": [8, 8], "fill": "dash"}},
                {"id": "custom.fillOpacity", "value": 0},
            ],
        })
    panel["options"] = {
        "legend": {
            "calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def stat(title, says, unit, *targets, none="none", decimals=None, name=False, colours=None, **bounds):
    """The value of now. With `name`, the name of the series instead: which one it is says it all."""
    defaults = {"color": {"mode": "thresholds"}, "noValue": none}
    if decimals is not None:
        defaults["decimals"] = decimals
    panel = base("stat", title, says, unit, targets, defaults, bounds, now=True)
    panel["fieldConfig"]["overrides"] += painted(colours)
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": reduced(),
        "textMode": "name" if name else "auto" if len(targets) > 1 else "value",
        "wideLayout": True,
    }
    return panel


def bars(title, says, unit, *targets, none="none", **bounds):
    """The values of now beside each other, the largest first where the query says so."""
    defaults = {"color": {"mode": "thresholds"}, "min": 0, "noValue": none}
    panel = base("bargauge", title, says, unit, targets, defaults, bounds, now=True)
    panel["options"] = {
        "displayMode": "basic",
        "minVizHeight": 14,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": reduced(),
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    return panel


def states(title, says, *targets, mapped, **bounds):
    """Which state there was when. `mapped`: each value with its name and colour."""
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 70, "lineWidth": 0},
        "mappings": [{
            "type": "value",
            "options": {
                str(value): {"color": colour, "index": index, "text": text}
                for index, (value, (text, colour)) in enumerate(mapped.items())
            },
        }],
    }
    panel = base("state-timeline", title, says, "none", targets, defaults, bounds)
    panel["options"] = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "never",
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    return panel


def table(title, says, columns, *targets, none="none", links=()):
    """A line for each combination of labels. `columns`: labels, and values as `Value #A`, each with its
    title and unit, in their order; a column that is not among them is not shown."""
    panel = base(
        "table", title, says, "none", targets,
        {"color": {"mode": "thresholds"}, "custom": {"align": "auto"}, "noValue": none}, {}, now=True,
    )
    for target in panel["targets"]:
        target["format"] = "table"
    shown = {name: title for name, (title, _) in columns.items()}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {"id": "organize", "options": {
            "excludeByName": {},
            "indexByName": {name: index for index, name in enumerate(columns)},
            "renameByName": shown,
        }},
    ]
    panel["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": title},
            "properties": [{"id": "unit", "value": unit}],
        }
        for title, unit in columns.values() if unit
    ]
    panel["fieldConfig"]["overrides"] += links
    panel["options"] = {"cellHeight": "sm", "showHeader": True}
    return panel


def base(kind, title, says, unit, targets, defaults, bounds, now=False):
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": SOURCE,
        "fieldConfig": {
            "defaults": {
                **defaults,
                "thresholds": {"mode": "absolute", "steps": steps(**bounds)},
                "unit": unit,
            },
            "overrides": [],
        },
        "links": [
            {"title": f"Runbook: {name}", "url": f"{RUNBOOK}#{name.lower()}", "targetBlank": True}
            for name in dict.fromkeys(re.findall(r"\bIcpgate[A-Z]\w+", says))
        ],
        # Of the model of this version; Grafana brings it to its own.
        "pluginVersion": "11.0.0",
        "targets": [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                **target,
                "instant": now,
                "range": not now,
                "refId": chr(ord("A") + index),
            }
            for index, target in enumerate(targets)
        ],
    }


def steps(low=None, high=None, warn=None):
    """Colours from each value on."""
    if low is not None:
        found = [("red", None)]
        found += [("orange", low), ("green", warn)] if warn is not None else [("green", low)]
    else:
        found = [("green", None)]
        found += [("orange", warn)] if warn is not None else []
        found += [("red", high)] if high is not None else []
    return [{"color": colour, "value": value} for colour, value in found]


def painted(colours):
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"fixedColor": colour, "mode": "fixed"}}],
        }
        for name, colour in (colours or {}).items()
    ]


def reduced():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


# Dashboards.

def dashboard(uid, title, says, sections, instance=None, since="now-6h"):
    """`sections`: (title, [(height, [panel, …]), …]). `instance`: `one` replica, `some` of them, or None
    where there is no choice."""
    scope = INSTALLATION
    if instance == "one":
        scope += ', instance="$instance"'
    elif instance == "some":
        scope += ', instance=~"$instance"'
    made = {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["icpgate"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "links": [{
            "type": "dashboards",
            "title": "icpgate",
            "tags": ["icpgate"],
            "asDropdown": False,
            "icon": "external link",
            "includeVars": True,
            "keepTime": True,
            "targetBlank": False,
            "tooltip": "",
            "url": "",
        }],
        "annotations": {"list": annotations()},
        "templating": {"list": variables(instance)},
        "panels": laid_out(sections),
    }
    return filled(made, scope)


def variables(instance):
    chosen = [
        {
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "regex": "", "refresh": 1, "multi": False, "includeAll": False, "hide": 0,
            "skipUrlSync": False, "options": [], "current": {},
        },
        variable("job", "Installation", "label_values(icpgate_build_info, job)"),
        variable(
            "namespace", "Namespace", 'label_values(icpgate_build_info{job="$job"}, namespace)',
            every=True,
        ),
    ]
    if instance:
        chosen.append(variable(
            "instance", "Replica", "label_values(icpgate_build_info{@}, instance)",
            every=instance == "some", multi=instance == "some",
        ))
    return chosen


def variable(name, label, query, every=False, multi=False):
    made = {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        # Whenever the span of time changes: replicas come and go.
        "refresh": 2,
        "regex": "", "sort": 1, "multi": multi, "includeAll": every, "hide": 0, "skipUrlSync": False,
        "options": [], "current": {},
    }
    if every:
        made["allValue"] = ".*"
        made["current"] = {"selected": True, "text": "All", "value": "$__all"}
    return made


def annotations():
    def annotation(name, colour, expr, title, tags, when=False):
        return {
            "name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": colour,
            "expr": expr, "titleFormat": title, "tagKeys": tags, "step": "60s",
            # The value is the time, in milliseconds.
            **({"useValueForTime": "on"} if when else {}),
        }

    return [
        annotation(
            "Alerts", "red", f"max by (alertname, severity) (ALERTS{{{OF_ALERTS}}})",
            "{{alertname}}", "severity",
        ),
        annotation(
            "Starts", "blue", "process_start_time_seconds{@} * 1000", "{{instance}} started", "", when=True,
        ),
        annotation(
            "Policies", "purple", "icpgate_policy_loaded_timestamp_seconds{@} * 1000",
            "{{instance}} put a policy in force", "", when=True,
        ),
    ]


def laid_out(sections):
    panels = []
    y = 0

    def place(panel, x, width, height):
        panels.append({
            "id": len(panels) + 1, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": height},
        })

    for title, lines in sections:
        place({"type": "row", "title": title, "collapsed": False, "panels": []}, 0, WIDTH, 1)
        y += 1
        for height, line in lines:
            if WIDTH % len(line):
                raise ValueError(f"{len(line)} panels do not fill a line of {title}")
            width = WIDTH // len(line)
            for index, panel in enumerate(line):
                place(panel, index * width, width, height)
            y += height
    return panels


def filled(value, scope):
    """The same with what is written for short in expressions put in full."""
    if isinstance(value, dict):
        return {key: filled(part, scope) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, scope) for part in value]
    if isinstance(value, str):
        return (
            value.replace("{*", "{" + scope)
            .replace("{@", "{" + INSTALLATION)
            .replace("[*]", "[$__rate_interval]")
        )
    return value
