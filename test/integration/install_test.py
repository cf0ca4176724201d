"""What `make install` lays down, and what the binary writes of itself: manual, completions."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import DEADLINE_S, penstock


def output(*arguments, **options):
    return subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=True, **options).stdout


def commands():
    """The commands that `penstock --help` lists."""
    listed = output("--help").split("Subcommands:\n")[1]
    return re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE)


def long_flags(command):
    return set(re.findall(r"^ +(?:-\w,)?(--[a-z][a-z-]*)", output(command, "--help"), re.MULTILINE))


class ManualTest(unittest.TestCase):
    def test_every_command_and_flag_has_its_place(self):
        program = output("manual")
        self.assertIn("serve", commands())
        for command in commands():
            self.assertRegex(program, rf"(?m)^\.B {command.replace('-', '.*')}$")
            page = output("manual", command).replace("\\-", "-")
            self.assertTrue(page.startswith(f".TH PENSTOCK-{command.upper()} 1 "), page[:80])
            for flag in long_flags(command) - {"--help"}:
                self.assertIn(f"\\fB{flag}\\fR", page, command)

    def test_no_line_of_text_is_taken_for_a_request(self):
        for command in commands():
            for line in output("manual", command).splitlines():
                if line.startswith((".", "'")):
                    self.assertRegex(line, r"^\.(TH|SH|TP|B|BR|br|nf|fi)\b", command)


class CompletionTest(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last of `words`."""
        driver = ('eval "$1"; shift; COMP_WORDS=(penstock "$@"); COMP_CWORD=$#; _penstock; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", driver, "bash", output("completion", "bash"), *words],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        return set(done.stdout.split())

    def test_bash_offers_commands_flags_and_values(self):
        self.assertEqual(self.complete(""), set(commands()) | {"--help", "--version"})
        for command in commands():
            self.assertLessEqual(long_flags(command), self.complete(command, "--"), command)
        self.assertEqual(self.complete("serve", "--limit", "pipelined"), {"pipelined_bytes="})
        self.assertEqual(self.complete("sim", "--role", "p"), {"prefill"})
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "objects.yaml").touch()
            self.assertEqual(self.complete("serve", "-f", f"{folder}/ob"),
                             {f"{folder}/objects.yaml"})

    def test_zsh_has_the_same_flags(self):
        script = output("completion", "zsh")
        self.assertTrue(script.startswith("#compdef penstock\n"))
        for command in commands():
            self.assertIn(f"\n    '{command}:", script)
        for flag in long_flags("serve"):
            self.assertIn(flag, script)
        if shutil.which("zsh"):
            subprocess.run(["zsh", "-n"], input=script, text=True, check=True, timeout=DEADLINE_S)


class VersionTest(unittest.TestCase):
    def test_names_version_commit_and_compiler(self):
        self.assertRegex(output("--version"), r"^penstock \d+\.\d+\.\d+ "
                         r"\(commit ([0-9a-f]{7,}(-dirty)?|unknown), \w+ [\d.]+")


@unittest.skipUnless(shutil.which("cmake"), "cmake is not installed")
class InstallTest(unittest.TestCase):
    def test_everything_is_below_destdir_and_prefix(self):
        build = pathlib.Path(penstock()).parent
        if not (build / "cmake_install.cmake").exists():
            self.skipTest("the binary does not lie in its build folder")
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["cmake", "--install", build, "--prefix", "/opt/gw"], check=True,
                           env={**os.environ, "DESTDIR": root}, capture_output=True,
                           timeout=DEADLINE_S)
            found = {str(path.relative_to(root)) for path in pathlib.Path(root).rglob("*")
                     if path.is_file()}
            self.assertTrue(all(path.startswith("opt/gw/") for path in found), found)
            for wanted in ("bin/penstock", "share/man/man1/penstock.1",
                           "share/man/man1/penstock-serve.1",
                           "share/bash-completion/completions/penstock",
                           "share/zsh/vendor-completions/_penstock",
                           "lib/systemd/system/penstock.service",
                           "share/doc/penstock/examples/systemd/penstock.socket",
                           "share/doc/penstock/LICENSE",
                           "share/doc/penstock/examples/quickstart/pool.yaml"):
                self.assertIn(f"opt/gw/{wanted}", found)
            unit = pathlib.Path(root, "opt/gw/lib/systemd/system/penstock.service").read_text()
            self.assertIn("ExecStart=/opt/gw/bin/penstock serve ", unit)
            self.assertNotIn("@", unit.replace("@system-service", "").replace("@privileged", "")
                             .replace("@resources", ""))
            installed = pathlib.Path(root, "opt/gw/bin/penstock")
            self.assertEqual(subprocess.run([installed, "--version"], capture_output=True,
                                            text=True, check=True).stdout, output("--version"))


if __name__ == "__main__":
    unittest.main()
