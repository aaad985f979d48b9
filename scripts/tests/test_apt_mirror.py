# SPDX-License-Identifier: GPL-2.0
"""apt-mirror: the machine's own mirror and keyring, from both formats."""

import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "apt-mirror"


class MirrorAddressTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.etc = Path(folder.name)
        (self.etc / "sources.list.d").mkdir()
        (self.etc / "os-release").write_text('VERSION_CODENAME=bookworm\n')

    def run_script(self) -> subprocess.CompletedProcess:
        return subprocess.run([SCRIPT, "--etc", self.etc, "--os-release", self.etc / "os-release",
                               "--keyfile", self.etc / "key.asc", "new"],
                              check=False, capture_output=True, text=True)

    def line_of(self, name: str, text: str) -> str:
        (self.etc / name).write_text(text)
        return self.run_script().stdout

    def test_deb822(self) -> None:
        self.assertEqual(self.line_of("sources.list.d/debian.sources", """\
Types: deb
URIs: http://a.example/extra
Suites: nodistro
Components: main

# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/k.gpg
"""), "deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian new main\n")

    def test_embedded_key(self) -> None:
        line = self.line_of("sources.list.d/debian.sources", """\
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
""")
        self.assertIn(f"[signed-by={self.etc}/key.asc]", line)
        self.assertIn("BLOCK-----\n\nabc\n", (self.etc / "key.asc").read_text())

    def test_one_line(self) -> None:
        self.assertEqual(self.line_of("sources.list", """\
# deb http://no.example/debian bookworm main
deb-src http://no.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib # x
"""), "deb [signed-by=/k.gpg] http://mirror.example/debian/ new main\n")

    def test_one_line_without_options(self) -> None:
        self.assertEqual(self.line_of("sources.list", "deb http://m.example/debian bookworm main\n"),
                         "deb http://m.example/debian new main\n")

    def test_disabled_entry(self) -> None:
        self.line_of("sources.list.d/d.sources",
                     "Enabled: no\nTypes: deb\nURIs: http://m\nSuites: bookworm\nComponents: main\n")
        self.assertEqual(self.run_script().returncode, 1)

    def test_no_mirror_is_one_clear_line(self) -> None:
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("KDIR=", result.stderr)
