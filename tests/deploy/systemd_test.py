"""The unit for systemd: taken by it, closed as far as it goes, and true to the program."""

import re
import unittest

import support

UNIT = support.DEPLOY / "systemd/icpgate.service"

# Tenths of what systemd calls exposure, from 0 to 100. What is left: it speaks to the network, and
# more than one machine of it.
EXPOSURE = 13


def values(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), flags=re.MULTILINE)


class Unit(unittest.TestCase):
    def test_systemd_takes_it_without_a_word(self):
        place = support.temporary(self) / "icpgate.service"
        # It looks whether the program is there.
        place.write_text(UNIT.read_text().replace("/usr/bin/icpgate", support.PROGRAM))
        done = support.run("systemd-analyze", "verify", "--man=no", place)
        self.assertEqual(done, "")

    def test_it_is_closed(self):
        # Fails where the unit is more exposed than that.
        support.run(
            "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", UNIT
        )

    def test_settings_and_flags_are_known(self):
        (start,) = values("ExecStart")
        program, *arguments = start.split()
        self.assertEqual(program, "/usr/bin/icpgate")
        self.assertEqual(support.unknown([word for word in arguments]), [])
        given = [assignment.split("=", 1)[0] for assignment in values("Environment")]
        self.assertEqual(given, ["ICPGATE_PRIVACY__KEY_FILE"])
        for name in given:
            self.assertIn(name, support.variables())

    def test_the_key_is_the_credential(self):
        (credential,) = values("LoadCredential")
        name, _ = credential.split(":")
        self.assertEqual(values("Environment"), [f"ICPGATE_PRIVACY__KEY_FILE=%d/{name}"])

    def test_it_ends_before_it_is_killed(self):
        drain = support.seconds(support.settings()["limits.drain_timeout"])
        (grace,) = values("TimeoutStopSec")
        self.assertGreaterEqual(support.seconds(grace), drain + 10)

    def test_a_wrong_configuration_is_not_tried_again(self):
        folder = support.temporary(self)
        (codes,) = values("RestartPreventExitStatus")
        codes = set(codes.split())
        for arguments in (["serve", "--wrong"], ["serve", "--set", "grpc.listen=wrong"]):
            with self.assertRaises(AssertionError) as ended:
                support.run(support.PROGRAM, *arguments, cwd=folder, env=support.environment())
            (code,) = re.findall(r"ended with (\d+)", str(ended.exception))
            self.assertIn(code, codes)


if __name__ == "__main__":
    unittest.main()
