"""A server that answers as Shiplog's does, from memory: the peer of the page's own tests.

Tests reach into it: they make history, cut streams, and have requests fail. It serves `web/` with the policy the real
server sends. `python fake_api.py PORT` runs it for looking at the page by hand (tokens: viewer, deployer, auditor, admin).
"""

import json
import mimetypes
import queue
import re
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import fake_data
import fake_past
from fake_data import Data, diff_sets, manifests

WEB = Path(__file__).resolve().parents[2] / "web"
PREFIX = "/api/shiplog/v1"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
          "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
PAGES = re.compile(r"^/(apps(/.*)?|history|at|revisions/\d+|audit|events|login)?$")


class Refusal(Exception):
    def __init__(self, status, code, detail, hint=None):
        self.status = status
        self.problem = {"type": "urn:shiplog:problem:" + code, "title": detail, "status": status, "detail": detail, "code": code,
                        "instance": "req-" + secrets.token_hex(4)}
        if hint:
            self.problem["hint"] = hint


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A browser that leaves a page cuts its connections; anything else is this file's fault and should be seen.
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionResetError, ValueError)):
            super().handle_error(request, client_address)


class FakeShiplog:
    """One server. Reading needs no token unless `guarded`."""

    def __init__(self, guarded=False, web=WEB, **data):
        self.data = Data(**data)
        self.guarded = guarded
        self.web = web
        self.tokens = {role: {"name": role.title() + " Person", "role": role} for role in ("viewer", "deployer", "auditor", "admin")}
        self.sessions = {}
        self.token = lambda role: role     # the roles are their own tokens
        self.streams = []
        self.refuse_streams = False
        self.faults = []           # (method, pattern of the path, status or None for a cut connection, problem's code)
        self.requests = []         # (method, path with query, body)
        self.stream_starts = []    # (after, Last-Event-ID)
        self.operations = {}
        self.fleets = {}           # by group
        self.plan_moved = False    # whether a plan is refused when it is to be carried out
        self.plan_extra = {}       # merged into the plans
        self.delay = 0.0           # before each answer
        self.operation_seconds = 0.2
        self.lock = threading.RLock()
        handler = type("Handler", (Handler,), {"fake": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.drop_streams()
        self.server.shutdown()
        self.server.server_close()

    # -- what tests do to it

    def publish(self, kind, value, sequence=None):
        with self.lock:
            for stream in self.streams:
                stream.put((kind, value, sequence))

    def happen(self, name, version=99, **fields):
        """A revision, as if it had just been recorded."""
        with self.lock:
            revision = self.data.add_revision(name, version, **fields)
            self.publish("revision", brief(revision), revision["sequence"])
            self.publish("application", self.data.public(name))
        return revision

    def drop_streams(self):
        with self.lock:
            for stream in self.streams:
                stream.put(None)

    def resync(self):
        with self.lock:
            for stream in self.streams:
                stream.put(("resync", {}, None))
                stream.put(None)

    def fault(self, method, pattern, status, code="server.failed"):
        self.faults.append((method, re.compile(pattern), status, code))

    # -- operations

    def plan(self, name, body, kind):
        application = self.data.applications[name]
        current = manifests(name, application["version"])
        if kind == "rollback":
            sequence = body.get("to", {}).get("sequence")
            if sequence not in self.data.revisions:
                raise Refusal(404, "rollback.no-target", "There is no revision with that number", "Choose one of the candidates.")
            version_of = next(v for v in range(1, 500) if fake_data.digest(manifests(name, v)) == self.data.revisions[sequence]["desired"])
        else:
            version_of = application["version"] + 1
        target = manifests(name, version_of)
        diff = diff_sets(current, target)
        prune = body.get("prune", True)
        action = {"added": "create", "changed": "update", "same": "unchanged", "removed": "prune" if prune else "leftover"}
        changes = [{**{key: one[key] for key in ("group", "kind", "namespace", "name")}, "apiVersion": "v1", "action": action[one["change"]], "wave": 0}
                   for one in diff]
        plan = {"desired": fake_data.digest(target), "source": {**application["source"], "commit": self.data.commit(name, version_of)},
                "notes": [], "changes": changes, "warnings": [], "secrets": [], "diff": diff}
        if kind == "rollback":
            plan["target"] = sequence
            plan["notes"].append(f"Revision #{sequence} is {application['version'] - version_of} deployments back.")
        for key, value in self.plan_extra.items():
            if key == "changes" and body.get("replace"):
                value = [{**one, "action": "update"} for one in value]
            plan[key] = plan[key] + value if isinstance(value, list) else value
        return plan, version_of

    def operate(self, name, body, kind, who):
        with self.lock:
            if kind == "rollback" and not body.get("reason"):
                raise Refusal(422, "rollback.reason-missing", "A rollback needs a reason", "Say why; it is kept with the revision.")
            plan, version = self.plan(name, body, kind) if kind != "refresh" else ({}, None)
            destructive = [one for one in plan.get("changes", []) if one["action"] == "prune" and one["kind"] == "PersistentVolumeClaim"]
            if destructive and not body.get("confirmDestructive"):
                raise Refusal(409, "plan.destructive", "It removes a PersistentVolumeClaim and that was not confirmed")
            operation = {"id": secrets.token_hex(6), "kind": kind, "application": name, "actor": {"name": who["name"], "means": "session"},
                         "requestedAt": fake_data.stamp(fake_data.datetime.now(fake_data.timezone.utc)), "state": "queued"}
            self.operations[operation["id"]] = operation

        def run():
            time.sleep(self.operation_seconds / 2)
            operation["state"] = "running"
            time.sleep(self.operation_seconds / 2)
            with self.lock:
                application = self.data.applications[name]
                if kind == "refresh":
                    operation.update(state="finished", revision=application["lastRevision"], outcome="succeeded")
                    return
                if kind == "rollback":
                    target = self.data.revisions[body["to"]["sequence"]]
                    application["pin"] = {"hold": body.get("hold", "until-new-commit"), "target": target["sequence"],
                                          "commit": target["source"]["commit"]["id"], "desired": target["desired"], "rejected": []}
                else:
                    application.pop("pin", None)
                revision = self.happen(name, version, kind=kind, cause="manual", actor=who["name"], reason=body.get("reason"), ticket=body.get("ticket"),
                                       rolled_back_to=body["to"]["sequence"] if kind == "rollback" else None,
                                       options={key: body[key] for key in ("prune", "hold", "keepSecrets", "replace") if body.get(key)})
                operation.update(state="finished", revision=revision["sequence"], outcome="succeeded")

        threading.Thread(target=run, daemon=True).start()
        return operation


def brief(revision):
    return {key: value for key, value in revision.items() if key != "resources"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def do_DELETE(self):
        self.answer("DELETE")

    def answer(self, method):
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        body = json.loads(raw) if raw else {}
        path = unquote(parts.path)
        if not path.startswith(PREFIX):
            return self.serve_file(path)
        self.fake.requests.append((method, self.path, body))
        if self.fake.delay:
            time.sleep(self.fake.delay)
        try:
            for fault_method, pattern, status, code in self.fake.faults:
                if fault_method == method and pattern.search(self.path):
                    if status is None:
                        self.close_connection = True
                        self.connection.close()
                        return None
                    raise Refusal(status, code, "The server was told to refuse this", "Wait, then try again.")
            return self.api(method, path[len(PREFIX):], parse_qs(parts.query), body)
        except Refusal as refusal:
            return self.send(refusal.status, refusal.problem, "application/problem+json")
        except (BrokenPipeError, ConnectionResetError):
            return None

    def send(self, status, value, kind="application/json", headers=()):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if value is not None:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def serve_file(self, path):
        file = self.fake.web / ("index.html" if PAGES.match(path) else path.lstrip("/"))
        if ".." in path or not file.is_file():
            return self.send(404, {"title": "Not found"})
        data = file.read_bytes()
        self.send_response(200)
        kind = {".js": "text/javascript"}.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.send_header("Content-Type", kind + ("; charset=utf-8" if kind.startswith("text/") else ""))
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(data)

    def who(self):
        cookie = re.search(r"shiplog_session=(\w+)", self.headers.get("Cookie", ""))
        return self.fake.sessions.get(cookie[1]) if cookie else None

    def need(self, *roles):
        person = self.who()
        if person is None:
            raise Refusal(401, "session.missing", "This needs a token", "Sign in.")
        if person["role"] not in roles:
            raise Refusal(403, "role.insufficient", "Your role does not allow this", "Ask for a token with the role " + roles[0] + ".")
        return person

    def api(self, method, path, query, body):
        fake, data = self.fake, self.fake.data
        first = lambda name, default=None: query.get(name, [default])[0]
        if path == "/session" and method == "POST":
            person = fake.tokens.get(body.get("token"))
            if person is None:
                raise Refusal(401, "session.invalid", "The token is unknown, expired or revoked", "Ask an administrator for a new one.")
            key = secrets.token_hex(16)
            fake.sessions[key] = person
            return self.send(200, {**person, "means": "session"}, headers=[("Set-Cookie", f"shiplog_session={key}; HttpOnly; SameSite=Strict; Path=/")])
        if path == "/session" and method == "DELETE":
            for key in [key for key, one in fake.sessions.items() if one is self.who()]:
                del fake.sessions[key]
            return self.send(204, None, headers=[("Set-Cookie", "shiplog_session=; Max-Age=0; Path=/")])
        if fake.guarded and self.who() is None:
            raise Refusal(401, "session.missing", "Reading needs a token here", "Sign in.")
        if path == "/me":
            person = self.who()
            return self.send(200, {**person, "means": "session"} if person else {"name": None, "role": "viewer", "means": "anonymous"})
        if path == "/system":
            return self.send(200, {"version": "0.1.0", "sandbox": True, "asOf": data.sequence})
        if path == "/stream":
            return self.stream(first("after", "0"))
        if path == "/applications":
            return self.page(self.applications(first), query)
        if path == "/revisions":
            return self.page(self.revisions(query), query)
        if path == "/events":
            self.need("auditor", "admin")
            found = [one for one in data.events.values() if all(
                first(field) in (None, value) for field, value in (("kind", one["kind"]), ("application", one.get("application", {}).get("name")),
                                                                   ("actor", one["actor"]["name"]), ("outcome", one["outcome"])))]
            return self.page([{key: value for key, value in one.items() if key != "changes"}
                              for one in sorted(found, key=lambda one: -one["sequence"])], query)
        match = re.match(r"^/events/(\d+)$", path)
        if match:
            self.need("auditor", "admin")
            if int(match[1]) not in data.events:
                raise Refusal(404, "event.not-found", f"There is no event #{match[1]}")
            return self.send(200, {**data.events[int(match[1])], "digest": "ab" * 32})
        if path in ("/exports", "/exports/population") and method == "POST":
            self.need("auditor", "admin")
            return self.exports(path, body)
        answer = fake_past.answer(self, method, path, first, query, body)
        if answer is not None:
            return self.send(*answer)
        match = re.match(r"^/operations/(\w+)$", path)
        if match:
            operation = fake.operations.get(match[1])
            if operation is None:
                raise Refusal(404, "operation.not-found", "There is no such operation")
            before, until = operation["state"], time.monotonic() + min(30, int(first("wait", "0")))
            while operation["state"] == before and before not in ("finished", "refused") and time.monotonic() < until:
                time.sleep(0.02)
            return self.send(200, operation)
        match = re.match(r"^/entries/(\d+)$", path)
        if match:
            return self.send(200, data.revisions.get(int(match[1])) or data.events.get(int(match[1])))
        match = re.match(r"^/revisions/(\d+)(/\w+)?$", path)
        if match:
            return self.revision(int(match[1]), match[2], first)
        match = re.match(r"^/applications/([^/]+)(/[\w-]+)?$", path)
        if match:
            if match[1] not in data.applications:
                raise Refusal(404, "application.not-found", f"There is no application {match[1]}", "Check the name, or look at all applications.")
            return self.application(method, match[1], match[2], query, body)
        raise Refusal(404, "http.not-found", "There is nothing at this address")

    def exports(self, path, body):
        data = self.fake.data
        kinds = body.get("kind")
        found = sorted(one["sequence"] for one in [*data.events.values(), *data.revisions.values()] if not kinds or one["kind"] in kinds)
        if path == "/exports/population":
            return self.send(200, {
                "matches": len(found), "firstMatch": found[0], "lastMatch": found[-1], "first": 1, "last": data.sequence,
                "entries": data.sequence, "gaps": 0, "completeness": "proven", "size": data.sequence, "root": "q" * 43 + "=",
                "origin": "fake.example/0", "key": "3a1b2c4d", "selfAttested": True})
        pack = b"PK\x05\x06" + bytes(18)
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Disposition", f'attachment; filename="shiplog-0fake-1-{data.sequence}.zip"')
        self.send_header("Content-Length", str(len(pack)))
        self.end_headers()
        return self.wfile.write(pack)

    def page(self, items, query):
        limit = int(query.get("limit", ["50"])[0])
        start = int(query.get("cursor", ["0"])[0])
        value = {"items": [brief(one) for one in items[start:start + limit]], "asOf": self.fake.data.sequence}
        if start + limit < len(items):
            value["nextCursor"] = str(start + limit)
        return self.send(200, value)

    def applications(self, first):
        data = self.fake.data
        text = (first("q") or "").lower()
        found = [data.public(name) for name in sorted(data.applications)]
        return [one for one in found if text in one["name"] and first("project") in (None, one["project"])
                and first("sync") in (None, one["sync"]) and first("health") in (None, one["health"]["status"])]

    def revisions(self, query):
        found = []
        for one in self.fake.data.revisions.values():
            values = {"application": one["application"]["name"], "project": one["application"]["project"], "kind": one["kind"], "cause": one["cause"],
                      "actor": one["actor"]["name"], "outcome": one["outcome"]}
            if any(query.get(name) and value not in query[name] for name, value in values.items()):
                continue
            if "commit" in query and not one["source"]["commit"]["id"].startswith(query["commit"][0]):
                continue
            if "from" in query and one["recordedAt"] < query["from"][0] or "to" in query and one["recordedAt"] > query["to"][0]:
                continue
            if "sameAs" in one and query.get("includeUnchanged") != ["true"]:
                continue
            found.append(one)
        return sorted(found, key=lambda one: -one["sequence"])

    def revision(self, sequence, part, first):
        data = self.fake.data
        if sequence not in data.revisions:
            raise Refusal(404, "revision.not-found", f"There is no revision #{sequence}", "It may be an event; look at the history.")
        revision = data.revisions[sequence]
        if part is None:
            return self.send(200, revision)
        if part == "/manifests":
            return self.send(200, {"items": data.manifests[sequence]})
        name = revision["application"]["name"]
        against = first("against", "previous")
        if against == "previous":
            earlier = [key for key, one in data.revisions.items() if key < sequence and one["application"]["name"] == name]
            if not earlier:
                return self.send(200, {"items": diff_sets([], data.manifests[sequence])})
            return self.send(200, {"items": diff_sets(data.manifests[max(earlier)], data.manifests[sequence])})
        if against == "live":
            return self.send(200, {"items": diff_sets(manifests(name, data.applications[name]["version"]), data.manifests[sequence])})
        if int(against) not in data.manifests:
            raise Refusal(404, "revision.not-found", f"There is no revision #{against}")
        return self.send(200, {"items": diff_sets(data.manifests[int(against)], data.manifests[sequence])})

    def application(self, method, name, part, query, body):
        fake, data = self.fake, self.fake.data
        version = data.applications[name]["version"]
        if method == "GET":
            if part is None:
                return self.send(200, data.public(name, whole=True))
            if part == "/rollback-candidates":
                good = [one for one in data.revisions.values() if one["application"]["name"] == name and one["outcome"] == "succeeded"
                        and one["kind"] != "reconcile" and one["health"] == "Healthy"]
                return self.page(sorted(good, key=lambda one: -one["sequence"]), query)
            if part == "/diff":
                live = manifests(name, version)
                out = data.applications[name]["sync"] == "OutOfSync"
                return self.send(200, {"items": diff_sets(live, manifests(name, version + 1) if out else live)})
            if part == "/manifests":
                return self.send(200, {"items": manifests(name, version)})
            if part == "/tree":
                items = [dict(one) for one in data.public(name, whole=True)["resources"]]
                for one in items:
                    if one["kind"] == "Deployment":
                        pod = {"group": "", "kind": "Pod", "namespace": one["namespace"], "name": one["name"] + "-1-a", "apiVersion": "v1",
                               "health": "Healthy", "images": ["example.com/web:1"], "createdAt": "2026-11-20T10:00:00.000Z"}
                        one["children"] = [{"group": "apps", "kind": "ReplicaSet", "namespace": one["namespace"], "name": one["name"] + "-1",
                                            "apiVersion": "apps/v1", "health": "Healthy", "children": [pod]}]
                return self.send(200, {"items": items, "omitted": 0, "unread": [
                    {"group": "", "kind": "Secret", "namespace": "shop", "code": "cluster.forbidden", "message": "<b>secrets</b> are forbidden"}]})
            if part == "/resources":
                return self.send(200, {"items": data.public(name, whole=True)["resources"]})
        person = self.need("deployer", "admin")
        if part in ("/sync", "/rollback") and body.get("dryRun"):
            return self.send(200, {"plan": fake.plan(name, body, part[1:])[0]})
        if part in ("/sync", "/rollback", "/refresh"):
            return self.send(202, {"operation": fake.operate(name, body, part[1:], person)})
        if part == "/pin" and method == "DELETE":
            with fake.lock:
                data.applications[name].pop("pin", None)
                event = data.add_event("pin.released", name, person["name"])
                fake.publish("event", event, event["sequence"])
                fake.publish("application", data.public(name))
            return self.send(200, {"sequence": event["sequence"]})
        raise Refusal(405, "http.method", "That cannot be done here")

    def stream(self, after):
        fake = self.fake
        last = self.headers.get("Last-Event-ID")
        fake.stream_starts.append((after, last))
        if fake.refuse_streams:
            raise Refusal(503, "stream.full", "There are too many streams")
        position = int(last or after)
        inbox = queue.Queue(1000)
        with fake.lock:
            fake.streams.append(inbox)
            missed = [(("revision", brief(one)) if sequence in fake.data.revisions else ("event", one)) + (sequence,)
                      for sequence, one in sorted({**fake.data.revisions, **fake.data.events}.items()) if sequence > position]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b"retry: 200\n\n")
            for message in missed:
                self.write_event(*message)
            while True:
                try:
                    message = inbox.get(timeout=1)
                except queue.Empty:
                    self.wfile.write(b": still here\n\n")
                    continue
                if message is None:
                    return
                self.write_event(*message)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with fake.lock:
                fake.streams.remove(inbox)

    def write_event(self, kind, value, sequence):
        head = f"id: {sequence}\n" if sequence else ""
        self.wfile.write(f"{head}event: {kind}\ndata: {json.dumps(value)}\n\n".encode())


if __name__ == "__main__":
    server = FakeShiplog(hostile="--hostile" in sys.argv)
    print(server.url, flush=True)
    threading.Event().wait()
