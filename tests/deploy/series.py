"""What series there are: those of docs/METRICS.md, those that are recorded, and Prometheus's own; and
which of them an expression names."""

import functools
import re

import support
import yaml

RULES = support.DEPLOY / "prometheus"

# Written by Prometheus itself. `None` is any value, and any label beside those that are named.
OWN = {
    "ALERTS": {"alertname": None, "alertstate": {"firing", "pending"}, "severity": None, "job": None},
    "up": {},
}

# Given by whoever scrapes.
TARGET = {"job": None, "namespace": None, "instance": None}

# A name, and what may stand in braces behind it.
SELECTOR = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)\s*(\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\})?")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
WORDS = {"and", "or", "unless", "offset", "bool"}


@functools.cache
def documented():
    """Labels of each metric with their values, and of histograms those of their parts."""
    text = (support.ROOT / "docs/METRICS.md").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        name = re.match(r"`(\w+)`", part)[1]
        kind = re.search(r"^- Kind: (\w+)", part, flags=re.MULTILINE)[1]
        labels = {}
        for label, values in re.findall(r"^- Label `(\w+)`: (.*)$", part, flags=re.MULTILINE):
            # A closed set is a list of values and no word beside.
            closed = re.fullmatch(r"`[^`]+`(, `[^`]+`)*", values)
            labels[label] = set(re.findall(r"`([^`]+)`", values)) if closed else None
        if kind == "histogram":
            found[f"{name}_bucket"] = labels | {"le": None}
            found[f"{name}_count"] = found[f"{name}_sum"] = labels
        else:
            found[name] = labels
    return found


@functools.cache
def rules():
    """Everything that deploy/prometheus evaluates, with its groups."""
    return [
        (group["name"], rule)
        for path in sorted(RULES.glob("*.rules.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


@functools.cache
def recorded():
    """Expressions of recorded series, by their names."""
    return {rule["record"]: rule["expr"] for _, rule in rules() if "record" in rule}


def alerts():
    """Alerts, by their names."""
    return {rule["alert"]: rule for _, rule in rules() if "alert" in rule}


@functools.cache
def labels(name):
    """Labels of a series with their values; `None` where there is no such series."""
    known = documented() | OWN
    if name in known:
        return known[name] | TARGET
    if name not in recorded():
        return None
    # All rules are so written that the labels of the first operand stay.
    expr = recorded()[name]
    if summed := re.match(r"[\s(]*\w+ by \(([^()]*)\)", expr):
        there = [label.strip() for label in summed[1].split(",")]
        return {label: values for label, values in sources(expr).items() if label in there}
    first, _ = selectors(expr)[0]
    return labels(first)


def sources(expr):
    """Labels of everything that an expression names."""
    return {
        label: values
        for name, _ in selectors(expr)
        for label, values in (labels(name) or {}).items()
    }


def plain(expr):
    """The expression without what looks like a name and is none: groupings and strings apart."""
    return GROUPING.sub(" ", expr)


def selectors(expr):
    """Names of series with their matchers: (label, operator, value)."""
    text = plain(expr)
    # Spans, and numbers with a unit behind `offset`.
    text = re.sub(r"\[[^\[\]]*\]", " ", text)
    text = re.sub(r"\boffset\s+\w+", " ", text)
    found = []
    for match in SELECTOR.finditer(text):
        name, braces = match.groups()
        called = text[match.end(1):].lstrip().startswith("(")
        if name in WORDS or called:
            continue
        found.append((name, MATCHER.findall(braces or "")))
    return found


def grouped(expr):
    """Labels that an expression names in `by`."""
    return {
        label.strip()
        for word, listed in GROUPING.findall(expr)
        for label in listed.split(",")
        if word == "by" and label.strip()
    }


def wrong(expr):
    """What an expression names that there is not."""
    found = []
    there = set()
    for name, matchers in selectors(expr):
        known = labels(name)
        if known is None:
            found.append(f"no series {name}")
            continue
        there |= set(known) | ({"instance", "severity"} if name == "ALERTS" else set())
        for label, operator, value in matchers:
            if label not in known:
                found.append(f"no label {label} of {name}")
            elif known[label] is not None:
                # Alternatives of plain words are all that is written here.
                values = value.split("|") if "~" in operator else [value]
                found += [
                    f"no {label}={one} of {name}" for one in values if one not in known[label]
                ]
    found += [f"no label {label} in {expr}" for label in grouped(expr) - there]
    return found
