"""Every setting that is named anywhere in deploy/ is one of the program."""

import re
import unittest

import support

# Read by scripts of deploy/, and not by the program.
OF_SCRIPTS = {"ICPGATE_IMAGE", "ICPGATE_USER", "ICPGATE_PUBLISH"}


class Settings(unittest.TestCase):
    def test_every_variable_is_known(self):
        named = 0
        for path in sorted(support.DEPLOY.rglob("*")):
            if not path.is_file() or "secrets" in path.parts or path.name == ".env":
                continue
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r"\bICPGATE_[A-Z0-9_]+", text):
                if name in OF_SCRIPTS or name == "ICPGATE_SECTION__KEY":
                    continue
                named += 1
                with self.subTest(path=path.relative_to(support.ROOT), name=name):
                    self.assertIn(name, support.variables())
        self.assertGreater(named, 10, "they were not found")

    def test_every_key_in_comments_is_known(self):
        keys = set(support.variables().values())
        sections = {key.split(".")[0] for key in keys}
        for path in sorted(support.DEPLOY.rglob("*")):
            if not path.is_file() or "secrets" in path.parts or path.name == ".env":
                continue
            for name in re.findall(r"`([a-z]+\.[a-z_]+)`", path.read_text(encoding="utf-8")):
                if name.split(".")[0] in sections:
                    with self.subTest(path=path.relative_to(support.ROOT), name=name):
                        self.assertIn(name, keys)

    def test_the_guides_name_settings_that_there_are(self):
        keys = set(support.variables().values())
        sections = {key.split(".")[0] for key in keys} - {"policy", "records"}
        guides = ["DEPLOYING", "UPGRADING", "BACKUP", "CAPACITY"]
        for guide in guides:
            text = (support.ROOT / f"docs/{guide}.md").read_text(encoding="utf-8")
            for name in re.findall(r"`([a-z]+\.[a-z_]+)`", text):
                if name.split(".")[0] in sections and name.split(".")[1] not in ("md", "toml", "key"):
                    with self.subTest(guide=guide, name=name):
                        self.assertIn(name, keys)
            for name in re.findall(r"\bICPGATE_[A-Z0-9_]+", text):
                if name not in OF_SCRIPTS:
                    with self.subTest(guide=guide, name=name):
                        self.assertIn(name, support.variables())

    def test_what_is_unknown_would_be_found(self):
        self.assertNotIn("ICPGATE_STORE__PASSWORD", support.variables())
        self.assertEqual(support.unknown(["serve", "--no-migrate", "--no-migrat"]), ["--no-migrat"])


if __name__ == "__main__":
    unittest.main()
