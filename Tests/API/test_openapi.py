"""schema/openapi.yaml against its own rules, and against a real server.

SHIPLOG_BIN names the program; it is started as `$SHIPLOG_BIN demo --data DIR --listen 127.0.0.1:0`.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance, response_schema_conformance, status_code_conformance)

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((ROOT / "schema" / "openapi.yaml").read_text())

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# How many requests each address gets, and so how long this takes.
EXAMPLES = int(os.environ.get("SHIPLOG_API_EXAMPLES", "12"))


class Server:
    """The demo after its last step: two good versions, a broken one, a rollback, a healed edit."""

    def __init__(self, directory):
        binary = os.environ.get("SHIPLOG_BIN")
        assert binary, "SHIPLOG_BIN must name the program that is to be tested"
        self.lines = []
        self.process = subprocess.Popen(
            [binary, "demo", "--data", str(directory / "data"), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        stopper = threading.Timer(240, self.process.kill)
        stopper.start()
        try:
            self.url = self.find(r"listening on (http://\S+)")
            self.token = pathlib.Path(self.find(r"administrator's token: (.+)")).read_text().strip()
        except BaseException:
            self.stop()
            raise
        finally:
            stopper.cancel()
        # Nobody reads on: a full pipe would stop the server.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def find(self, pattern):
        for line in self.process.stdout:
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match[1]
        raise AssertionError("the demo ended early:\n" + "".join(self.lines))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def request(self, method, path, body=None, token=True):
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, json.loads(data) if data and "json" in response.headers["Content-Type"] else data


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("shiplog"))
    yield running
    running.stop()


# A stream never ends; Tests/HTTPAPITests listens to it.
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/api/shiplog/v1/stream")


def test_the_document_is_openapi():
    validate(DOCUMENT)


def test_every_operation_has_a_name_of_its_own_and_a_problem():
    names = []
    for path, item in DOCUMENT["paths"].items():
        for verb, operation in item.items():
            if verb == "parameters":
                continue
            names.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["responses"]["default"]["$ref"].endswith("/Problem"), path
    assert len(names) == len(set(names))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck))
def test_the_server_does_what_the_document_says(case, server):
    """Whatever is asked, the answer is one the document describes, and never the server's own fault."""
    headers = {"Authorization": f"Bearer {server.token}"}
    if case.path == "/api/shiplog/v1/tokens/{id}":
        # Nothing that is generated is a token's id; the test's own must stay in any case.
        assert not server.token.startswith(f"shp_{case.path_parameters['id']}_")
    response = case.call(base_url=server.url, headers=headers)
    case.validate_response(response, checks=CHECKS)


def collect(server, path):
    """Every page's items."""
    items, cursor = [], None
    while True:
        status, page = server.request("GET", path + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200, page
        items += page["items"]
        cursor = page.get("nextCursor")
        if not cursor:
            return items


def test_what_the_demo_made_is_as_the_document_says(server):
    """Generated requests seldom hit what exists: each real object is held against its schema too."""
    import jsonschema

    def check(value, name):
        jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}).validate(value)

    base = "/api/shiplog/v1"
    applications = collect(server, base + "/applications?limit=2")
    assert applications
    for application in applications:
        check(application, "Application")
        place = base + "/applications/" + application["name"]
        check(server.request("GET", place)[1], "WholeApplication")
        for item in server.request("GET", place + "/resources")[1]["items"]:
            check(item, "Resource")
        for item in server.request("GET", place + "/diff")[1]["items"]:
            check(item, "ResourceDiff")
        status, plan = server.request("POST", place + "/sync", {"dryRun": True})
        assert status == 200, plan
        check(plan["plan"], "Plan")
        for candidate in server.request("GET", place + "/rollback-candidates")[1]["items"]:
            check(candidate, "Revision")
    revisions = collect(server, base + "/revisions?includeUnchanged=true&limit=7")
    assert {"sync", "rollback"} <= {revision["kind"] for revision in revisions}
    for revision in revisions:
        check(revision, "Revision")
        check(server.request("GET", f"{base}/revisions/{revision['sequence']}")[1], "WholeRevision")
    events = collect(server, base + "/events?limit=7")
    for event in events:
        check(event, "Event")
        check(server.request("GET", f"{base}/events/{event['sequence']}")[1], "Event")
    numbers = sorted(row["sequence"] for row in revisions + events)
    assert numbers[:20] == list(range(1, 21)), "the log has no gap and tells everything"
    check(server.request("GET", base + "/me")[1], "Me")
    check(server.request("GET", base + "/system")[1], "System")
    for token in server.request("GET", base + "/tokens")[1]["items"]:
        check(token, "Token")


def test_sigterm_ends_it_with_zero(server):
    """After everything that was sent to it."""
    status, _ = server.request("GET", "/healthz", token=False)
    assert status == 200
    assert server.stop() == 0
