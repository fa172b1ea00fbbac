"""The container file: what goes into the image runs there, as a user of its own."""

import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

import support

FILE = support.DEPLOY / "container/Containerfile"

USER = 65532


def inside(root, *command, **options):
    """The command in the root, as its user; without the rights of root as root of a user space."""
    if os.geteuid() == 0:
        enter = [shutil.which("chroot"), f"--userspec={USER}:{USER}", "--groups="]
    else:
        enter = [shutil.which("unshare"), "--map-root-user", shutil.which("chroot")]
    return subprocess.Popen([*enter, str(root), *command], env={}, **options)


class Root(unittest.TestCase):
    def setUp(self):
        self.root = support.temporary(self) / "rootfs"
        support.run(support.DEPLOY / "container/rootfs", support.PROGRAM, self.root)
        # As the second COPY does.
        home = self.root / "var/lib/icpgate"
        home.mkdir()
        if os.geteuid() == 0:
            for path in (self.root.parent, self.root):
                path.chmod(0o755)
            os.chown(home, USER, USER)

    def test_there_is_nothing_else(self):
        files = {
            str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()
        }
        programs = {name for name in files if os.access(self.root / name, os.X_OK)}
        libraries = {name for name in files if re.search(r"\.so(\.[0-9]+)*$", name)}
        self.assertEqual(programs - libraries, {"usr/bin/icpgate"})
        self.assertLess(len(libraries), 8, libraries)
        self.assertEqual(files - programs - libraries, {
            "etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt",
        })
        for path in self.root.rglob("*"):
            self.assertFalse(path.is_symlink(), path)

    def test_the_program_runs_and_is_ready(self):
        log = self.root.parent / "log"
        with open(log, "w") as said:
            server = inside(
                self.root, "/usr/bin/icpgate", "serve", "--grpc-listen", "127.0.0.1:0",
                "--http-listen", "127.0.0.1:0",
                "--set", "store.path=/var/lib/icpgate/icpgate.sqlite",
                "--set", "privacy.key_file=/var/lib/icpgate/privacy.key",
                stdout=said, stderr=said,
            )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        address = None
        deadline = time.monotonic() + support.PATIENCE
        while address is None:
            self.assertIsNone(server.poll(), log.read_text())
            self.assertLess(time.monotonic(), deadline, log.read_text())
            found = re.search(r"serving gRPC on (\S+)", log.read_text())
            address = found and found[1]
            time.sleep(0.02)
        probe = inside(
            self.root, "/usr/bin/icpgate", "health", "--server", f"http://{address}",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        said, _ = probe.communicate(timeout=support.PATIENCE)
        self.assertEqual((probe.returncode, said), (0, "SERVING\n"))
        server.terminate()
        self.assertEqual(server.wait(support.PATIENCE), 0)
        key = self.root / "var/lib/icpgate/privacy.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)


class File(unittest.TestCase):
    def sources(self):
        for line in FILE.read_text().splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                yield from line.split()[1:-1]

    def test_what_is_copied_is_a_package(self):
        folder = support.temporary(self)
        for source in self.sources():
            path = support.ROOT / source
            if path.is_dir():
                ignore = shutil.ignore_patterns("target")
                shutil.copytree(path, folder / source, ignore=ignore)
            else:
                (folder / source).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / source)
        support.run(
            "cargo", "metadata", "--locked", "--no-deps", "--format-version", "1", cwd=folder
        )
        # Texts that are compiled in come along too.
        for source in folder.rglob("*.rs"):
            for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
                self.assertTrue((source.parent / name).exists(), f"{source}: {name}")

    def test_what_is_copied_is_not_ignored(self):
        for ignore in (".containerignore", ".dockerignore"):
            lines = (support.ROOT / ignore).read_text().split()
            self.assertEqual(lines[0], "*")
            taken = [line.removeprefix("!") for line in lines if line.startswith("!")]
            for source in self.sources():
                self.assertTrue(any(fnmatch.fnmatch(source, line) for line in taken), source)

    def test_it_runs_as_a_user_and_says_how_it_is(self):
        text = FILE.read_text()
        last = text.split("\nFROM ")[-1]
        self.assertIn(f"\nUSER {USER}:{USER}\n", last)
        (probe,) = re.findall(r'CMD \["/usr/bin/icpgate", "([a-z]+)"\]', last)
        self.assertEqual(support.unknown([probe]), [])
        (begin,) = re.findall(r'^CMD \["([a-z]+)"\]$', last, flags=re.MULTILINE)
        self.assertEqual(support.unknown([begin]), [])
        self.assertIn('ENTRYPOINT ["/usr/bin/icpgate"]', last)
        # One image is built on, by a tag that names a version.
        self.assertRegex(text, r"\nARG BUILDER=docker\.io/library/rust:[0-9]+\.[0-9]+\.[0-9]+-slim-")
        rust = re.search(r"rust:([0-9]+)\.([0-9]+)", text)
        least = re.search(r'rust-version = "([0-9]+)\.([0-9]+)', (support.ROOT / "Cargo.toml").read_text())
        numbers = [tuple(int(part) for part in found.groups()) for found in (rust, least)]
        self.assertGreaterEqual(numbers[0], numbers[1])


if __name__ == "__main__":
    unittest.main()
