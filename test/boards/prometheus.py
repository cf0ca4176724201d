"""Debian's Prometheus, as a child process."""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from harness import DEADLINE_S, eventually
from harness.gateway import _die_with_parent

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy/prometheus"


class Prometheus:
    """With deploy/prometheus/prometheus.yaml, but for its targets, and all each second."""

    def __init__(self, folder, address, port, targets):
        config = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / name) for name in config["rule_files"]]
        del config["alerting"]
        (job,) = config["scrape_configs"]
        job["static_configs"][0]["targets"] = targets
        path = pathlib.Path(folder) / "prometheus.yaml"
        path.write_text(yaml.safe_dump(config))
        self.url = f"http://{address}:{port}"
        self.log = open(os.path.join(folder, "prometheus.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={address}:{port}", "--log.level=warn"],
            stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        eventually(self._is_ready, "Prometheus is ready")

    def _is_ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"prometheus ended: {self.log.read()}")
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **fields):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(fields, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{fields}: {e.read().decode()}") from None

    def values(self, query):
        """Those of the series that a query gives now, NaN among them."""
        data = self.ask("query", query=query)
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        return [float(series["value"][1]) for series in data["result"]]

    def label_values(self, metric, label):
        return sorted({series[label] for series in self.ask("series", **{"match[]": metric})
                       if label in series})

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
