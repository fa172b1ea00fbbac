"""What the tests of deploy/ share: the program under test, its settings, and places to work in."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROGRAM = os.environ["ICPGATE_TEST_PROGRAM"]

# Where secrets and configuration stand in what runs; tests put them elsewhere.
PLACES = ("/run/secrets", "/etc/icpgate", "/var/lib/icpgate")

# Far beyond what a command takes that does not hang.
PATIENCE = 60


def run(*command, **options):
    """Runs a command, and returns what it said; it fails where the command does."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        **options,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def temporary(test):
    """A folder that goes with the test."""
    folder = tempfile.mkdtemp()
    test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


def environment(**variables):
    """The environment without settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ICPGATE_")}
    return clean | variables


def settings(config=None, **variables):
    """The settings that hold, by key, with what is in the files of deploy/ given."""
    flags = ["--config", str(config)] if config else []
    with tempfile.TemporaryDirectory() as folder:
        said = run(
            PROGRAM, "config", "print", "--output", "json", *flags,
            cwd=folder, env=environment(**variables),
        )
    return {line["key"]: line["value"] for line in json.loads(said)}


@functools.cache
def variables():
    """The variables that the program knows, with their keys."""
    return {"ICPGATE_" + key.replace(".", "__").upper(): key for key in settings()}


@functools.cache
def flags(command):
    """The flags that a command of the program knows."""
    said = run(PROGRAM, command, "--help")
    return set(re.findall(r"--[a-z][a-z-]*", said))


def unknown(arguments):
    """What the program does not know of a command line."""
    command, *rest = arguments
    given = [argument.split("=")[0] for argument in rest if argument.startswith("--")]
    return [flag for flag in given if flag not in flags(command)]


def seconds(span):
    """A span as settings, systemd and Compose write it, in seconds."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}
    parts = re.findall(r"([0-9.]+)(ms|s|m|h|)", span)
    assert parts, span
    return sum(float(count) * units[unit] for count, unit in parts)


def secrets(folder):
    """Puts files where the deployments name some, below `folder`, in the forms they must have."""
    made = DEPLOY / "compose"
    place = folder / "compose"
    shutil.copytree(made, place, ignore=shutil.ignore_patterns("secrets", ".env"))
    run(place / "prepare", "gate.example", "10.0.0.5", cwd=folder)
    return place


def relocated(text, folder):
    """The text with the places of what runs moved below `folder`."""
    for place in PLACES:
        text = text.replace(place, str(folder) + place)
    return text
