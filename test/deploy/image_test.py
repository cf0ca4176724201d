"""What the container image holds: all that the binary is linked with, and no shell."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from tree import ROOT


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          **options)


def owner(library):
    """The package that a library of this machine is from."""
    # /lib is a link to /usr/lib; dpkg knows a file by the one name or by the other.
    for path in (library, "/usr" + library, library.removeprefix("/usr")):
        found = run("dpkg-query", "-S", path)
        if found.returncode == 0:
            return found.stdout.partition(":")[0]
    raise AssertionError(f"{library} is of no package")


@unittest.skipUnless(shutil.which("dpkg-query") and shutil.which("strip"), "this is not Debian")
class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name) / "image"
        made = run(ROOT / "tools/image-root", os.environ["PENSTOCK"], cls.root)
        assert made.returncode == 0, made.stderr

    def test_it_has_just_the_packages_that_the_binary_is_linked_with(self):
        linked = re.findall(r"(/\S+) \(0x", run("ldd", os.environ["PENSTOCK"]).stdout)
        wanted = {owner(os.path.realpath(path)) for path in linked}
        there = {path.name for path in (self.root / "var/lib/dpkg/status.d").iterdir()}
        self.assertEqual(there, wanted)
        for package in there:
            self.assertTrue((self.root / f"usr/share/doc/{package}/copyright").stat().st_size)

    def test_it_has_one_program(self):
        programs = [path.name for path in self.root.rglob("*") if os.access(path, os.X_OK)
                    and path.is_file() and ".so" not in path.name]
        self.assertEqual(programs, ["penstock"])

    def test_the_program_runs_there_as_the_user_that_the_image_has(self):
        examples = self.root / "tmp/quickstart"
        shutil.copytree(ROOT / "examples/quickstart", examples)
        self.addCleanup(shutil.rmtree, examples)
        user = re.search(r"^USER (\S+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)[1]
        chroot = ["chroot", f"--userspec={user}", self.root]
        if os.geteuid() != 0:
            chroot = ["unshare", "--map-root-user", "chroot", self.root]
        said = run(*chroot, "/usr/bin/penstock", "check", "/tmp/quickstart",
                   env={"PATH": os.environ["PATH"]})
        if "unshare: " in said.stderr:
            self.skipTest(said.stderr.strip())
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        self.assertIn("InferencePool", said.stdout)

    def test_authorities_are_where_they_are_looked_for(self):
        files = (ROOT / "src/tls/trust.cc").read_text()
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        self.assertIn(f'"{bundle}"', files)
        self.assertIn("BEGIN CERTIFICATE", (self.root / bundle[1:]).read_text())


if __name__ == "__main__":
    unittest.main()
