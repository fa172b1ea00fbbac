"""The set-up for Docker Compose: taken by it, and true to the program and to the proxy."""

import functools
import json
import pathlib
import re
import shutil
import tempfile
import tomllib
import unittest

import support
import yaml


@functools.cache
def composed():
    """What Compose makes of the file, secrets and all, after `prepare`."""
    with tempfile.TemporaryDirectory() as folder:
        place = support.secrets(pathlib.Path(folder))
        said = support.run(
            "docker-compose", "--file", place / "compose.yaml", "--profile", "*",
            "config", "--format", "json",
            cwd=folder, env=support.environment(),
        )
        found = json.loads(said)
        found["files"] = {
            name: (pathlib.Path(secret["file"]).read_text(), pathlib.Path(secret["file"]).stat())
            for name, secret in found["secrets"].items()
        }
        found["place"] = folder
        found["user"] = (place / ".env").read_text().strip().removeprefix("ICPGATE_USER=")
        return found


OURS = ("gate-1", "gate-2", "migrate", "import")


class Compose(unittest.TestCase):
    def test_images_are_pinned_and_ours_is_this_version(self):
        version = support.run(support.PROGRAM, "--version").split()[1]
        for name, service in composed()["services"].items():
            with self.subTest(name=name):
                if name in OURS:
                    self.assertEqual(service["image"], f"icpgate:{version}")
                else:
                    self.assertRegex(service["image"], r":v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)?$")

    def test_everything_is_held_back(self):
        for name, service in composed()["services"].items():
            with self.subTest(name=name):
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                if name != "postgres":
                    self.assertIs(service["read_only"], True)
                for port in service.get("ports", []):
                    self.assertEqual(port["host_ip"], "127.0.0.1", "not beyond this machine unasked")
                if name not in ("migrate", "import"):
                    self.assertIn("healthcheck" if name not in ("proxy", "grafana") else "image", service)
                    self.assertGreater(int(service["mem_limit"]), 0)

    def test_only_the_proxy_and_prometheus_reach_the_replicas(self):
        services = composed()["services"]
        self.assertIs(composed()["networks"]["gate"]["internal"], True)
        self.assertIs(composed()["networks"]["data"]["internal"], True)
        on = {name for name, service in services.items() if "gate" in service["networks"]}
        self.assertEqual(on, {"gate-1", "gate-2", "proxy", "prometheus"})
        on = {name for name, service in services.items() if "data" in service["networks"]}
        self.assertEqual(on, {*OURS, "postgres", "redis"})
        for name in OURS:
            self.assertNotIn("ports", services[name])

    def test_the_proxy_and_prometheus_know_the_replicas(self):
        services = composed()["services"]
        addresses = {
            services[name]["networks"]["gate"]["ipv4_address"] for name in ("gate-1", "gate-2")
        }
        proxy = (support.DEPLOY / "compose/nginx.conf").read_text()
        self.assertEqual(set(re.findall(r"server ([0-9.]+):50051 ", proxy)), addresses)
        targets = (support.DEPLOY / "compose/prometheus.yml").read_text()
        self.assertEqual(set(re.findall(r"[a-z0-9-]+:8080", targets)), {"gate-1:8080", "gate-2:8080"})

    def mounted(self, name):
        """What is mounted into a service, by where: paths of the repository."""
        found = {}
        for volume in composed()["services"][name].get("volumes", []):
            if volume["type"] != "bind":
                continue
            # Compose resolved it in a folder of the test, beside which there is nothing.
            place = pathlib.Path(volume["source"]).relative_to(composed()["place"])
            self.assertIs(volume["read_only"], True)
            found[volume["target"]] = support.DEPLOY / place
        return found

    def test_files_that_are_mounted_are_there(self):
        count = 0
        for name in composed()["services"]:
            for target, source in self.mounted(name).items():
                with self.subTest(name=name, target=target):
                    self.assertTrue(source.exists(), source)
                    count += 1
        self.assertGreaterEqual(count, 5)

    def test_prometheus_reads_the_rules(self):
        mounts = self.mounted("prometheus")
        inside = pathlib.PurePosixPath("/etc/prometheus/prometheus.yml")
        config = yaml.safe_load(mounts[str(inside)].read_text())
        self.assertIn(
            f"--config.file={inside}", composed()["services"]["prometheus"]["command"],
        )
        found = set()
        for pattern in config["rule_files"]:
            path = inside.parent / pattern
            found |= set(mounts[str(path.parent)].glob(path.name))
        self.assertEqual(found, set((support.DEPLOY / "prometheus").glob("*.rules.yml")))
        self.assertGreater(len(found), 1)
        # promtool takes all of it, put as it is mounted.
        place = support.temporary(self)
        for target, source in mounts.items():
            target = place / pathlib.PurePosixPath(target).name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
        said = support.run("promtool", "check", "config", place / inside.name)
        self.assertIn("SUCCESS", said)
        # Alerts look for jobs of this name.
        self.assertEqual([job["job_name"] for job in config["scrape_configs"]], ["icpgate"])

    def test_grafana_shows_the_dashboards(self):
        service = composed()["services"]["grafana"]
        mounts = self.mounted("grafana")
        provisioning = mounts["/etc/grafana/provisioning"]
        (file,) = (provisioning / "dashboards").iterdir()
        (provider,) = yaml.safe_load(file.read_text())["providers"]
        self.assertEqual(mounts[provider["options"]["path"]], support.DEPLOY / "grafana/dashboards")
        home = pathlib.PurePosixPath(
            service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
        )
        shown = json.loads((mounts[str(home.parent)] / home.name).read_text(encoding="utf-8"))
        self.assertEqual(shown["uid"], "icpgate-overview")

    def test_grafana_asks_the_prometheus_that_is_there(self):
        provisioning = self.mounted("grafana")["/etc/grafana/provisioning"]
        (file,) = (provisioning / "datasources").iterdir()
        (source,) = yaml.safe_load(file.read_text())["datasources"]
        # What the dashboards ask is the default of this type, or chosen among them.
        self.assertEqual((source["type"], source["isDefault"]), ("prometheus", True))
        services = composed()["services"]
        host, port = re.fullmatch(r"http://([a-z]+):([0-9]+)", source["url"]).groups()
        self.assertIn(port, {str(one["target"]) for one in services[host]["ports"]})
        self.assertTrue(set(services[host]["networks"]) & set(services["grafana"]["networks"]))
        # No instance of Grafana knows another name of it than this.
        self.assertEqual(source["uid"], "prometheus")
        config = yaml.safe_load(
            self.mounted("prometheus")["/etc/prometheus/prometheus.yml"].read_text(),
        )
        self.assertEqual(source["jsonData"]["timeInterval"], config["global"]["scrape_interval"])

    def test_settings_and_flags_are_taken(self):
        for name in OURS:
            with self.subTest(name=name), tempfile.TemporaryDirectory() as folder:
                service = composed()["services"][name]
                root = pathlib.Path(folder)
                (root / "run/secrets").mkdir(parents=True)
                for secret in service["secrets"]:
                    text, _ = composed()["files"][secret["source"]]
                    self.assertEqual(secret["target"], f"/run/secrets/{secret['source']}")
                    (root / "run/secrets" / secret["source"]).write_text(text)
                given = {
                    name: support.relocated(value, folder)
                    for name, value in service["environment"].items()
                }
                held = support.settings(**given)
                self.assertEqual((held["store.url"], held["redis.urls"]), ("(hidden)", "(hidden)"))
                self.assertTrue(pathlib.Path(held["privacy.key_file"]).exists())
                command = service.get("command") or ["serve"]
                self.assertEqual(support.unknown(command), [])
                if name.startswith("gate"):
                    self.assertEqual(held["http.insecure"], "true")
                    drain = support.seconds(held["limits.drain_timeout"])
                    grace = support.seconds(service["stop_grace_period"])
                    self.assertGreaterEqual(grace, drain + 10)
                    _, *probe = service["healthcheck"]["test"]
                    self.assertEqual(probe[0], "/usr/bin/icpgate")
                    self.assertEqual(support.unknown(probe[1:]), [])

    def test_secrets_are_for_their_owner_and_fit_each_other(self):
        files = composed()["files"]
        for name, (text, status) in files.items():
            with self.subTest(name=name):
                self.assertEqual(status.st_mode & 0o777, 0o600)
                self.assertEqual(f"{status.st_uid}:{status.st_gid}", composed()["user"])
                self.assertTrue(text.strip())
        password = files["postgres-password"][0].strip()
        self.assertIn(f"//icpgate:{password}@postgres/icpgate", files["store-url"][0])
        self.assertEqual(len(files["privacy.key"][0].strip()), 64)
        self.assertRegex(files["redis.conf"][0], r"\nuser default off\n")

    def test_prepare_keeps_what_is_there(self):
        place = support.secrets(support.temporary(self))
        def everything():
            return {path.name: path.read_bytes() for path in (place / "secrets").iterdir()}
        before = everything()
        support.run(place / "prepare", cwd=place)
        self.assertEqual(everything(), before)

    def test_no_secret_gets_into_the_repository(self):
        ignored = (support.DEPLOY / "compose/.gitignore").read_text().split()
        self.assertEqual(ignored, ["secrets/", ".env"])


class Version(unittest.TestCase):
    def test_the_container_file_names_this_version(self):
        with open(support.ROOT / "Cargo.toml", "rb") as file:
            version = tomllib.load(file)["workspace"]["package"]["version"]
        text = (support.DEPLOY / "container/Containerfile").read_text()
        self.assertIn(f"ARG VERSION={version}\n", text)


if __name__ == "__main__":
    unittest.main()
