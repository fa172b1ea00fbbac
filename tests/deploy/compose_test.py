"""The set-up for Docker Compose: taken by it, and true to the program and to the proxy."""

import functools
import json
import pathlib
import re
import tempfile
import tomllib
import unittest

import support


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
