"""The page's tests in Debian's Chromium.

`--suite=page` runs those against the fake server of this folder, `--suite=demo` those against `shiplog demo` of the
program that SHIPLOG_BIN names, `--suite=all` (the default) both. SHIPLOG_SCREENSHOTS names a folder to fill with pictures.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from fake_api import FakeShiplog  # noqa: E402

# A machine that does other work as well is slow, not wrong.
expect.set_options(timeout=30_000)


def pytest_addoption(parser):
    parser.addoption("--suite", choices=("page", "demo", "all"), default="all",
                     help="page: against the fake server; demo: against SHIPLOG_BIN's `demo`; all: both")


def pytest_configure(config):
    config.addinivalue_line("markers", "demo: needs the real server, named by SHIPLOG_BIN")


def pytest_collection_modifyitems(config, items):
    suite = config.getoption("--suite")
    if suite == "all":
        return
    wanted = [item for item in items if (item.get_closest_marker("demo") is not None) == (suite == "demo")]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


@pytest.fixture(scope="session")
def browser():
    program = os.environ.get("SHIPLOG_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        # No sandbox of its own: these tests also run as root in a container, and open only pages of this machine.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def fake():
    servers = []

    def make(**options):
        servers.append(FakeShiplog(**options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


class Watch:
    """What a page must never do, counted while the test runs."""

    def __init__(self):
        self.violations = []
        self.errors = []
        self.hosts = set()

    def attach(self, page):
        page.on("console", lambda message: self.violations.append(message.text)
                if re.search(r"Content Security Policy|Trusted ?(Type|HTML)|Refused to|violates", message.text) else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(re.sub(r"^(\w+://[^/]+).*", r"\1", request.url)))


@pytest.fixture
def opened(browser):
    """Opens pages: `opened(server, path, role=…, width=…, scheme=…)`. Afterwards none may have broken the policy, thrown, or asked another host."""
    contexts = []
    watch = Watch()
    allowed = set()

    def open_page(server, path=None, role=None, width=1280, height=860, scheme="light", context=None, **options):
        if context is None:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
            context.set_default_timeout(60_000)
            contexts.append(context)
        allowed.add(server.url)
        if role:
            answer = context.request.post(server.url + "/api/shiplog/v1/session", data={"token": server.token(role)},
                                          headers={"Origin": server.url})
            assert answer.ok, answer.text()
        page = context.new_page()
        watch.attach(page)
        if path is not None:
            page.goto(server.url + path)
        return page

    open_page.watch = watch
    yield open_page
    for context in contexts:
        context.close()
    assert watch.violations == []
    assert watch.errors == []
    assert {host for host in watch.hosts if not host.startswith(("data:", "about:", "blob:"))} <= allowed


@pytest.fixture
def axe():
    """Asserts that axe finds nothing on a page."""
    engine = Axe()

    def check(page, what):
        result = engine.run(page)
        assert result.violations_count == 0, what + "\n" + result.generate_report()

    return check


@pytest.fixture(scope="session")
def picture():
    folder = os.environ.get("SHIPLOG_SCREENSHOTS")

    def take(page, name):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / (name + ".png")))

    return take


class Demo:
    """`shiplog demo` of the real program, after it has told its story."""

    def __init__(self, data):
        program = os.environ.get("SHIPLOG_BIN")
        if not program:
            pytest.fail("SHIPLOG_BIN must name the shiplog program; --suite=page runs without it", pytrace=False)
        self.data = data
        self.lines = []
        self.process = subprocess.Popen([program, "demo", "--data", str(data), "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = threading.Event()
        self.url = None

        def read():
            for line in self.process.stdout:
                self.lines.append(line)
                match = re.search(r"http://127\.0\.0\.1:\d+", line)
                if match:
                    # The last one printed: earlier lines may name the embedded cluster's address.
                    self.url = match[0]
                    if "/" not in line.split(match[0])[1].strip().lstrip("/"):
                        found.set()
            found.set()

        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and self.process.poll() is None and not self.is_page():
            found.wait(0.2)
        if not self.is_page():
            self.stop()
            pytest.fail("shiplog demo printed no address of a page:\n" + "".join(self.lines[-60:]), pytrace=False)

    def is_page(self):
        """Whether the address printed last answers as Shiplog, and the demo's story is over."""
        import urllib.request
        for url in {self.url} - {None}:
            try:
                with urllib.request.urlopen(url + "/readyz", timeout=5) as answer:
                    return answer.status == 200 and (self.data / "tokens" / "admin").exists()
            except OSError:
                return False
        return False

    def token(self, _role):
        return (self.data / "tokens" / "admin").read_text().strip()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    server = Demo(tmp_path_factory.mktemp("demo") / "data")
    yield server
    server.stop()
