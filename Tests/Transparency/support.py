"""A server, the independent program, and a meddler between the two."""

import concurrent.futures
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = os.environ.get("SHIPLOG_BIN", "")
SOURCES = Path(__file__).parent / "independent"


def build(folder):
    """Builds the independent program with the tree and the notes that the Go toolchain itself carries; no network."""
    root = Path(sysconfig.get_paths()["purelib"]) / "go"
    carried = root / "src/cmd/vendor/golang.org/x/mod/sumdb"
    folder = Path(folder)
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    for package in ["note", "tlog"]:
        shutil.copytree(carried / package, folder / "mod/sumdb" / package)
    (folder / "mod/go.mod").write_text("module golang.org/x/mod\n\ngo 1.26\n")
    (folder / "go.mod").write_text(
        "module independent\n\ngo 1.26\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./mod\n")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GOROOT": str(root), "GOPROXY": "off", "GOFLAGS": "-mod=mod",
        "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOCACHE": str(Path(sys.prefix) / "go-cache"),
    }
    done = subprocess.run(
        [str(root / "bin/go"), "build", "-o", "program", "."], cwd=folder, env=environment, capture_output=True,
        text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder / "program"


class Running:
    """A child that says where it listens."""

    def __init__(self, *arguments, environment, errors):
        self.errors = Path(errors)
        with open(self.errors, "a", encoding="utf8") as file:
            self.process = subprocess.Popen(
                list(map(str, arguments)), env=environment, stdout=subprocess.PIPE, stderr=file, text=True)
        self.said = []
        while True:
            line = self.process.stdout.readline()
            assert line, "it ended:\n" + "".join(self.said) + self.errors.read_text()
            self.said.append(line)
            found = re.match(r"listening on (http://\S+)", line)
            if found:
                self.url = found.group(1)
                return

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()


class Server:
    """A `shiplog serve --sandbox` on a data directory that outlives it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.chmod(0o700)
        self.data = self.directory / "data"
        self.errors = self.directory / "errors"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(directory)
        self.running = None

    def start(self, configuration=None):
        arguments = ["serve", "--sandbox", "--data", self.data, "--listen", "127.0.0.1:0"]
        if configuration is not None:
            # JSON is YAML.
            file = self.directory / "config.yaml"
            file.write_text(json.dumps(configuration))
            arguments += ["--config", file]
        self.running = Running(PROGRAM, *arguments, environment=self.environment, errors=self.errors)
        self.url = self.running.url
        self.environment["SHIPLOG_SERVER"] = self.url
        self.token = self.data / "tokens" / "admin"
        self.environment["SHIPLOG_TOKEN_FILE"] = str(self.token)
        return self

    def stop(self):
        if self.running:
            self.running.stop()

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + self.token.read_text().strip(), "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def append(self, count, prefix="robot"):
        """So many events at least."""
        def one(number):
            self.call("POST", "/api/shiplog/v1/tokens", {"name": f"{prefix}-{number}", "role": "viewer"})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(count)))

    def log(self):
        return self.call("GET", "/api/shiplog/v1/log")

    def settle(self):
        """Waits until the newest checkpoint covers every entry."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            log = self.log()
            if log["checkpoint"]["size"] == log["size"]:
                return log
            time.sleep(0.1)
        raise AssertionError(log)

    def export_key(self, *witnesses):
        path = self.directory / "keys"
        path.write_text(self.run("ledger", "key", "export") + "".join(key + "\n" for key in witnesses))
        return path

    def events(self, kind):
        return self.call("GET", f"/api/shiplog/v1/events?kind={kind}&limit=100")["items"]


class Meddler:
    """Stands between a reader and the server, and changes what a test wants changed."""

    def __init__(self, url):
        meddler = self
        self.url_behind = url
        self.change = lambda path, body: body

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                request = urllib.request.Request(
                    meddler.url_behind + self.path, headers={"Authorization": self.headers["Authorization"]})
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        status, body = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
                body = meddler.change(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
