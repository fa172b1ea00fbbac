"""The manifests for Kubernetes: taken by its API, and true to the program."""

import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

import kubernetes_validate
import series
import support
import yaml

FOLDER = support.DEPLOY / "kubernetes"

# From the oldest that is maintained, some versions back, to the newest that there are types of.
VERSIONS = ("1.31", "1.34", "1.37")

# Kinds that Kubernetes has no types of; looked at by hand below.
CUSTOM = {"PrometheusRule", "ServiceMonitor"}

# What `kubectl apply` may keep of what it applied, in an annotation, by which it sees what was removed.
KEPT = 256 * 1024

# Makes one of the files, and is none of a cluster.
SCRIPTS = {FOLDER / "make-rules"}

BUILT = ("overlays/single-node", "overlays/highly-available", "migrate")


def build(folder):
    said = support.run("kubectl", "kustomize", folder)
    return [document for document in yaml.safe_load_all(said) if document]


@functools.cache
def built(name):
    return build(FOLDER / name)


def only(documents, kind, name=None):
    found = [
        document for document in documents
        if document["kind"] == kind and name in (None, document["metadata"]["name"])
    ]
    assert len(found) == 1, (kind, name, [document["metadata"]["name"] for document in found])
    return found[0]


def workload(documents):
    kinds = ("Deployment", "StatefulSet", "Job")
    return next(document for document in documents if document["kind"] in kinds)


def pod(documents):
    return workload(documents)["spec"]["template"]


def container(documents):
    (one,) = pod(documents)["spec"]["containers"]
    return one


def configuration(documents):
    """The file of configuration of the pods, if they have one."""
    maps = [document for document in documents if document["kind"] == "ConfigMap"]
    for found in maps:
        if "icpgate.toml" in found["data"]:
            return found["data"]["icpgate.toml"]
    return None


class Manifests(unittest.TestCase):
    def test_the_api_takes_them(self):
        for name in BUILT:
            documents = built(name)
            self.assertGreater(len(documents), 0)
            for document in documents:
                for version in VERSIONS:
                    with self.subTest(name=name, kind=document["kind"], version=version):
                        kubernetes_validate.validate(document, version, strict=True)

    def test_the_api_would_refuse_what_is_wrong(self):
        wrong = yaml.safe_load(yaml.safe_dump(workload(built(BUILT[0]))))
        wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 5
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)

    def monitored(self, overlay):
        """An overlay with the component."""
        place = support.temporary(self) / "deploy"
        shutil.copytree(support.DEPLOY, place, ignore=shutil.ignore_patterns("secrets", ".env"))
        own = place / "own"
        own.mkdir()
        (own / "kustomization.yaml").write_text(yaml.safe_dump({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../kubernetes/overlays/{overlay}"],
            "components": ["../kubernetes/components/monitoring"],
        }))
        return build(own)

    def test_the_monitoring_component_builds_with_each_overlay(self):
        for overlay in ("single-node", "highly-available"):
            documents = self.monitored(overlay)
            monitor = only(documents, "ServiceMonitor")
            self.assertEqual(monitor["apiVersion"], "monitoring.coreos.com/v1")
            self.assertEqual(set(monitor["spec"]), {"selector", "namespaceSelector", "endpoints"})
            namespace = only(documents, "Namespace")["metadata"]["name"]
            self.assertEqual(monitor["metadata"]["namespace"], namespace)
            self.assertEqual(monitor["spec"]["namespaceSelector"], {"matchNames": [namespace]})
            # It finds exactly the service of the metrics, and its port by its name.
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            found = [
                document for document in documents
                if document["kind"] == "Service"
                and wanted <= document["metadata"].get("labels", {}).items()
            ]
            self.assertEqual([one["metadata"]["name"] for one in found], ["icpgate-metrics"])
            ports = {port["name"] for port in found[0]["spec"]["ports"]}
            for endpoint in monitor["spec"]["endpoints"]:
                self.assertIn(endpoint["port"], ports)
                self.assertEqual(endpoint["path"], "/metrics")
            known = {document["kind"] for document in documents} - CUSTOM
            self.assertIn("Service", known)

    def test_the_rules_are_those_of_prometheus(self):
        found = {}
        for document in self.monitored("highly-available"):
            if document["kind"] == "PrometheusRule":
                self.assertEqual(document["apiVersion"], "monitoring.coreos.com/v1")
                self.assertLess(len(json.dumps(document)), KEPT)
                names = [group["name"] for group in document["spec"]["groups"]]
                self.assertEqual(len(names), len(set(names)))
                found[document["metadata"]["name"]] = document["spec"]
        self.assertEqual(found, {
            f"icpgate-{path.name.removesuffix('.rules.yml')}": yaml.safe_load(path.read_text())
            for path in series.RULES.glob("*.rules.yml")
        })

    def test_the_file_of_rules_is_what_is_made(self):
        made = support.temporary(self) / "made.yaml"
        support.run(sys.executable, FOLDER / "make-rules", made)
        there = FOLDER / "components/monitoring/prometheus-rules.yaml"
        self.assertTrue(
            made.read_text() == there.read_text(), "it is old; run deploy/kubernetes/make-rules",
        )

    def test_the_sidecar_of_grafana_finds_each_dashboard(self):
        documents = self.monitored("single-node")
        found = [
            document for document in documents
            if document["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        ]
        files = {}
        for document in found:
            self.assertEqual(document["kind"], "ConfigMap")
            kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
            self.assertLess(len(json.dumps(document)), KEPT)
            # A name of its own in the folder of the sidecar.
            self.assertFalse(set(files) & set(document["data"]))
            files |= document["data"]
        there = {
            path.name: path.read_text(encoding="utf-8")
            for path in (support.DEPLOY / "grafana/dashboards").iterdir()
        }
        self.assertEqual(files, there)
        # They are none of the others' files, and change no pod.
        alone = built("overlays/single-node")
        self.assertEqual(pod(documents), pod(alone))

    def test_the_kustomization_of_the_guide_builds(self):
        guide = (support.ROOT / "docs/DEPLOYING.md").read_text(encoding="utf-8")
        (example,) = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", guide, flags=re.DOTALL)
        place = support.temporary(self)
        shutil.copytree(support.DEPLOY, place / "icpgate/deploy")
        own = place / "own"
        own.mkdir()
        (own / "kustomization.yaml").write_text(example.replace("…", "0" * 64))
        (own / "callers.toml").write_text("# mine\n")
        documents = build(own)
        self.assertRegex(container(documents)["image"], r"^registry\.internal/icpgate@sha256:0{64}$")
        callers = only(documents, "ConfigMap", "icpgate-callers")["data"]
        self.assertEqual(callers, {"callers.toml": "# mine\n"})
        only(documents, "ServiceMonitor")

    def test_every_file_is_used_once(self):
        used = []
        for kustomization in FOLDER.rglob("kustomization.yaml"):
            content = yaml.safe_load(kustomization.read_text())
            names = list(content.get("resources", []))
            names += [patch["path"] for patch in content.get("patches", [])]
            for generator in content.get("configMapGenerator", []):
                names += generator["files"]
            for name in names:
                path = (kustomization.parent / name).resolve()
                self.assertTrue(path.exists(), path)
                if path.is_file():
                    used.append(path)
        self.assertEqual(len(used), len(set(used)), "a file is used twice")
        there = {
            path.resolve() for path in FOLDER.rglob("*")
            if path.is_file() and path.name != "kustomization.yaml" and path not in SCRIPTS
        }
        self.assertEqual(there, set(used))

    def test_images_are_of_this_version_and_one(self):
        version = support.run(support.PROGRAM, "--version").split()[1]
        images = {container(built(name))["image"] for name in BUILT}
        self.assertEqual(images, {f"registry.example/icpgate:{version}"})


class Pods(unittest.TestCase):
    def test_they_may_do_little(self):
        for name in BUILT:
            with self.subTest(name=name):
                spec = pod(built(name))["spec"]
                one = container(built(name))
                self.assertIs(spec["automountServiceAccountToken"], False)
                # Variables of services would be taken for settings that are misspelt.
                self.assertIs(spec["enableServiceLinks"], False)
                self.assertIs(spec["securityContext"]["runAsNonRoot"], True)
                user = spec["securityContext"]["runAsUser"]
                self.assertEqual(user, spec["securityContext"]["fsGroup"])
                text = (support.DEPLOY / "container/Containerfile").read_text()
                self.assertIn(f"USER {user}:{user}", text)
                self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
                self.assertEqual(one["securityContext"], {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                })
                self.assertIn("memory", one["resources"]["limits"])
                self.assertEqual(set(one["resources"]["requests"]), {"cpu", "memory"})

    def test_secrets_come_by_reference(self):
        for name in BUILT:
            with self.subTest(name=name):
                kinds = {document["kind"] for document in built(name)}
                self.assertNotIn("Secret", kinds)
                for variable in container(built(name)).get("env", []):
                    self.assertIn("value", variable)
                    self.assertNotIn("://", variable["value"], "an address may hold a password")
                for volume in pod(built(name))["spec"]["volumes"]:
                    if "secret" in volume:
                        # The program warns of a key that more than one group may read.
                        self.assertEqual(volume["secret"]["defaultMode"], 0o440)

    def test_mounts_and_volumes_are_the_same(self):
        for name in BUILT:
            with self.subTest(name=name):
                mounted = {mount["name"] for mount in container(built(name))["volumeMounts"]}
                spec = workload(built(name))["spec"]
                claimed = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
                volumes = pod(built(name))["spec"]["volumes"]
                self.assertEqual(mounted, {volume["name"] for volume in volumes} | claimed)
                maps = {
                    document["metadata"]["name"] for document in built(name)
                    if document["kind"] == "ConfigMap"
                }
                named = {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
                self.assertEqual(named, maps)

    def test_the_two_set_ups_differ_in_the_store_alone(self):
        single, many = (container(built(name)) for name in BUILT[:2])
        for part in ("startupProbe", "readinessProbe", "livenessProbe", "ports", "resources"):
            self.assertEqual(single[part], many[part], part)
        single, many = (pod(built(name))["spec"] for name in BUILT[:2])
        for part in ("securityContext", "terminationGracePeriodSeconds", "serviceAccountName"):
            self.assertEqual(single[part], many[part], part)


class Settings(unittest.TestCase):
    def effective(self, name):
        """What holds in the pods, with their files put where the test may write."""
        folder = support.temporary(self)
        documents = built(name)
        given = {}
        for variable in container(documents).get("env", []):
            given[variable["name"]] = support.relocated(variable["value"], folder)
        for suffix, value in (("store/url", "postgres://u:p@db/i"), ("redis/urls", "redis://r:6379")):
            path = pathlib.Path(f"{folder}/run/secrets/icpgate/{suffix}")
            path.parent.mkdir(parents=True)
            path.write_text(value)
        text = configuration(documents)
        file = None
        if text is not None:
            file = folder / "icpgate.toml"
            file.write_text(support.relocated(text, folder))
        held = support.settings(file, **given)
        return {key: value.removeprefix(str(folder)) for key, value in held.items()}

    def test_they_are_taken_and_paths_are_mounted(self):
        for name in BUILT:
            with self.subTest(name=name):
                held = self.effective(name)
                mounts = {
                    mount["mountPath"]: mount for mount in container(built(name))["volumeMounts"]
                }
                paths = {key: value for key, value in held.items() if value.startswith("/")}
                self.assertGreater(len(paths), 1)
                for key, path in paths.items():
                    inside = [mount for mount in mounts if path.startswith(mount + "/")]
                    self.assertTrue(inside, f"{key} = {path} is not mounted")

    def test_flags_are_known_and_the_file_is_the_mounted_one(self):
        for name in BUILT:
            with self.subTest(name=name):
                arguments = container(built(name))["args"]
                self.assertEqual(support.unknown(arguments), [])
                mounts = {mount["mountPath"] for mount in container(built(name))["volumeMounts"]}
                for argument in arguments:
                    if argument.startswith("--config="):
                        self.assertIn(argument.removeprefix("--config="), mounts)

    def test_they_end_before_they_are_killed(self):
        for name in BUILT[:2]:
            with self.subTest(name=name):
                held = self.effective(name)
                drain = support.seconds(held["limits.drain_timeout"])
                grace = pod(built(name))["spec"]["terminationGracePeriodSeconds"]
                self.assertGreaterEqual(grace, drain + 10)
                self.assertLessEqual(support.seconds(held["limits.lame_duck"]) * 2, drain)
                probe = container(built(name))["readinessProbe"]
                unready = probe["periodSeconds"] * probe["failureThreshold"]
                self.assertGreater(support.seconds(held["limits.lame_duck"]), unready)

    def test_ports_are_those_of_the_program(self):
        for name in BUILT[:2]:
            with self.subTest(name=name):
                held = self.effective(name)
                ports = {port["name"]: port["containerPort"] for port in container(built(name))["ports"]}
                self.assertEqual(held["grpc.listen"], f"0.0.0.0:{ports['grpc']}")
                self.assertEqual(held["http.listen"], f"0.0.0.0:{ports['http']}")
                self.assertEqual(held["http.insecure"], "true")
                policy = only(built(name), "NetworkPolicy")["spec"]
                let_in = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
                self.assertEqual(let_in, set(ports.values()))

    def test_strangers_may_not_call(self):
        for name in BUILT[:2]:
            held = self.effective(name)
            self.assertEqual(held["grpc.insecure"], "false")
            for key in ("grpc.tls_cert_file", "grpc.client_ca_file", "auth.callers_file"):
                self.assertTrue(held[key], key)

    def mounted(self):
        """The configuration of a pod, with certificates, callers and the privacy key where it looks
        for them, in a folder of the test."""
        folder = support.temporary(self)
        made = support.secrets(folder) / "secrets"
        secrets = pathlib.Path(f"{folder}/run/secrets/icpgate")
        for name, source in (
            ("tls/tls.crt", "proxy.crt"),
            ("tls/tls.key", "proxy.key"),
            ("tls/ca.crt", "callers-ca.crt"),
            ("privacy/privacy.key", "privacy.key"),
        ):
            path = secrets / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made / source, path)
            # As Kubernetes mounts them for a group, where this user can make it so.
            path.chmod(0o440 if os.geteuid() == 0 else 0o400)
        documents = built("overlays/single-node")
        callers = pathlib.Path(f"{folder}/etc/icpgate/callers/callers.toml")
        callers.parent.mkdir(parents=True)
        callers.write_text(only(documents, "ConfigMap", "icpgate-callers")["data"]["callers.toml"])
        file = folder / "icpgate.toml"
        file.write_text(support.relocated(configuration(documents), folder))
        return folder, file

    def test_the_program_lets_the_callers_in(self):
        folder, file = self.mounted()
        ports = ["--set", "grpc.listen=0.0.0.0:0", "--set", "http.listen=127.0.0.1:0"]
        said = support.run(
            support.PROGRAM, "doctor", "--config", file, *ports,
            cwd=folder, env=support.environment(),
        )
        self.assertRegex(said, r"ok +callers")
        self.assertRegex(said, r"ok +privacy key")

    def test_the_probes_are_answered(self):
        folder, file = self.mounted()
        log = folder / "log"
        with open(log, "w") as said:
            server = subprocess.Popen(
                [
                    support.PROGRAM, "serve", "--config", file, "--set", "grpc.listen=127.0.0.1:0",
                    "--set", "http.listen=127.0.0.1:0", "--store-path", folder / "icpgate.sqlite",
                ],
                cwd=folder, env=support.environment(), stdout=said, stderr=said,
            )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        deadline = time.monotonic() + support.PATIENCE

        def wait(look):
            while not (seen := look()):
                self.assertIsNone(server.poll(), log.read_text())
                self.assertLess(time.monotonic(), deadline, log.read_text())
                time.sleep(0.02)
            return seen

        self.assertTrue(wait(lambda: re.search(r"serving gRPC on ", log.read_text())))
        address = wait(lambda: re.search(r"serving HTTP on ([0-9.:]+)", log.read_text()))[1]

        def status(path):
            connection = http.client.HTTPConnection(address, timeout=support.PATIENCE)
            connection.request("GET", path)
            with contextlib.closing(connection):
                return connection.getresponse().status

        one = container(built("overlays/single-node"))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = one[probe]["httpGet"]["path"]
            self.assertEqual(wait(lambda: status(path)), 200, probe)
        self.assertEqual(status("/metrics"), 200)
        # While it still takes calls, and is alive.
        server.terminate()
        ready = one["readinessProbe"]["httpGet"]["path"]
        wait(lambda: status(ready) == 503)
        self.assertEqual(status(one["livenessProbe"]["httpGet"]["path"]), 200)
        # A key as it is mounted is no reason to warn at every start.
        warned = [line for line in log.read_text().splitlines() if '"WARN"' in line]
        self.assertEqual([line for line in warned if "privacy.key" in line], [])


class Traffic(unittest.TestCase):
    def test_services_find_the_pods(self):
        for name in BUILT[:2]:
            documents = built(name)
            template = pod(documents)["metadata"]["labels"]
            ports = {port["name"] for port in container(documents)["ports"]}
            for document in documents:
                if document["kind"] != "Service":
                    continue
                spec = document["spec"]
                # Without an address of its own: calls, not connections, are to be balanced.
                self.assertEqual(spec["clusterIP"], "None")
                self.assertLessEqual(spec["selector"].items(), template.items())
                for port in spec["ports"]:
                    self.assertIn(port["targetPort"], ports)

    def test_no_service_finds_the_migration(self):
        template = pod(built("migrate"))["metadata"]["labels"]
        for document in built("overlays/highly-available"):
            if document["kind"] == "Service":
                self.assertFalse(document["spec"]["selector"].items() <= template.items())
        # The network lets it out to the database, though.
        policy = only(built("overlays/highly-available"), "NetworkPolicy")["spec"]
        self.assertLessEqual(policy["podSelector"]["matchLabels"].items(), template.items())

    def test_an_upgrade_takes_no_replica_away(self):
        documents = built("overlays/highly-available")
        spec = only(documents, "Deployment")["spec"]
        self.assertEqual(spec["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1})
        self.assertNotIn("replicas", spec, "the autoscaler and this would fight")
        scaler = only(documents, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual(scaler["scaleTargetRef"]["name"], "icpgate")
        self.assertGreaterEqual(scaler["minReplicas"], 3)
        template = pod(documents)["metadata"]["labels"]
        budget = only(documents, "PodDisruptionBudget")["spec"]
        self.assertLessEqual(budget["selector"]["matchLabels"].items(), template.items())
        for spread in pod(documents)["spec"]["topologySpreadConstraints"]:
            self.assertLessEqual(spread["labelSelector"]["matchLabels"].items(), template.items())


if __name__ == "__main__":
    unittest.main()
