"""What the fake server knows: applications and their history, the same at every start but for the clock."""

import difflib
import hashlib
import json
from datetime import datetime, timedelta, timezone


def digest(value):
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def commit_id(text):
    return hashlib.sha1(text.encode()).hexdigest()


def stamp(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def yaml_lines(value, indent=0):
    """Enough of YAML for differences to look at."""
    pad = "  " * indent
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                lines += [f"{pad}{key}:"] + yaml_lines(item, indent + (isinstance(item, dict)))
            else:
                lines.append(f"{pad}{key}: {json.dumps(item) if not isinstance(item, str) else item}")
    else:
        for item in value:
            if isinstance(item, dict):
                inner = yaml_lines(item, indent + 1)
                lines += [f"{pad}- {inner[0].strip()}"] + inner[1:]
            else:
                lines.append(f"{pad}- {item}")
    return lines


def words(old, new):
    """The ranges of two lines that differ, in UTF-16 code units (the texts here are ASCII)."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.4:
        return None, None
    changed = [op for op in matcher.get_opcodes() if op[0] != "equal"]
    return [[a, b] for _, a, b, _, _ in changed if b > a], [[c, d] for _, _, _, c, d in changed if d > c]


def resource_diff(old, new):
    one = old or new
    key = {"group": group_of(one), "kind": one["kind"], "namespace": one["metadata"].get("namespace", ""), "name": one["metadata"]["name"]}
    before = yaml_lines(old) if old else []
    after = yaml_lines(new) if new else []
    hunks = []
    for ops in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(3):
        lines = []
        for tag, a, b, c, d in ops:
            if tag == "equal":
                lines += [{"kind": "context", "text": text} for text in before[a:b]]
                continue
            removed = [{"kind": "removed", "text": text} for text in before[a:b]]
            added = [{"kind": "added", "text": text} for text in after[c:d]]
            for left, right in zip(removed, added):
                w_old, w_new = words(left["text"], right["text"])
                if w_old:
                    left["words"] = w_old
                if w_new:
                    right["words"] = w_new
            lines += removed + added
        hunks.append({"oldStart": ops[0][1] + 1, "oldLines": ops[-1][2] - ops[0][1], "newStart": ops[0][3] + 1,
                      "newLines": ops[-1][4] - ops[0][3], "lines": lines})
    change = "added" if not old else "removed" if not new else "changed" if hunks else "same"
    return {**key, "change": change, "hunks": hunks}


def group_of(manifest):
    version = manifest["apiVersion"]
    return version.split("/")[0] if "/" in version else ""


def key_of(manifest):
    return (group_of(manifest), manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])


def diff_sets(old, new):
    left = {key_of(one): one for one in old}
    right = {key_of(one): one for one in new}
    return [resource_diff(left.get(key), right.get(key)) for key in sorted({**left, **right})]


def manifests(name, version):
    """The manifests of an application at a version 1, 2, 3, …; they differ a little each time."""
    namespace = name
    labels = {"app.kubernetes.io/name": name}
    found = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace, "labels": labels},
         "data": {"greeting": f"hello from version {version}", "workers": str(2 + version % 3), "log.level": "info"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace, "labels": labels},
         "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "labels": labels},
         "spec": {"replicas": 1 + version % 4, "selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels},
                               "spec": {"containers": [{"name": "web", "image": f"registry.example/{name}:1.{version}.0",
                                                        "ports": [{"containerPort": 8080}],
                                                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]}}}},
    ]
    if version % 3 == 0:
        found.append({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tidy", "namespace": namespace},
                      "spec": {"schedule": "17 3 * * *"}})
    return found


SUBJECTS = ["Show the newest entries first", "Raise the memory request after the load test", "Rename the greeting",
            "Serve thumbnails from the cache", "Bump the base image for the OpenSSL fix", "Add a readiness probe",
            "Split the worker out of the web process", "Turn request logging down to info", "Drop the legacy cron job",
            "Use the read replica for searches", "Limit uploads to 20 MB", "Retry payment callbacks with backoff"]
AUTHORS = ["Ada Byron", "Grace Hopper", "Katherine Johnson", "Edsger Dijkstra"]

# What a commit message may hold without anything of it coming alive or misleading the eye.
HOSTILE = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=\"window.__xss=1\">",
    "\"><svg onload=window.__xss=1>",
    "javascript:window.__xss=1//",
    "{{constructor.constructor('window.__xss=1')()}} ${window.__xss=1}",
    "</title></style></textarea><script>window.__xss=1</script>",
    "<a href=\"javascript:window.__xss=1\">click</a>",
    "<iframe srcdoc=\"<script>parent.__xss=1</script>\">",
    "safe \u202egnp.exe\u202c \u2066hidden\u2069 \u200bzero",
    "\u001b[31mred\u001b[0m and \u0007 bell",
    "<math><mtext><style><img src onerror=window.__xss=1></style>",
    "'; window.__xss=1; '",
    "عنوان بالعربية <b>bold</b>",
    "x" * 300,
]


class Data:
    """Everything of one server. `size` is how many revisions the first application has."""

    def __init__(self, size=70, hostile=False, empty=False):
        self.now = datetime.now(timezone.utc).replace(microsecond=0)
        self.revisions = {}
        self.events = {}
        self.applications = {}
        self.manifests = {}
        self.sequence = 0
        self.plans = {}
        if not empty:
            self._fill(size, hostile)

    # -- writing

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    def commit(self, name, version, subject=None, at=None):
        at = at or self.now
        return {"id": commit_id(f"{name}-{version}"), "author": AUTHORS[version % len(AUTHORS)], "authoredAt": stamp(at - timedelta(minutes=9)),
                "committedAt": stamp(at - timedelta(minutes=8)), "subject": subject or SUBJECTS[(version + len(name)) % len(SUBJECTS)],
                "signed": version % 2 == 0}

    def add_revision(self, name, version, at=None, kind="sync", cause="automated", actor="shiplog", outcome="succeeded", sync="Synced",
                     health="Healthy", subject=None, reason=None, error=None, rolled_back_to=None, same_as=None, resources=None,
                     options=None, ticket=None):
        at = at or datetime.now(timezone.utc)
        application = self.applications[name]
        sequence = self.next_sequence()
        whole = manifests(name, version)
        previous = manifests(name, max(1, version - 1))
        if resources is None:
            changed = {key for key, diff in ((tuple(d[k] for k in ("group", "kind", "namespace", "name")), d) for d in diff_sets(previous, whole))
                       if diff["change"] == "changed"}
            resources = [] if same_as else [
                {"group": group_of(one), "kind": one["kind"], "namespace": one["metadata"]["namespace"], "name": one["metadata"]["name"],
                 "apiVersion": one["apiVersion"], "action": "updated" if key_of(one) in changed else "unchanged", "wave": 0,
                 "message": "configured" if key_of(one) in changed else "", "before": digest([name, version - 1, one["kind"]]),
                 "after": digest([name, version, one["kind"]])} for one in whole]
        counts = {word: sum(1 for one in resources if one["action"] == word) for word in ("created", "updated", "unchanged", "pruned", "failed", "leftover")}
        took = 240 + (sequence * 137) % 4100
        revision = {
            "sequence": sequence, "recordedAt": stamp(at), "kind": kind,
            "application": {"uid": application["uid"], "name": name, "project": application["project"]},
            "cluster": {"name": "in-cluster", "server": "https://kubernetes.default.svc", "uid": "6d3c9a52-0b1f-4c7e-9d55-1f2e3a4b5c6d"},
            "cause": cause, "actor": {"name": actor, "means": "controller" if actor == "shiplog" else "session"},
            "source": {**application["source"], "commit": self.commit(name, version, subject, at),
                       "previousCommit": commit_id(f"{name}-{version - 1}")},
            "desired": digest(whole), "liveBefore": digest([name, "live", version]), "counts": counts,
            "options": options or {"prune": True}, "outcome": outcome, "sync": sync, "health": health, "retry": 0,
            "startedAt": stamp(at - timedelta(milliseconds=took)), "finishedAt": stamp(at), "durationMs": took, "warnings": [],
            "resources": resources, "erased": [], "digest": hashlib.sha256(str(sequence).encode()).hexdigest(),
        }
        for field, value in (("reason", reason), ("ticket", ticket), ("error", error), ("rolledBackTo", rolled_back_to), ("sameAs", same_as)):
            if value is not None:
                revision[field] = value
        self.revisions[sequence] = revision
        self.manifests[sequence] = whole
        application["lastRevision"] = sequence
        application["lastOutcome"] = outcome
        if kind != "reconcile" and outcome == "succeeded":
            application["deployed"] = {"sequence": sequence, "kind": kind, "commit": revision["source"]["commit"]["id"],
                                       "subject": revision["source"]["commit"]["subject"], "desired": revision["desired"], "actor": actor,
                                       "cause": cause, "finishedAt": stamp(at)}
            application["version"] = version
        application["sync"], application["health"] = sync, {"status": health}
        application["comparedAt"] = stamp(at)
        self._target(application, revision["source"]["commit"])
        return revision

    def add_event(self, kind, name=None, actor="shiplog", revision=None, outcome="succeeded", facts=None, at=None):
        sequence = self.next_sequence()
        event = {"sequence": sequence, "recordedAt": stamp(at or datetime.now(timezone.utc)), "kind": kind,
                 "actor": {"name": actor, "means": "controller" if actor == "shiplog" else "token"}, "outcome": outcome, "facts": facts or {}}
        if name:
            application = self.applications[name]
            event["application"] = {"uid": application["uid"], "name": name, "project": application["project"]}
        if revision:
            event["revision"] = revision
        self.events[sequence] = event
        return event

    def add_application(self, name, project="default", automated=True, path="deploy"):
        application = {
            "name": name, "namespace": "argocd", "uid": hashlib.sha1(name.encode()).hexdigest()[:12], "project": project, "labels": {},
            "source": {"repository": f"https://gitlab.example.com/shop/{name}.git", "path": path, "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "sync": "Unknown", "health": {"status": "Unknown"}, "activity": "idle", "conditions": [], "changedBy": self.sequence + 1,
            "etag": f'"{self.sequence + 1}"', "version": 1,
        }
        if automated:
            application["automated"] = {"prune": True, "selfHeal": True, "allowEmpty": False}
        self.applications[name] = application
        return application

    def _target(self, application, commit):
        application["targetCommit"] = commit

    # -- reading

    def public(self, name, whole=False):
        application = {key: value for key, value in self.applications[name].items() if key not in ("version", "live")}
        if whole:
            version = self.applications[name]["version"]
            out = application["sync"] == "OutOfSync"
            application["document"] = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
                                       "spec": {"project": application["project"], "source": {
                                           "repoURL": application["source"]["repository"], "path": application["source"]["path"], "targetRevision": "main"},
                                           "destination": application["destination"]}}
            application["resources"] = [
                {"group": group_of(one), "kind": one["kind"], "namespace": one["metadata"]["namespace"], "name": one["metadata"]["name"],
                 "apiVersion": one["apiVersion"], "sync": "OutOfSync" if out and one["kind"] == "Deployment" else "Synced",
                 "health": application["health"]["status"] if one["kind"] == "Deployment" else "Healthy" if one["kind"] == "Service" else None,
                 "message": "1 of 3 replicas are available" if one["kind"] == "Deployment" and application["health"]["status"] == "Degraded" else None,
                 "requiresPruning": False} for one in manifests(name, version)]
        return application

    def _fill(self, size, hostile):
        self.add_event("server.started", facts={"version": "0.1.0"}, at=self.now - timedelta(days=9))
        for name, project, automated in (("guestbook", "default", True), ("payments-api", "shop", True), ("checkout", "shop", False),
                                         ("storefront", "shop", True), ("search-indexer", "shop", True), ("docs", "default", True)):
            self.add_application(name, project, automated)
            self.add_event("application.created", name, "Ada Byron", at=self.now - timedelta(days=9))
        at = self.now - timedelta(days=8)
        for version in range(1, size + 1):
            at += timedelta(minutes=max(1, 8 * 24 * 60 // (size + 6)))
            last = self.add_revision("guestbook", version, at, cause="webhook" if version % 3 else "poll")
            if version % 5 == 0:
                self.add_event("health.reached", "guestbook", revision=last["sequence"], facts={"health": "Healthy"}, at=at + timedelta(seconds=8))
        for count, name in enumerate(("payments-api", "checkout", "storefront", "search-indexer", "docs")):
            for version in (1, 2, 3):
                self.add_revision(name, version, self.now - timedelta(hours=30 - 6 * version, minutes=count),
                                  actor="shiplog" if name != "checkout" else "Grace Hopper", cause="automated" if name != "checkout" else "manual")
        good = self.revisions[max(key for key, one in self.revisions.items() if one["application"]["name"] == "guestbook")]
        bad = self.add_revision("guestbook", size + 1, self.now - timedelta(minutes=52), health="Degraded", subject="Switch to the distroless image")
        self.add_revision("guestbook", size, self.now - timedelta(minutes=41), kind="rollback", cause="manual", actor="Ada Byron",
                          reason="pods of the distroless image crash on start", ticket="OPS-1182", rolled_back_to=good["sequence"],
                          options={"prune": True, "hold": "until-new-commit"})
        guestbook = self.applications["guestbook"]
        guestbook["pin"] = {"hold": "until-new-commit", "target": good["sequence"], "commit": good["source"]["commit"]["id"],
                            "desired": good["desired"], "rejected": [bad["desired"]]}
        self._target(guestbook, bad["source"]["commit"])
        self.add_event("pin.set", "guestbook", "Ada Byron", facts={"hold": "until-new-commit"}, at=self.now - timedelta(minutes=41))
        failure = {"code": "cluster.field-immutable", "message": "Deployment payments-api: spec.selector cannot be changed once it is set",
                   "hint": "Sync with --replace to delete and create it, or keep the selector."}
        whole = manifests("payments-api", 4)
        self.add_revision("payments-api", 4, self.now - timedelta(minutes=23), outcome="failed", sync="OutOfSync", health="Degraded", error=failure,
                          cause="webhook", resources=[
                              {"group": group_of(one), "kind": one["kind"], "namespace": one["metadata"]["namespace"], "name": one["metadata"]["name"],
                               "apiVersion": one["apiVersion"], "action": {"Deployment": "failed", "Service": "skipped"}.get(one["kind"], "updated"),
                               "wave": 0, "message": failure["message"] if one["kind"] == "Deployment" else "configured",
                               **({"code": failure["code"]} if one["kind"] == "Deployment" else {})} for one in whole])
        self.applications["payments-api"]["conditions"] = [{**failure, "since": stamp(self.now - timedelta(minutes=23))}]
        self.add_revision("storefront", 3, self.now - timedelta(minutes=17), kind="sync", cause="self-heal")
        changed = self.add_event("application.changed", "checkout", "Ada Byron", at=self.now - timedelta(minutes=14), facts={
            "changed": ["/spec/source/targetRevision", "/spec/syncPolicy/automated", "/spec/webhook/gitlab/0/secret"]})
        changed.update(requestID="5f0c6d1c9d4b7a30b2d1e6aa", erased=[], detail={"address": "192.0.2.7"}, changes=[
            {"path": "/spec/source/targetRevision", "before": "main", "after": "release"},
            {"path": "/spec/syncPolicy/automated", "before": {"prune": True, "selfHeal": True}},
            {"path": "/spec/webhook/gitlab/0/secret", "before": "hmac:" + "1a" * 32, "after": "hmac:" + "2b" * 32}])
        changed["actor"]["tokenID"] = "252x7qtkdnj9"
        checkout = self.add_revision("checkout", 3, self.now - timedelta(minutes=12), kind="reconcile", cause="poll", sync="OutOfSync")
        self._target(self.applications["checkout"], self.commit("checkout", 4, "Offer invoices as a way to pay"))
        for _ in range(4):
            self.add_revision("docs", 3, self.now - timedelta(minutes=9), kind="reconcile", cause="poll", same_as=checkout["sequence"])
        self.add_revision("search-indexer", 4, self.now - timedelta(minutes=3), health="Progressing")
        self.add_event("request.refused", None, "unknown", outcome="refused", facts={"code": "session.invalid", "count": 3}, at=self.now - timedelta(minutes=2))
        if hostile:
            self.add_application("hostile")
            for version, text in enumerate(HOSTILE, 1):
                self.add_revision("hostile", version, self.now - timedelta(seconds=60 - version), subject=text, reason=text, actor=text[:60])
            event = self.add_event("application.changed", "hostile", HOSTILE[0][:60], facts={"why": HOSTILE[1], "changed": [HOSTILE[2]]})
            event.update(reason=HOSTILE[1], detail={"message": HOSTILE[0], "address": HOSTILE[1][:40]}, requestID=HOSTILE[2][:60], changes=[
                {"path": "/" + text, "before": text, "after": {text: [text]}} for text in HOSTILE])
            application = self.applications["hostile"]
            application["source"]["repository"] = "javascript:window.__xss=1"
            application["conditions"] = [{"code": "git.unreachable", "message": HOSTILE[1], "hint": HOSTILE[0], "since": stamp(self.now)}]
            application["health"]["message"] = HOSTILE[2]
