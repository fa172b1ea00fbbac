"""The dashboards: made from their source, whole, and about series that there are."""

import collections
import functools
import json
import re
import subprocess
import sys
import unittest

import series
import support
import yaml

FOLDER = support.DEPLOY / "grafana"

UIDS = {"icpgate-overview", "icpgate-caches-and-stores", "icpgate-data", "icpgate-replica"}

# What Grafana puts in place of its variables.
GIVEN = {
    "$__rate_interval": "1m",
    "$job": "icpgate",
    "$namespace": ".*",
    "$instance": "127.0.0.1:8080",
}


@functools.cache
def dashboards():
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((FOLDER / "dashboards").glob("*"))
    }


def panels():
    """Every panel that shows something, with the name of its dashboard."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield name, panel


def expressions():
    """Every expression, with where it stands."""
    for name, panel in panels():
        for target in panel["targets"]:
            yield f"{name}: {panel['title']} {target['refId']}", target["expr"]
    for name, dashboard in dashboards().items():
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name}: annotation {annotation['name']}", annotation["expr"]


def queries():
    """Queries of variables: which label of which series."""
    for name, dashboard in dashboards().items():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{name}: ${variable['name']}", variable["query"]["query"]


def filled(expr):
    for variable, value in GIVEN.items():
        expr = expr.replace(variable, value)
    return expr


class Source(unittest.TestCase):
    def test_the_files_are_what_is_made(self):
        place = support.temporary(self)
        support.run(sys.executable, FOLDER / "make", place)
        made = {path.name: path.read_text(encoding="utf-8") for path in place.iterdir()}
        there = {
            path.name: path.read_text(encoding="utf-8")
            for path in (FOLDER / "dashboards").iterdir()
        }
        self.assertEqual(set(made), set(there))
        for name, text in made.items():
            self.assertTrue(text == there[name], f"{name} is old; run deploy/grafana/make")


class Form(unittest.TestCase):
    def test_they_stay_what_they_are_wherever_they_are_put(self):
        self.assertEqual(set(dashboards()), UIDS)
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                # The name of a page, in links: at most 40 letters.
                self.assertEqual(dashboard["uid"], name)
                self.assertLessEqual(len(name), 40)
                # Numbers that an instance gives.
                self.assertNotIn("id", dashboard)
                self.assertNotIn("version", dashboard)
                self.assertEqual(dashboard["refresh"], "30s")
        titles = [dashboard["title"] for dashboard in dashboards().values()]
        self.assertEqual(len(titles), len(set(titles)))

    def test_they_ask_the_source_of_data_that_is_chosen(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                first, job, namespace, *_ = dashboard["templating"]["list"]
                self.assertEqual((first["name"], first["type"]), ("datasource", "datasource"))
                self.assertEqual(first["query"], "prometheus")
                self.assertEqual(job["query"]["query"], "label_values(icpgate_build_info, job)")
                # Where there are no namespaces, no matcher may ask for one.
                self.assertEqual((namespace["allValue"], namespace["includeAll"]), (".*", True))
                asked = []

                def look(value, key=None):
                    if key == "datasource":
                        asked.append(value)
                    elif isinstance(value, dict):
                        for name, part in value.items():
                            look(part, name)
                    elif isinstance(value, list):
                        for part in value:
                            look(part)

                look(dashboard)
                self.assertGreater(len(asked), 10)
                for one in asked:
                    self.assertEqual(one, {"type": "prometheus", "uid": "${datasource}"})

    def test_variables_that_are_used_are_there(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                there = {variable["name"] for variable in dashboard["templating"]["list"]}
                used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard)))
                of_grafana = {one for one in used if one.startswith("__")}
                self.assertLessEqual(
                    of_grafana, {"__rate_interval", "__all", "__url_time_range", "__value"},
                )
                self.assertLessEqual(used - of_grafana, there)
                self.assertLessEqual(there, used, "a variable that nothing asks")

    def test_they_lead_to_each_other(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                (link,) = dashboard["links"]
                self.assertEqual((link["type"], link["tags"]), ("dashboards", dashboard["tags"]))
                self.assertTrue(link["includeVars"] and link["keepTime"])
                for uid in re.findall(r"/d/([\w-]+)", json.dumps(dashboard)):
                    self.assertIn(uid, dashboards())

    def test_alerts_and_changes_are_marked(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                marked = " ".join(one["expr"] for one in dashboard["annotations"]["list"])
                self.assertIn('ALERTS{alertname=~"Icpgate.*", alertstate="firing"', marked)
                self.assertIn("process_start_time_seconds", marked)
                self.assertIn("icpgate_policy_loaded_timestamp_seconds", marked)

    def test_panels_cover_the_page_once(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                taken = collections.Counter()
                for panel in dashboard["panels"]:
                    place = panel["gridPos"]
                    for x in range(place["x"], place["x"] + place["w"]):
                        for y in range(place["y"], place["y"] + place["h"]):
                            taken[x, y] += 1
                self.assertEqual(set(taken.values()), {1}, "panels overlap")
                bottom = max(y for _, y in taken) + 1
                self.assertEqual(set(taken), {(x, y) for x in range(24) for y in range(bottom)})

    def test_panels_are_told_apart(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name=name):
                ids = [panel["id"] for panel in dashboard["panels"]]
                self.assertEqual(len(ids), len(set(ids)))
                titles = [panel["title"] for panel in dashboard["panels"]]
                self.assertEqual(len(titles), len(set(titles)))

    def test_panels_say_what_they_show(self):
        for name, panel in panels():
            with self.subTest(name=name, panel=panel["title"]):
                self.assertRegex(panel["title"], r"^[A-Z0-9].*[^.]$")
                self.assertRegex(panel["description"], r"^[A-Z0-9`].{30,}\.$")
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertGreater(len(panel["targets"]), 0)
                self.assertTrue(panel["fieldConfig"]["defaults"]["thresholds"]["steps"])
                letters = [target["refId"] for target in panel["targets"]]
                self.assertEqual(letters, sorted(set(letters)))
                for target in panel["targets"]:
                    self.assertNotEqual(target["instant"], target["range"])
                    if panel["type"] != "table":
                        self.assertTrue(target["legendFormat"])

    def test_examples_are_shown_with_the_time_to_a_decision(self):
        shown = [
            target["expr"] for _, panel in panels() for target in panel["targets"]
            if target["exemplar"]
        ]
        self.assertTrue(shown)
        for expr in shown:
            self.assertIn("icpgate_decision_duration_seconds_bucket", expr)


class Expressions(unittest.TestCase):
    def test_prometheus_takes_them(self):
        rules = [
            {"record": f"test:expression:{index}", "expr": filled(expr), "labels": {"at": place}}
            for index, (place, expr) in enumerate(expressions())
        ]
        self.assertGreater(len(rules), 100)
        self.assertEqual(self.check(rules), "")

    def test_prometheus_would_refuse_what_is_wrong(self):
        rule = {"record": "test:expression:0", "expr": "sum by (x (up)"}
        self.assertIn("could not parse expression", self.check([rule]))

    def check(self, rules):
        """What promtool has against expressions."""
        file = support.temporary(self) / "rules.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": rules}]}))
        done = subprocess.run(
            ["promtool", "check", "rules", "--lint=none", file],
            capture_output=True, text=True, timeout=support.PATIENCE,
        )
        self.assertEqual(done.returncode == 0, "SUCCESS" in done.stdout, done.stderr)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def test_everything_that_is_asked_for_is_there(self):
        for place, expr in expressions():
            with self.subTest(place=place):
                self.assertEqual(series.wrong(filled(expr)), [])
        for place, query in queries():
            with self.subTest(place=place):
                inner, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
                self.assertEqual(series.wrong(filled(inner)), [])
                self.assertIn(label, series.TARGET)

    def test_what_is_not_there_would_be_found(self):
        for expr, said in (
            ("rate(icpgate_decision_total[5m])", "no series icpgate_decision_total"),
            ('icpgate_ready{state="held"}', "no label state of icpgate_ready"),
            ('icpgate_phase{phase="ending"}', "no phase=ending of icpgate_phase"),
            ('icpgate_phase{phase=~"running|ending"}', "no phase=ending of icpgate_phase"),
            ("sum by (kind) (icpgate_ready)", "no label kind in sum by (kind) (icpgate_ready)"),
            ("icpgate:checks:rate3m", "no series icpgate:checks:rate3m"),
            (
                'icpgate:decisions:share_rate5m{verdict="NO"}',
                "no verdict=NO of icpgate:decisions:share_rate5m",
            ),
            (
                'icpgate:cache_hits:ratio_rate1d{instance="a"}',
                "no label instance of icpgate:cache_hits:ratio_rate1d",
            ),
        ):
            with self.subTest(expr=expr):
                self.assertEqual(series.wrong(expr), [said])

    def test_each_is_about_the_installation_that_is_chosen(self):
        for place, expr in expressions():
            for name, matchers in series.selectors(expr):
                with self.subTest(place=place, name=name):
                    asked = {label: value for label, _, value in matchers}
                    self.assertIn(asked["job"], ("$job", "$job|"))
                    self.assertIn(asked["namespace"], ("$namespace", "$namespace|"))

    def test_rates_are_over_what_grafana_works_out(self):
        for place, expr in expressions():
            with self.subTest(place=place):
                for span in re.findall(r"\brate\([^\[\]]*\[([^\]]*)\]", expr):
                    self.assertEqual(span, "$__rate_interval")

    def test_legends_name_labels_that_are_there(self):
        for name, panel in panels():
            for target in panel["targets"]:
                with self.subTest(name=name, panel=panel["title"], expr=target["expr"]):
                    named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                    by = series.grouped(target["expr"]) - {"le"}
                    if not by:
                        for selected, _ in series.selectors(target["expr"]):
                            by |= set(series.labels(selected))
                    self.assertLessEqual(named, by)


class Runbook(unittest.TestCase):
    def test_alerts_that_are_named_are_there(self):
        there = {
            rule["annotations"]["runbook_url"].split("#")[1]: rule["annotations"]["runbook_url"]
            for rule in series.alerts().values()
        }
        named = 0
        for name, panel in panels():
            with self.subTest(name=name, panel=panel["title"]):
                found = set(re.findall(r"\bIcpgate\w+", panel["description"]))
                named += len(found)
                self.assertLessEqual({one.lower() for one in found}, set(there))
                led = {link["url"] for link in panel["links"]}
                self.assertEqual(led, {there[one.lower()] for one in found})
        self.assertGreater(named, 50)

    def test_every_alert_has_a_panel(self):
        text = " ".join(panel["description"] for _, panel in panels()).lower()
        for alert, rule in series.alerts().items():
            with self.subTest(alert=alert):
                # Alerts over several windows share an entry.
                entry = rule["annotations"]["runbook_url"].split("#")[1]
                self.assertTrue(entry in text, f"no panel leads to {entry}")

    def test_pages_and_entries_that_are_named_are_there(self):
        runbook = (support.ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
        entries = set(re.findall(r"^### (\w+)$", runbook, flags=re.MULTILINE))
        for name, panel in panels():
            with self.subTest(name=name, panel=panel["title"]):
                for page in re.findall(r"docs/[A-Z]+\.md", panel["description"]):
                    self.assertTrue((support.ROOT / page).exists(), page)
                named = set(re.findall(r"\bIcpgate\w+", panel["description"]))
                self.assertLessEqual(named, entries)


if __name__ == "__main__":
    unittest.main()
