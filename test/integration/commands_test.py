"""What the commands say and how they exit."""

import subprocess
import tempfile
import unittest

from harness import DEADLINE_S, GatewayTest, penstock


def run(*arguments):
    """The command's exit status, standard output and standard error."""
    done = subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout, done.stderr


class ServeTest(GatewayTest):
    def test_a_bind_address_that_cannot_be_listened_on_is_refused_at_start(self):
        for address, error in (
                ("foo", "--bind: must be an IPv4 or IPv6 address, got foo"),
                ("127.0.0.1:80", "--bind: must be an IPv4 or IPv6 address, got 127.0.0.1:80"),
                ("192.0.2.1", "--bind: must be an address of this machine, got 192.0.2.1")):
            with self.subTest(address), tempfile.TemporaryDirectory() as folder:
                admin = f"{self.addresses.take()}:0"
                status, _, err = run("serve", "-f", folder, "--admin", admin, "--bind", address)
                self.assertEqual(status, 1)
                self.assertIn(f"penstock serve: {error}", err)


if __name__ == "__main__":
    unittest.main()
