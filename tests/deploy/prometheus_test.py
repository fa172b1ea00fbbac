"""Recording rules and alerts: taken by Prometheus, about series that there are, tested, and explained."""

import re
import subprocess
import unittest
from concurrent import futures

import series
import support
import yaml

TESTS = support.ROOT / "tests/deploy/rules"

# Begin as metrics do, and are none: the channel of PostgreSQL's notifications.
NO_METRICS = {"icpgate_changed"}

# Days of a clock that nobody waits for, but that is worked out step by step.
PATIENCE = 600


def cases():
    """Expectations of the tests of rules: alert, and whether it is to fire."""
    for path in sorted(TESTS.glob("*.test.yml")):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for look in test["promql_expr_test"]:
                alert = re.fullmatch(
                    r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', look["expr"]
                )
                yield alert[1], bool(look["exp_samples"])


def runbook():
    """Entries of the runbook: their texts, by the anchors of their headings."""
    text = (support.ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{1,3} (.+)$", text, flags=re.MULTILINE)
    return {title.lower().replace(" ", "-"): body for title, body in zip(parts[1::2], parts[2::2])}


class Rules(unittest.TestCase):
    def test_prometheus_takes_them(self):
        support.run("promtool", "check", "rules", *sorted(series.RULES.glob("*.rules.yml")))

    def test_they_are_about_series_that_there_are(self):
        for group, rule in series.rules():
            name = rule.get("alert") or rule["record"]
            with self.subTest(group=group, name=name):
                self.assertEqual(series.wrong(rule["expr"]), [])

    def test_they_do_what_is_expected_of_them(self):
        def failed(path):
            done = subprocess.run(
                ["promtool", "test", "rules", path],
                capture_output=True, text=True, timeout=PATIENCE,
            )
            return "" if done.returncode == 0 else f"{path.name}: {done.stdout}{done.stderr}"

        paths = sorted(TESTS.glob("*.test.yml"))
        with futures.ThreadPoolExecutor() as pool:
            self.assertEqual([said for said in pool.map(failed, paths) if said], [])

    def test_every_alert_is_seen_to_fire_and_to_be_quiet(self):
        seen = set(cases())
        for alert in series.alerts():
            with self.subTest(alert=alert):
                self.assertIn((alert, True), seen)
                self.assertIn((alert, False), seen)
        self.assertLessEqual({alert for alert, _ in seen}, set(series.alerts()))


class Alerts(unittest.TestCase):
    def test_they_say_who_is_to_do_what(self):
        for alert, rule in series.alerts().items():
            with self.subTest(alert=alert):
                self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
                self.assertEqual(
                    set(rule["annotations"]), {"summary", "description", "runbook_url"}
                )
                self.assertRegex(rule["annotations"]["summary"], r"^[A-Z{].*[^.]$")
                self.assertRegex(rule["annotations"]["description"], r"^[A-Z].*\.$")

    def test_each_has_an_entry_in_the_runbook(self):
        entries = runbook()
        led = set()
        for alert, rule in series.alerts().items():
            with self.subTest(alert=alert):
                page, anchor = rule["annotations"]["runbook_url"].split("#")
                self.assertTrue(page.endswith("/docs/RUNBOOK.md"))
                self.assertIn(anchor, entries)
                led.add(anchor)
                # Those over several windows share an entry, which names them.
                self.assertTrue(anchor == alert.lower() or f"`{alert}`" in entries[anchor])
                for part in ("**Meaning.**", "**First look.**", "**Mend.**"):
                    self.assertIn(part, entries[anchor])
        about = {anchor for anchor in entries if anchor.startswith("icpgate")}
        self.assertEqual(about - led, set(), "entries of alerts that there are not")

    def test_links_within_the_runbook_lead_somewhere(self):
        entries = runbook()
        for anchor, text in entries.items():
            for to in re.findall(r"\]\(#([\w-]+)\)", text):
                with self.subTest(at=anchor, to=to):
                    self.assertIn(to, entries)


class Alertmanager(unittest.TestCase):
    config = support.DEPLOY / "prometheus/alertmanager.yml"

    def test_it_takes_its_file(self):
        support.run("amtool", "check-config", self.config)

    def test_alerts_go_where_their_severity_says(self):
        for severity in ("page", "ticket"):
            said = support.run(
                "amtool", "config", "routes", "test", f"--config.file={self.config}",
                f"severity={severity}", "alertname=IcpgateDown",
            )
            self.assertEqual(said.strip(), severity)

    def test_inhibitions_are_about_alerts_and_labels_that_there_are(self):
        rules = yaml.safe_load(self.config.read_text(encoding="utf-8"))["inhibit_rules"]
        self.assertGreater(len(rules), 3)
        for rule in rules:
            sides = rule["source_matchers"], rule["target_matchers"]
            for matcher in [one for side in sides for one in side]:
                with self.subTest(matcher=matcher):
                    label, sign, named = re.fullmatch(r'(\w+) (=~|!=|=) "(.+)"', matcher).groups()
                    self.assertEqual(label, "alertname")
                    # Each way that the text may go leads to an alert.
                    head, ways, rest = re.fullmatch(r"([^(]*)(?:\(([^()]*)\))?(.*)", named).groups()
                    for way in (ways or "").split("|"):
                        pattern = re.compile(head + way + rest)
                        found = [one for one in series.alerts() if pattern.fullmatch(one)]
                        self.assertTrue(found, f"{head}{way}{rest}")


class Documents(unittest.TestCase):
    def test_metrics_that_are_named_are_there(self):
        named = 0
        pages = [*support.ROOT.glob("*.md"), *support.ROOT.glob("docs/**/*.md")]
        for path in sorted(pages):
            text = path.read_text(encoding="utf-8")
            for name in set(re.findall(r"`(icpgate_[a-z0-9_]+)[`{]", text)) - NO_METRICS:
                named += 1
                with self.subTest(path=path.relative_to(support.ROOT), name=name):
                    # Of a histogram, the name of the whole.
                    self.assertTrue({name, f"{name}_count"} & set(series.documented()))
        self.assertGreater(named, 80, "they were not found")


if __name__ == "__main__":
    unittest.main()
