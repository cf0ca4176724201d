"""The folders of examples/ as their users have them."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from harness.wait import DEADLINE_S

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"


def example_folders():
    return [folder for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir()]


@contextlib.contextmanager
def made_example(folder):
    """The folder itself, or a copy of it with the certificates that its script makes."""
    if not (folder / "make-certificates").exists():
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / folder.name
        shutil.copytree(folder, copy)
        subprocess.run([copy / "make-certificates"], check=True, timeout=DEADLINE_S)
        yield copy
