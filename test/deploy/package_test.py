"""The Debian package: what is in it, and that it runs from there. Skipped without debhelper."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from tree import ROOT


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False,
                          **options)


def wait_s(unit, name):
    return int(re.search(rf"^{name}=(\d+)$", unit, re.MULTILINE)[1])


@unittest.skipUnless(shutil.which("dh") and shutil.which("cmake"), "debhelper is not installed")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = pathlib.Path(os.environ["PENSTOCK"]).parent
        if not (build / "cmake_install.cmake").exists():
            raise unittest.SkipTest("the binary does not lie in its build folder")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        out = pathlib.Path(folder.name, "deb")
        made = run(ROOT / "tools/build-deb", build, out)
        assert made.returncode == 0, made.stderr
        (cls.package,) = out.glob("penstock_*.deb")
        cls.root = pathlib.Path(folder.name, "root")
        run("dpkg-deb", "-x", cls.package, cls.root).check_returncode()
        cls.unit = (cls.root / "lib/systemd/system/penstock.service").read_text()

    def test_it_depends_on_what_the_image_holds(self):
        depends = run("dpkg-deb", "-f", self.package, "Depends").stdout
        packages = re.search(r'PACKAGES="([^"]*)"', (ROOT / "tools/image-root").read_text())[1]
        self.assertEqual(set(re.findall(r"(?:^|, )(\S+)", depends)), set(packages.split()))

    def test_its_version_is_the_projects(self):
        version = re.search(r"project\(penstock VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertTrue(run("dpkg-deb", "-f", self.package, "Version").stdout
                        .startswith(f"{version}-"))

    def test_configuration_is_kept_at_an_upgrade(self):
        control = self.root.parent / "control"
        run("dpkg-deb", "-e", self.package, control).check_returncode()
        self.assertEqual((control / "conffiles").read_text().split(),
                         ["/etc/default/penstock", "/etc/penstock/gateway.yaml.example"])

    def test_the_example_is_served_once_it_is_copied(self):
        binary = self.root / "usr/bin/penstock"
        folder = self.root / "etc/penstock"
        self.assertNotIn("GatewayClass", run(binary, "check", folder).stdout)
        shutil.copy(folder / "gateway.yaml.example", folder / "gateway.yaml")
        self.addCleanup((folder / "gateway.yaml").unlink)
        said = run(binary, "check", "--strict", folder)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        self.assertIn("2 endpoints; nothing refused", said.stdout)

    def test_every_command_has_a_manual_page(self):
        pages = {path.name for path in (self.root / "usr/share/man/man1").iterdir()}
        self.assertIn("penstock.1.gz", pages)
        said = run(self.root / "usr/bin/penstock", "--help").stdout.split("Subcommands:\n")[1]
        for command in re.findall(r"^  ([a-z-]+)", said, re.MULTILINE):
            self.assertIn(f"penstock-{command}.1.gz", pages)

    def test_systemd_understands_the_unit(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is not installed")
        copy = self.root.parent / "penstock.service"
        copy.write_text(self.unit.replace("/usr/bin/penstock", f"{self.root}/usr/bin/penstock"))
        said = run("systemd-analyze", "verify", "--man=no", copy)
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_the_unit_may_listen_on_port_80_and_waits_for_the_drain(self):
        self.assertIn("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n", self.unit)
        self.assertIn("\nDynamicUser=yes\n", self.unit)
        self.assertIn("\nEnvironmentFile=-/etc/default/penstock\n", self.unit)
        drain = re.search(r"--drain-seconds INT[^=]*=(\d+)",
                          run(self.root / "usr/bin/penstock", "serve", "--help").stdout)[1]
        self.assertGreater(wait_s(self.unit, "TimeoutStopSec"), int(drain))


if __name__ == "__main__":
    unittest.main()
