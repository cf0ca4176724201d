"""`penstock top`: on a terminal, on a pipe, and when the gateway goes away."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import (DEADLINE_S, GatewayTest, Gateway, chat_answer, chat_body, free_port, penstock,
                     pool_of)


class Screen:
    """A program on a terminal of its own; `text` is what it has drawn last."""

    def __init__(self, arguments, columns=100, rows=30):
        self.master, terminal = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(terminal)
        self.terminal = terminal
        self.process = subprocess.Popen(arguments, stdin=terminal, stdout=terminal,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.all = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self):
        """The last whole picture, without what colours it."""
        pictures = self.all.split("\x1b[H")
        whole = [p for p in pictures[1:] if "\x1b[J" in p]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", whole[-1]) if whole else ""

    def until(self, reached, what):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if reached(self.text):
                return
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                self.all += os.read(self.master, 65536).decode()
        raise AssertionError(f"never saw {what}:\n{self.text!r}")

    def keys(self, keys):
        os.write(self.master, keys.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.terminal)


class TopTest(GatewayTest):
    def top(self, gateway, *arguments, **size):
        screen = Screen([penstock(), "top", "--admin",
                         f"{gateway.address}:{gateway.admin_port}", *arguments], **size)
        self.addCleanup(screen.close)
        return screen

    def test_a_terminal(self):
        servers = [self.model_server(chat_answer(), name=f"replica-{i}") for i in range(3)]
        gateway = self.gateway(pool_of(servers))
        screen = self.top(gateway)
        screen.until(lambda text: "replica-2" in text and "3/3" in text, "the endpoints")
        client = self.client(gateway)
        for _ in range(20):
            client.request("POST", "/v1/chat/completions", body=chat_body())
            client.read_response()
        screen.until(lambda text: re.search(r"requests/s +[1-9.]", text), "the rate")
        screen.keys("s")
        screen.until(lambda text: "by waiting" in text, "the other order")
        screen.resize(50, 12)
        os.kill(screen.process.pid, signal.SIGWINCH)
        screen.until(lambda text: len(text.split("\n")) == 12
                     and max(map(len, text.split("\n"))) <= 50, "the smaller picture")
        screen.keys("q")
        self.assertEqual(screen.process.wait(DEADLINE_S), 0)
        self.assertEqual(termios.tcgetattr(screen.terminal), screen.before)
        rest = screen.all
        while select.select([screen.master], [], [], 0)[0]:
            rest += os.read(screen.master, 65536).decode()
        self.assertIn("\x1b[?1049l", rest, "the screen is given back")

    def test_a_gateway_that_goes_and_comes_back(self):
        gateway = self.gateway([])
        screen = self.top(gateway, columns=160)
        screen.until(lambda text: "serving" in text, "the gateway")
        gateway.stop()
        screen.until(lambda text: "[" in text.split("\n")[0], "that it is gone")
        again = Gateway(gateway.address, [], admin_port=gateway.admin_port)
        self.addCleanup(again.stop)
        screen.until(lambda text: "serving" in text and "[" not in text.split("\n")[0],
                     "the next one")
        os.kill(screen.process.pid, signal.SIGTERM)
        self.assertEqual(screen.process.wait(DEADLINE_S), 0)

    def run_top(self, *arguments):
        done = subprocess.run([penstock(), "top", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_once_and_where_there_is_none(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer(), name="only")]))
        admin = f"{gateway.address}:{gateway.admin_port}"
        code, out, err = self.run_top("--once", "--admin", admin)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("only ", out)
        self.assertNotIn("\x1b", out)
        code, out, err = self.run_top("--admin", f"{gateway.address}:{free_port(gateway.address)}")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("Connection refused", err)
        code, out, err = self.run_top("--admin", f"{gateway.address}:{gateway.port}")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("answers 404", err)

    def test_lines_on_a_pipe_end_with_the_reader(self):
        gateway = self.gateway([])
        top = subprocess.Popen([penstock(), "top", "--interval", "1", "--admin",
                                f"{gateway.address}:{gateway.admin_port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(top.kill)
        for _ in range(2):
            self.assertRegex(top.stdout.readline(), r"requests/s .* endpoints ready")
        top.stdout.close()
        self.assertIn(top.wait(DEADLINE_S), (0, -signal.SIGPIPE))


if __name__ == "__main__":
    unittest.main()
