# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl exporter, asked by Prometheus and others."""
import contextlib
import http.client
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

from ctl import CTL, Loaded, ctl
from harness import main, need_program, run, until


class Exporter(Loaded):
    """Metrics for Prometheus."""

    def setUp(self):
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = free.getsockname()
        self.url = "http://%s:%d/metrics" % self.address

    @contextlib.contextmanager
    def serving(self, program):
        listen = "%s:%d" % self.address
        with subprocess.Popen([CTL, "exporter", "--name", program.name, "--listen", listen],
                              stdout=subprocess.PIPE, text=True) as exporter:
            try:
                self.assertTrue(exporter.stdout.readline().endswith(f" at {self.url}\n"))
                yield exporter
                exporter.terminate()
                self.assertEqual(exporter.wait(10), 0)
            finally:
                exporter.kill()

    def get(self, url=None, **headers):
        """Status, type and text."""
        request = urllib.request.Request(url or self.url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def test_scrape(self):
        """Both formats; what does not change is as the report has it."""
        with self.running() as program, self.serving(program):
            status, kind, text = self.get(Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
            self.assertEqual((status, kind), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
            self.assertTrue(text.endswith("\n# EOF\n"))
            self.assertIn("# TYPE spillway_packets_received counter\n", text)
            for accept, other in ("q=0", "text/plain"), ("q=0.000, text/plain;q=0.5", "text/plain"), ("q=0.05", "application"):
                self.assertTrue(self.get(Accept="application/openmetrics-text;" + accept)[1].startswith(other), accept)
            status, kind, text = self.get()
            self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
            self.assertIn("# TYPE spillway_packets_received_total counter\n", text)
            self.assertIn('\nspillway_ports_info{port="a",driver="net_pcap",link="up"} 1\n', text)
            self.assertEqual(self.get(self.url + "x")[::2], (404, "expected /metrics\n"))
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(self.url, data=b"x", timeout=20)
            self.assertEqual(refused.exception.code, 405)
            report = self.check(program.stop())
            status, _, said = self.get()
            self.assertEqual(status, 503)
            self.assertIn("/control: No such file or directory: expected the socket of a running spillway", said)
        values = dict(re.findall(r"^(spillway_\S+) (\S+)$", text, re.M))
        self.assertLessEqual(int(values["spillway_packets_received_total"]), report.packets["received"])
        self.assertEqual(values["spillway_flows_misses_total"], str(report["flows"]["misses"]))
        for rule in report["rules"]:
            name = f"{rule['file']}:{rule['line']}" if rule["line"] else "default"
            self.assertIn(f'spillway_rules_connections_total{{rule="{name}"}}', values)
        # Whatever the report has as a number is a metric, too.
        for family in "packets", "exits", "flows", "routing", "rule_log":
            for key in report[family]:
                self.assertTrue({f"spillway_{family}_{key}", f"spillway_{family}_{key}_total"} & set(values), key)

    def test_promtool(self):
        need_program("promtool")
        with self.running() as program:
            text = ctl(program, "metrics", "prometheus")
            self.check(program.stop())
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_prometheus(self):
        """Prometheus itself finds it up, and has its counters."""
        need_program("prometheus")
        self.file("prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: spillway, "
                  f"static_configs: [{{targets: ['%s:%d']}}]}}]\n" % self.address)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            api = "127.0.0.1:%d" % free.getsockname()[1]

        def value(query):
            with contextlib.suppress(OSError, ValueError):  # it starts
                told = json.loads(self.get(f"http://{api}/api/v1/query?query={query}")[2])
                return told["data"]["result"] and float(told["data"]["result"][0]["value"][1])

        with self.running() as program, self.serving(program), open(self.folder / "log", "w") as log:
            with subprocess.Popen(["prometheus", f"--config.file={self.folder}/prometheus.yml",
                                   f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address={api}"],
                                  stdout=log, stderr=log) as server:
                try:
                    until(lambda: value("up"), 60, "it is up")
                    until(lambda: value("spillway_packets_received_total"), 20, "it has counters")
                    self.assertGreater(value("spillway_latency_seconds_bucket{le=%22%2BInf%22}"), 0)
                finally:
                    server.terminate()
                    server.wait(20)
            self.check(program.stop())

    def test_hostile(self):
        """Who holds connections and says nothing, or too much, has no hold of others for long."""
        with self.running() as program, self.serving(program):
            silent = [socket.create_connection(self.address) for _ in range(40)]
            for connection in silent:
                self.addCleanup(connection.close)
            def served():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return self.get()[0] == 200
            until(served, 30, "others are served")
            for message in b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 100000, b"\0" * 100000, b"GET\r\n\r\n":
                with socket.create_connection(self.address) as connection, contextlib.suppress(ConnectionError):
                    connection.sendall(message)
                    connection.recv(1)
            self.assertEqual(self.get()[0], 200)
            self.check(program.stop())

    def test_where_to_listen(self):
        for listen, status, said in (("here", 2, "expected ADDRESS:PORT"), (":1", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:x", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:99999", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:0", 2, "expected ADDRESS:PORT"), ("127.0.0.1:", 2, "expected ADDRESS:PORT"),
                                     ("::1:9464", 2, "or [::1]:9464"), ("[127.0.0.1]:9464", 2, "expected ADDRESS:PORT"),
                                     ("192.0.2.1:9464", 1, "Cannot assign requested address")):
            done = run(CTL, "exporter", "--listen", listen, check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    main()
