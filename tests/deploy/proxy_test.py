"""The proxy of the Compose set-up: a real nginx before two real replicas."""

import concurrent.futures
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import unittest

import grpc
import support

CHECK = "/icpgate.v1.ProvisioningService/CheckProvisioning"
HEALTH = "/grpc.health.v1.Health/Check"
PUT = "/icpgate.v1.RecordService/PutRecords"

# What clients are told to do: a check that met a connection that had just been closed is asked once
# more. nginx cannot do it for them; it does not keep what it has sent.
ONCE_MORE = json.dumps({"methodConfig": [{
    "name": [{"service": "icpgate.v1.ProvisioningService"}],
    "retryPolicy": {
        "maxAttempts": 2,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.05s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    },
}]})


def question(domain):
    """`CheckProvisioningRequest`: the domain, a CDN order, in the mainland."""
    name = domain.encode()
    return b"\x0a" + bytes([len(name)]) + name + b"\x10\x01\x18\x01"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Replica:
    """A server of its own, with the sample's records."""

    def __init__(self, test):
        self.folder = support.temporary(test)
        self.log = self.folder / "log"
        with open(self.log, "w") as said:
            self.process = subprocess.Popen(
                [
                    support.PROGRAM, "serve", "--sample", "--grpc-listen", "127.0.0.1:0",
                    "--http-listen", "127.0.0.1:0", "--set", "limits.lame_duck=1s",
                ],
                cwd=self.folder, env=support.environment(), stdout=said, stderr=said,
            )
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        deadline = time.monotonic() + support.PATIENCE
        while True:
            found = re.search(r"serving gRPC on (\S+)", self.log.read_text())
            if found:
                self.address = found[1]
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)


class Proxy(unittest.TestCase):
    def setUp(self):
        self.folder = support.temporary(self)
        self.replicas = [Replica(self), Replica(self)]
        self.secrets = support.secrets(self.folder) / "secrets"
        self.port = free_port()
        self.log = self.folder / "calls"
        text = (support.DEPLOY / "compose/nginx.conf").read_text()
        inside = re.findall(r"server (10\.[0-9.]+:50051) ", text)
        for address, replica in zip(inside, self.replicas, strict=True):
            text = text.replace(address, replica.address)
        text = text.replace(" /tmp/", f" {self.folder}/")
        text = text.replace("/run/secrets", str(self.secrets))
        text = text.replace("listen 50051", f"listen 127.0.0.1:{self.port}")
        said = f"log_format replica '$upstream_addr'; access_log {self.log} replica;"
        self.assertIn("access_log off;", text)
        text = text.replace("access_log off;", said)
        file = self.folder / "nginx.conf"
        file.write_text(text)
        said = self.folder / "errors"
        # As root, its workers would be of another user, who may not read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        with open(said, "w") as errors:
            nginx = subprocess.Popen(
                ["nginx", "-c", str(file), "-p", str(self.folder), "-g", f"daemon off; {user}"],
                stdout=errors, stderr=errors,
            )
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.terminate)
        deadline = time.monotonic() + support.PATIENCE
        while True:
            self.assertIsNone(nginx.poll(), said.read_text())
            self.assertLess(time.monotonic(), deadline, said.read_text())
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.02)
        self.channel = self.connect("caller")

    def connect(self, name):
        read = lambda file: pathlib.Path(self.secrets / file).read_bytes()
        own = {}
        if name:
            own = {"private_key": read(f"{name}.key"), "certificate_chain": read(f"{name}.crt")}
        credentials = grpc.ssl_channel_credentials(read("callers-ca.crt"), **own)
        # Whatever proxy the machine has for the web is none for this.
        options = [("grpc.enable_http_proxy", 0), ("grpc.service_config", ONCE_MORE)]
        channel = grpc.secure_channel(f"localhost:{self.port}", credentials, options)
        self.addCleanup(channel.close)
        return channel

    def call(self, method, request, channel=None):
        calling = (channel or self.channel).unary_unary(method)
        return calling(request, timeout=support.PATIENCE, wait_for_ready=False)

    def refused(self, method, request=b"", channel=None):
        with self.assertRaises(grpc.RpcError) as ended:
            self.call(method, request, channel)
        return ended.exception.code()

    def asked(self):
        """How many calls each replica had."""
        lines = self.log.read_text().split("\n")
        return [lines.count(replica.address) for replica in self.replicas]

    def test_calls_of_one_connection_go_to_the_replicas_in_turns(self):
        self.assertEqual(self.call(HEALTH, b""), b"\x08\x01")
        for number in range(100):
            self.assertIn(b"sample-shop.cn", self.call(CHECK, question("www.sample-shop.cn")), number)
        deadline = time.monotonic() + support.PATIENCE
        while sum(self.asked()) < 101:
            self.assertLess(time.monotonic(), deadline, self.asked())
            time.sleep(0.02)
        for count in self.asked():
            self.assertGreaterEqual(count, 40, self.asked())

    def test_no_call_is_lost_when_a_replica_ends(self):
        ended = threading.Event()
        answered = []

        def ask():
            after = 0
            # Some calls after the end too: on connections to the replica that is gone.
            while after < 25:
                self.call(CHECK, question("www.sample-shop.cn"))
                answered.append(None)
                after += ended.is_set()

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            running = [threads.submit(ask) for _ in range(8)]
            try:
                deadline = time.monotonic() + support.PATIENCE
                while len(answered) < 80:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                self.replicas[0].process.terminate()
                self.assertEqual(self.replicas[0].process.wait(support.PATIENCE), 0)
            finally:
                ended.set()
            for one in running:
                one.result(support.PATIENCE)
        # With neither the caller is told to come back, and not that the domain may not be served.
        self.replicas[1].process.terminate()
        self.replicas[1].process.wait(support.PATIENCE)
        code = self.refused(CHECK, question("www.sample-shop.cn"))
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)

    def test_records_are_not_written_through_it(self):
        self.assertEqual(self.refused(PUT), grpc.StatusCode.PERMISSION_DENIED)
        code = self.refused("/icpgate.v1.RecordService/ImportRecords")
        self.assertEqual(code, grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(self.asked(), [0, 0])

    def test_strangers_are_not_answered(self):
        stranger = self.connect(None)
        self.assertNotEqual(self.refused(HEALTH, channel=stranger), grpc.StatusCode.OK)
        self.assertEqual(self.asked(), [0, 0])


if __name__ == "__main__":
    unittest.main()
