"""Plants a secret of its own wherever one can enter a real server, uses everything, and looks for each of them everywhere.

One long afternoon, then one hunt: whatever the program wrote, logged, answered or printed is searched for every secret raw,
in base64 (both alphabets, all alignments), URL-encoded and in hexadecimal digits, compressed values unpacked.
"""

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import yaml

from git_server import GitServer
from hunting import Hunt, database_texts, files

PROGRAM = os.environ.get("SHIPLOG_BIN", "")
API = "/api/shiplog/v1"
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
}

# Where a secret may lie, and why. Everything else in the data directory is searched.
ALLOWED = {
    "tokens/": "files in which a person picks up a token",
    "keys/": "the keys themselves, outside the database on purpose",
    "sandbox/": "the embedded cluster's own state and kubeconfig: a cluster has its Secrets",
    "repositories/": "mirrors of the repositories, whose content is their owners' own",
}


class Afternoon:
    """A server with secrets all around it, and everything it ever said."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.hunt = Hunt()
        self.answers = []       # (what, bytes)
        self.prints = []        # (what, bytes)
        self.logs = []
        self.process = None
        self.admin = "nobody yet"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(folder)
        self.git_server = GitServer(self.folder / "git")

    # -- planting

    def secret(self, name):
        """One that looks different in every encoding."""
        text = f"canary/{name}+{secrets.token_hex(8)}=&x"
        self.hunt.plant(name, text)
        return text

    def file(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    # -- Git

    def repository(self, name):
        path = self.folder / "git" / name
        path.mkdir(parents=True)
        self.git(path, "init", "-q", "-b", "main")
        return path

    def git(self, path, *arguments):
        return subprocess.run(["git", "-C", str(path), *arguments], env={**self.environment, **GIT}, check=True,
                              capture_output=True, text=True).stdout.strip()

    def commit(self, path, documents, message="Change", raw=None):
        (path / "app").mkdir(exist_ok=True)
        for old in (path / "app").iterdir():
            old.unlink()
        for index, document in enumerate(documents):
            (path / "app" / f"{index}.yaml").write_text(yaml.safe_dump(document))
        if raw:
            (path / "app" / "raw.yaml").write_text(raw)
        self.git(path, "add", "-A")
        self.git(path, "commit", "-q", "-m", message)
        return self.git(path, "rev-parse", "HEAD")

    # -- the server

    def start(self, config, log_format):
        log = open(self.folder / f"server-{len(self.logs)}.log", "wb")
        self.logs.append(log.name)
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--sandbox", "--config", config, "--data", str(self.data), "--listen", "127.0.0.1:0",
             "--log-level", "trace", "--log-format", log_format],
            env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on (https://\S+)", line)
        assert found, line + Path(log.name).read_text()
        self.prints.append(("serve", line.encode() + self.process.stdout.readline().encode()))
        self.url = found.group(1)
        self.environment["SHIPLOG_SERVER"] = self.url
        self.admin = (self.data / "tokens" / "admin").read_text().strip()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def ask(self, method, path, body=None, token=None, headers=None, keep=True, kind="application/json"):
        address = urlsplit(self.url)
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=60,
                                                 context=ssl._create_unverified_context())
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = "Bearer " + token
        data = None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            sent.setdefault("Content-Type", kind)
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        content = answer.read()
        if keep:
            self.answers.append((f"{method} {path.split('?')[0]}", str(answer.getheaders()).encode() + content))
        connection.close()
        return answer.status, content, answer

    def get(self, path, **options):
        return self.ask("GET", path, token=self.admin, **options)

    def post(self, path, body=None, expected=(200, 201, 202, 204), **options):
        status, content, _ = self.ask("POST", API + path, body if body is not None else {}, token=self.admin, **options)
        assert status in expected, (status, content)
        return json.loads(content or b"{}")

    def put(self, name, document):
        return self.ask("PUT", f"{API}/applications/{name}", yaml.safe_dump(document), token=self.admin,
                        kind="application/yaml")

    def operate(self, path, body=None):
        operation = self.post(path, body)["operation"]
        for _ in range(6):
            done = json.loads(self.get(f"{API}/operations/{operation['id']}?wait=20")[1])
            if done["state"] in ("finished", "refused"):
                return done
        raise AssertionError(done)

    def cli(self, *arguments, keep=True, codes=range(0, 10), **variables):
        done = subprocess.run([PROGRAM, *map(str, arguments)],
                              env={**self.environment, "SHIPLOG_TOKEN": self.admin, **variables}, capture_output=True, timeout=120)
        assert done.returncode in codes, (arguments, done.returncode, done.stderr)
        if keep:
            self.prints.append((f"shiplog {' '.join(map(str, arguments[:3]))}", done.stdout + done.stderr))
        return done.stdout

    def client(self, *arguments, **options):
        return self.cli(*arguments, "--ca-file", self.folder / "tls.crt", **options)

    def follow(self, seconds):
        """The stream, as a browser hears it."""
        address = urlsplit(self.url)
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=1,
                                                 context=ssl._create_unverified_context())
        connection.request("GET", API + "/stream?after=0&includeUnchanged=true", headers={"Authorization": "Bearer " + self.admin})
        heard = b""
        answer = connection.getresponse()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                piece = answer.fp.read1(65536)
            except TimeoutError:
                # Signs of life come every few seconds and no sooner: the connection is none to read on from then.
                break
            heard += piece
            if not piece:
                break
        connection.close()
        self.answers.append(("GET /stream", heard))
        return heard

    def answers_of(self, what):
        return b"".join(data for name, data in self.answers if name == what)

    # -- the embedded cluster, as somebody with kubectl

    def cluster(self, method, path, body=None, kind="application/json"):
        config = yaml.safe_load((self.data / "sandbox" / "kubeconfig").read_text())
        server = urlsplit(config["clusters"][0]["cluster"]["server"])
        token = config["users"][0]["user"]["token"]
        connection = http.client.HTTPConnection(server.hostname, server.port, timeout=30)
        connection.request(method, path, body and json.dumps(body), {"Authorization": "Bearer " + token, "Content-Type": kind})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return json.loads(content)


def application(name, url, destination=None, **spec):
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default", "source": {"repoURL": url, "path": "app", "targetRevision": "main"},
            "destination": {**(destination or {"server": "https://kubernetes.default.svc"}), "namespace": "demo"},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}, **spec,
        },
    }


def secret(name, data=None, text=None, **metadata):
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata}, "type": "Opaque"}
    if data:
        document["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    if text:
        document["stringData"] = text
    return document


def visible(text):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "visible"}, "data": {"text": text}}


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def set_up(day):
    """Everything around the server that holds a secret; gives its configuration."""
    hunt = day.hunt
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(day.folder / "tls.key"), "-out",
                    str(day.folder / "tls.crt"), "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    key = "".join(line for line in (day.folder / "tls.key").read_text().splitlines() if "-----" not in line)
    hunt.plant("TLS key", base64.b64decode(key)[200:232])
    hunt.plant("TLS key, as text", key[300:340])
    for name in ("by-environment", "by-file", "wrong"):
        day.git_server.passwords[name] = ("bot", day.secret(f"git password {name}"))
    day.environment["CANARY_GIT_PASSWORD"] = day.git_server.passwords["by-environment"][1]
    day.git_server.passwords["by-file"] = ("oauth2", day.git_server.passwords["by-file"][1])
    wrong = day.secret("git password that is wrong")
    day.environment["CANARY_GITHUB"] = day.secret("GitHub webhook secret")
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "far",
        "clusters": [{"name": "far", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "far", "user": {"token": day.secret("kubeconfig token")}},
                  {"name": "other", "user": {"username": "ann", "password": day.secret("kubeconfig password")}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "far"}}],
    }
    config = {
        "tls": {"certificate": str(day.folder / "tls.crt"), "key": str(day.folder / "tls.key")},
        "controller": {"interval": "0s"},
        "git": {"credentials": [
            {"url": day.git_server.url + "/by-environment", "username": "bot", "passwordEnv": "CANARY_GIT_PASSWORD"},
            {"url": day.git_server.url + "/by-file",
             "tokenFile": day.file("git.token", day.git_server.passwords["by-file"][1] + "\n")},
            {"url": day.git_server.url + "/wrong", "username": "bot", "passwordFile": day.file("git.wrong", wrong)},
        ]},
        "clusters": [{"name": "far", "kubeconfig": day.file("far.yaml", yaml.safe_dump(kubeconfig))}],
        "webhooks": {"gitlab": {"secretFile": day.file("gitlab", day.secret("GitLab webhook secret"))},
                     "github": {"secretEnv": "CANARY_GITHUB"}},
    }
    return config


def refused_configurations(day, config):
    """A configuration that holds a secret is refused, and does not quote it."""
    for place, value in [
        (("git", "credentials"), [{"url": "https://x/", "username": "a", "password": day.secret("password in the configuration")}]),
        (("git", "credentials"), [{"url": f"https://a:{quote(day.secret('password in a prefix'))}@x/", "tokenFile": "/x"}]),
        (("webhooks", "gitlab"), {"secret": day.secret("webhook secret in the configuration")}),
        (("baseURL",), f"https://a:{day.secret('password in baseURL')}@x/"),
    ]:
        wrong = json.loads(json.dumps(config))
        part = wrong
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = value
        day.cli("serve", "--sandbox", "--data", day.folder / "never", "--config", day.file("wrong.yaml", yaml.safe_dump(wrong)),
                codes=[2])


def deploy(day):
    """Secrets that are applied, changed, rolled back, drift, and fail."""
    url = day.git_server.url
    one = day.repository("by-environment")
    day.commit(one, [
        visible(day.visible),
        secret("first", {"data": day.secret("Secret's data")}, {"text": day.secret("Secret's stringData")}),
        secret("annotated", {"key": day.secret("Secret with an annotation")},
               annotations={LAST_APPLIED: json.dumps({"data": {"key": day.secret("last-applied in Git")}})}),
    ], "The first")
    hook = day.secret("webhook secret of an application")
    status, content, _ = day.put("one", application("one", url + "/by-environment/.git", webhook={
        "gitlab": [{"url": "https://cd.example.org/api/webhook", "secret": hook}]}))
    assert status == 201, content
    first = day.operate("/applications/one/sync")
    assert first["outcome"] == "succeeded", first
    # Another secret for its webhook: a change of the specification.
    hook = day.secret("second webhook secret of an application")
    document = application("one", url + "/by-environment/.git", webhook={
        "gitlab": [{"url": "https://cd.example.org/api/webhook", "secret": hook}]})
    document["metadata"]["annotations"] = {LAST_APPLIED: json.dumps({"spec": {"secret": day.secret("last-applied of an Application")}})}
    assert day.put("one", document)[0] == 200
    # The Secret changes, and the cluster's own copy is changed by hand.
    day.commit(one, [
        visible(day.visible),
        secret("first", {"data": day.secret("Secret's data, changed")}, {"text": day.secret("Secret's stringData, changed")}),
    ], "The second")
    day.post("/applications/one/sync", {"dryRun": True, "prune": True})
    assert day.operate("/applications/one/sync", {"prune": True})["outcome"] == "succeeded"
    drifted = base64.b64encode(day.secret("Secret edited in the cluster").encode()).decode()
    day.cluster("PATCH", "/api/v1/namespaces/demo/secrets/first", {
        "data": {"data": drifted, "extra": drifted},
        "metadata": {"annotations": {LAST_APPLIED: json.dumps({"data": {"data": drifted}}), "note": "by hand"}},
    }, "application/merge-patch+json")
    day.operate("/applications/one/refresh", {"hard": True})
    look(day, "one")
    back = {"to": {"sequence": first["revision"]}, "reason": "the second is wrong", "prune": True}
    day.post("/applications/one/rollback", {**back, "dryRun": True})
    assert day.operate("/applications/one/rollback", back)["outcome"] == "succeeded"
    day.operate("/applications/one/rollback", {**back, "keepSecrets": True})
    # What cannot be applied: an error may quote what it was given.
    two = day.repository("by-file")
    assert day.put("two", application("two", url + "/by-file/.git"))[0] == 201
    immutable = {**secret("fixed", {"key": day.secret("immutable Secret")}), "immutable": True}
    day.commit(two, [immutable])
    assert day.operate("/applications/two/sync")["outcome"] == "succeeded"
    bad = [
        [{**immutable, "data": {"key": base64.b64encode(day.secret("immutable Secret, changed").encode()).decode()}}],
        [{**secret("broken"), "data": {"key": day.secret("what is no base64") + "!"}}],
        [secret("named", {"no such key!": day.secret("Secret under a bad key")})],
        [secret("nested", text={"key": {"inner": day.secret("Secret that is nested")}})],
        [{**secret("listed"), "data": [day.secret("Secret that is a list")]}],
        [{**secret("typed", {"key": day.secret("Secret of a bad type")}), "type": ["x"]}],
        [{**secret("tls", {"tls.key": day.secret("Secret that lacks its certificate")}), "type": "kubernetes.io/tls"}],
        [{**secret("extra", {"key": day.secret("Secret with an unknown field")}), "password": day.secret("unknown field of a Secret")}],
        [{**secret("metadata", {"key": "x"}), "metadata": {"name": "metadata", "labels": [day.secret("Secret's odd labels")]}}],
    ]
    for documents in bad:
        day.commit(two, documents)
        day.operate("/applications/two/sync", {"replace": False})
        look(day, "two", deep=False)
    for raw in [
        f"kind: Secret\nstringData: {{key: '{day.secret('YAML that is broken')}'\n",
        f"kind: Secret\nstringData:\n  key: '{day.secret('YAML with a tab')}'\n\tnext: 1\n",
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: twice}}\nstringData:\n  key: a\n  key: '{day.secret('YAML with a double key')}'\n",
        f"apiVersion: v1\nkind: Secret\nstringData: {{key: '{day.secret('Secret without a name')}'}}\n",
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: tagged}}\nstringData: {{key: !!binary '{day.secret('YAML with a tag')}'}}\n",
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: alias}}\nstringData: {{key: *{secrets.token_hex(4)}, b: '{day.secret('YAML with an alias')}'}}\n",
    ]:
        day.commit(two, [], raw=raw)
        day.operate("/applications/two/sync")
        look(day, "two", deep=False)
    # What cannot be reached.
    day.repository("wrong")
    assert day.put("three", application("three", url + "/wrong/.git"))[0] == 201
    day.operate("/applications/three/refresh")
    assert day.put("four", application("four", url + "/by-file/.git", {"name": "far"}))[0] == 201
    day.operate("/applications/four/sync")
    # What is refused before it is an application at all.
    refused = [
        application("five", f"https://ann:{quote(day.secret('password in an address'), safe='')}@git.example.org/a.git"),
        application("five", f"https://{quote(day.secret('token in an address'), safe='')}@git.example.org/a.git"),
        application("five", f"ssh://ann:{quote(day.secret('password in an ssh address'), safe='')}@git.example.org/a.git"),
        application("five", url, {"server": f"https://ann:{quote(day.secret('password of a cluster'), safe='')}@10.0.0.1"}),
        application("five", url, webhook={"gitlab": [{"url": "x", "secret": [day.secret("webhook secret of a bad type")]}]}),
        application("five", url, webhook={"gitlab": [{"url": "x", "token": day.secret("webhook secret misnamed")}]}),
        application("five", url, webhook={"github": [{"url": "x", "secret": day.secret("webhook secret of another kind")}]}),
        application("five", url, webhook={"gitlab": [
            {"url": f"https://ann:{quote(day.secret('password of a webhook address'), safe='')}@x/", "secret": day.secret("its webhook secret")}]}),
        application("five", url, webhook={"gitlab": [
            {"url": f"https://x/?token={quote(day.secret('query of a webhook address'), safe='')}", "secret": "x"}]}),
        application("five", url, info=[
            {"name": "url", "value": f"see https://ann:{quote(day.secret('password of an address in info'), safe='')}@x/"}]),
    ]
    for document in refused:
        # The answer is kept, and searched with all others for what it must not quote.
        assert 400 <= day.put("five", document)[0] < 500, document["spec"].keys()
        day.client("app", "apply", "-f", day.file("five.yaml", yaml.safe_dump(document)))
    for name in ("one", "two", "three", "four"):
        look(day, name)


def look(day, name, deep=True):
    """Everything that can be asked about an application."""
    path = f"{API}/applications/{name}"
    for part in ("", "/resources", "/manifests", "/manifests?source=live", "/manifests?source=deployed", "/diff", "/rollback-candidates"):
        day.get(path + part)
    if deep:
        for command in (["get"], ["diff"], ["manifests"], ["manifests", "--source", "live"], ["history"]):
            day.client("app", command[0], name, *command[1:])


def credentials(day):
    """Tokens, cookies and proofs, right and wrong, where they belong and where they do not."""
    day.hunt.plant("administrator's token", day.admin[17:])
    made = json.loads(day.ask("POST", API + "/tokens", {"name": "ci", "role": "viewer"}, token=day.admin, keep=False)[1])
    viewer = made["secret"]
    day.hunt.plant("token made by the API", viewer[17:])
    printed = day.client("token", "create", "--name", "printed", "--role", "deployer", keep=False).decode().strip()
    day.hunt.plant("token made by the command line", printed[17:])
    answer = day.ask("POST", API + "/session", {"token": viewer}, headers={"Sec-Fetch-Site": "same-origin"}, keep=False)[2]
    cookie = answer.getheader("Set-Cookie").split(";")[0]
    day.hunt.plant("session's cookie", cookie.split("=", 1)[1])
    for method, path in [("GET", "/me"), ("POST", "/applications/one/sync"), ("DELETE", "/applications/one"), ("POST", "/tokens")]:
        day.ask(method, API + path, {} if method == "POST" else None, headers={"Cookie": cookie, "Sec-Fetch-Site": "same-origin"})
        day.ask(method, API + path, {} if method == "POST" else None, token=viewer)
        day.ask(method, API + path, {} if method == "POST" else None, headers={"Cookie": cookie.split("=")[0] + "=" + day.secret(f"wrong cookie {method} {path}")})
    # A token where it does not belong.
    for index, text in enumerate((day.admin, viewer, "shp_abcdefghijkl_" + secrets.token_urlsafe(32))):
        if index == 2:
            day.hunt.plant("wrong token", text[17:])
        for path in (f"{API}/me?token={text}", f"{API}/me?access_token={text}", f"/?token={text}", f"/apps?access_token={text}",
                     f"{API}/tokens/{text}", f"{API}/applications/{text}", f"{API}/operations/{text}", f"{API}/revisions?actor={text}",
                     f"{API}/events?kind={text}", f"{API}/{text}", f"/{text}", f"/metrics?{text}"):
            day.ask("GET", path, headers={"Referer": f"https://elsewhere/?{text}"}, keep=False)
            # What is sent back to whoever sent it is their own; what is kept of it is looked for.
            day.ask("DELETE", path, token=day.admin, keep=False)
        day.ask("GET", API + "/me", token=text if index == 2 else text + "x")
        day.ask("GET", API + "/me", headers={"Authorization": "Basic " + base64.b64encode(f"ann:{text}".encode()).decode()})
        day.ask("GET", API + "/me", headers={"Authorization": "Token " + text})
        day.ask("POST", API + "/session", {"token": text + "x"}, headers={"Sec-Fetch-Site": "same-origin"})
        day.ask("POST", API + "/session", {"password": text}, headers={"Sec-Fetch-Site": "same-origin"})
        day.ask("POST", API + "/session", f'{{"token": "{text}', headers={"Sec-Fetch-Site": "same-origin"})
        day.ask("POST", API + "/tokens", {"name": "x", "role": text}, token=day.admin)
    day.client("token", "revoke", printed, keep=False)
    day.client("app", "list", SHIPLOG_TOKEN=day.secret("wrong token of the command line"))
    # Deliveries.
    push = {"object_kind": "push", "ref": "refs/heads/main",
            "project": {"git_http_url": f"https://ann:{quote(day.secret('password in a delivery'), safe='')}@git.example.org/a.git"}}
    gitlab = {"X-Gitlab-Event": "Push Hook"}
    right = (day.folder / "gitlab").read_text()
    day.ask("POST", "/api/webhook", push, headers={**gitlab, "X-Gitlab-Token": right})
    day.ask("POST", API + "/webhooks/gitlab", push, headers={**gitlab, "X-Gitlab-Token": day.secret("wrong GitLab token")})
    day.ask("POST", "/api/webhook", "{not json " + day.secret("broken delivery"), headers={**gitlab, "X-Gitlab-Token": right})
    signature = secrets.token_hex(32)
    day.hunt.plant("wrong GitHub signature", signature)
    day.ask("POST", "/api/webhook", push, headers={"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + signature})
    day.client("token", "list")


def everything(day):
    """Every row in every form, the page and the metrics."""
    events = json.loads(day.get(API + "/events?limit=500")[1])
    for sequence in range(1, events["asOf"] + 1):
        for path in ("/entries/", "/revisions/", "/events/"):
            day.get(f"{API}{path}{sequence}")
        for part in ("/manifests", "/diff", "/diff?against=live"):
            if day.get(f"{API}/revisions/{sequence}{part}")[0] >= 500:
                break
    for path in ("/revisions?includeUnchanged=true&limit=500", "/applications", "/system", "/me", "/tokens", "/metrics/dora"):
        day.get(API + path)
    for path in ("/", "/apps", "/apps/one", "/events", "/history", "/metrics", "/readyz?verbose=true", "/healthz"):
        day.get(path)
    for command in (["history"], ["events", "-n", "0"], ["events", "-n", "0", "-o", "json"], ["report"], ["app", "list"]):
        day.client(*command)
    for item in json.loads(day.client("history", "-n", "0", "-o", "json"))["items"]:
        day.client("show", item["sequence"])
        if item["kind"] != "reconcile":
            for option in ("--diff", "--manifests", "--entry"):
                day.client("show", item["sequence"], option)
    for event in events["items"]:
        if event["kind"].startswith(("application.", "configuration.", "request.")):
            day.client("show", event["sequence"])


@pytest.fixture(scope="module")
def day():
    assert PROGRAM and os.access(PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
    folder = tempfile.mkdtemp(prefix="shiplog-canary-")
    day = Afternoon(folder)
    try:
        day.visible = "seen/by+everybody=&" + secrets.token_hex(8)
        config = set_up(day)
        refused_configurations(day, config)
        path = day.file("config.yaml", yaml.safe_dump(config))
        day.start(path, "json")
        deploy(day)
        credentials(day)
        everything(day)
        day.follow(10)
        day.cli("ledger", "verify", "--data", day.data)
        # With the server running: what is still in the write-ahead log is a file too.
        shutil.copytree(day.data, day.folder / "copy", ignore=shutil.ignore_patterns("lock", "repositories"))
        day.stop()
        # Once more, in the other format of the log; what was open is recovered, and everything is looked at again.
        day.start(path, "text")
        for name in ("one", "two", "three", "four"):
            day.operate(f"/applications/{name}/refresh", {"hard": True})
            look(day, name)
        day.ask("DELETE", API + "/applications/one?cascade=true&reason=over", token=day.admin)
        day.follow(4)
        everything(day)
        day.stop()
        day.cli("ledger", "verify", "--data", day.data)
        day.cli("ledger", "stats", "--data", day.data)
        day.cli("token", "list", "--data", day.data)
        local = day.cli("token", "create", "--data", day.data, "--name", "local", "--role", "viewer", keep=False).decode().strip()
        day.hunt.plant("token made without a server", local[17:])
        for name in ("master", "redaction"):
            day.hunt.plant(name + " key", (day.data / "keys" / f"{name}.key").read_bytes())
        sandbox = yaml.safe_load((day.data / "sandbox" / "kubeconfig").read_text())["users"][0]["user"]["token"]
        day.hunt.plant("embedded cluster's token", sandbox)
        yield day
    finally:
        day.stop()
        day.git_server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def leaks(day, texts):
    return [f"{name} is in {what}" for what, data in texts for name in day.hunt.found(data)]


def data_files(day):
    for root in (day.data, day.folder / "copy"):
        for path in files(root):
            relative = str(path.relative_to(root))
            if not relative.startswith(tuple(ALLOWED)):
                yield f"{root.name}/{relative}", path.read_bytes()


def test_the_search_finds_what_is_there(day):
    """The control: each secret in each form out of a file, and what is no secret everywhere it should be."""
    scratch = day.folder / "leaked"
    for name, forms in day.hunt.forms.items():
        for form in forms:
            scratch.write_bytes(b"before " + form + b" after")
            assert name in day.hunt.found(scratch.read_bytes()), (name, form)
        secret_text = day.hunt.secrets[name]
        for before in (b"", b"a", b"ab"):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                assert name in day.hunt.found(encode(before + secret_text + b"tail")), (name, before)
    scratch.unlink()
    control = day.hunt.__class__()
    control.plant("visible", day.visible)
    assert control.found(b"".join(data for _, data in day.answers))
    assert control.found(b"".join(data for _, data in day.prints))
    assert control.found(b"".join(data for _, data in database_texts(day.data / "ledger.sqlite")))
    # The whole day went as it was meant to.
    assert len(day.answers) > 500 and len(day.prints) > 100
    assert any(b"immutable" in data for _, data in day.answers) and b"event: revision" in day.answers_of("GET /stream")


def test_no_secret_is_in_the_data_directory(day):
    found = leaks(day, data_files(day))
    assert not found, "\n".join(found)
    seen = [name for name, _ in data_files(day)]
    assert {"data/ledger.sqlite", "copy/ledger.sqlite", "copy/ledger.sqlite-wal", "copy/ledger.sqlite-shm"} <= set(seen)


def test_no_secret_is_in_a_value_of_the_database_compressed_or_not(day):
    for file in (day.data / "ledger.sqlite", day.folder / "copy" / "ledger.sqlite"):
        found = leaks(day, database_texts(file))
        assert not found, "\n".join(sorted(set(found)))


def test_no_secret_is_in_a_log(day):
    texts = [(Path(name).name, Path(name).read_bytes()) for name in day.logs]
    assert all(b"request" in data for _, data in texts)
    found = [f"{leak}: {line[:300]}" for name, data in texts for line in data.splitlines() for leak in leaks(day, [(name, line)])]
    assert not found, "\n".join(found)


def test_no_secret_is_in_an_answer(day):
    found = leaks(day, day.answers)
    assert not found, "\n".join(sorted(set(found)))


def test_no_secret_is_printed(day):
    found = leaks(day, day.prints)
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_what_may_hold_secrets_is_nobody_elses(day, place):
    assert (day.data / place).stat().st_mode & 0o077 == 0, ALLOWED[place]
