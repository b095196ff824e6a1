"""The past, as the fake server tells it: states at a row, what differs, and rollbacks of several applications."""

import threading
import time


def state(data, name, sequence):
    """An application at a row; None before its first revision. `mixed` where the newest attempt by then had failed."""
    application = data.applications[name]
    mine = [one for one in data.revisions.values() if one["application"]["name"] == name and one["sequence"] <= sequence]
    if not mine:
        return None
    newest = max(mine, key=lambda one: one["sequence"])
    attempts = sorted((one for one in mine if one["kind"] != "reconcile"), key=lambda one: -one["sequence"])
    whole = next((one for one in attempts if one["outcome"] == "succeeded"), None)
    value = {"application": {"uid": "uid-" + name, "name": name, "project": application["project"]}, "presence": "existed",
             "createdBy": 1, "sync": newest["sync"], "health": newest["health"]}
    failed = [one for one in attempts if whole is None or one["sequence"] > whole["sequence"]]
    if failed:
        value.update(state="mixed", parts=[{"sequence": one["sequence"], "outcome": one["outcome"], "resources": 1, "unknown": False} for one in failed])
        if whole:
            value["base"] = deployment(whole)
    elif whole:
        value.update(state="whole", deployed=deployment(whole))
    else:
        value["state"] = "nothing"
    return value


def deployment(one):
    commit = (one.get("source") or {}).get("commit") or {}
    return {"sequence": one["sequence"], "deployedAt": one["recordedAt"], "kind": one["kind"], "cause": one["cause"], "actor": one["actor"],
            "commit": commit.get("id"), "subject": commit.get("subject"), "desired": one.get("desired"), "leftover": 0}


def states(data, sequence, project):
    found = [state(data, name, sequence) for name in sorted(data.applications)]
    return [one for one in found if one and project in (None, one["application"]["project"])]


def key(one):
    return one.get("state"), (one.get("deployed") or {}).get("desired"), str(one.get("parts"))


def resolve(data, text, refuse):
    if text is None:
        return data.sequence
    digits = text.lstrip("#@")
    if digits.isdigit():
        if int(digits) > data.sequence:
            raise refuse(404, "state.sequence-unknown", f"the log has no #{digits} yet")
        return int(digits)
    rows = {**data.revisions, **data.events}
    return max((number for number, one in rows.items() if one["recordedAt"] <= text), default=0)


def instant(data, sequence):
    one = data.revisions.get(sequence) or data.events.get(sequence)
    return {"sequence": sequence, **({"recordedAt": one["recordedAt"]} if one else {})} if sequence else {}


def compare(data, before, after, project):
    old = {one["application"]["uid"]: one for one in states(data, before, project)}
    new = {one["application"]["uid"]: one for one in states(data, after, project)}
    items = []
    for uid in sorted({**old, **new}):
        if uid not in new:
            items.append({"application": old[uid]["application"], "change": "vanished", "before": old[uid]})
        elif uid not in old:
            items.append({"application": new[uid]["application"], "change": "appeared", "after": new[uid]})
        elif key(old[uid]) != key(new[uid]):
            items.append({"application": new[uid]["application"], "change": "changed", "before": old[uid], "after": new[uid]})
    return items, len(set(old) & set(new)) - sum(one["change"] == "changed" for one in items)


def answer(handler, method, path, first, query, body):
    """(status, value), or None when the address is another's."""
    fake, data = handler.fake, handler.fake.data
    from fake_api import Refusal
    if path == "/state":
        at = resolve(data, first("at"), Refusal)
        found, start, limit = states(data, at, first("project")), int(first("cursor", "0")), int(first("limit", "50"))
        page = {"at": instant(data, at), "items": found[start:start + limit], "asOf": data.sequence}
        if start + limit < len(found):
            page["nextCursor"] = str(start + limit)
        return 200, page
    if path == "/state/compare":
        before, after = (resolve(data, first(name), Refusal) for name in ("from", "to"))
        items, unchanged = compare(data, before, after, first("project"))
        return 200, {"from": instant(data, before), "to": instant(data, after), "items": items, "unchanged": unchanged, "asOf": data.sequence}
    if path == "/plans":
        handler.need("deployer", "admin")
        return 200, {"plan": plan(fake, body, resolve(data, body["at"], Refusal))}
    if path == "/plans/apply":
        person = handler.need("deployer", "admin")
        if fake.plan_moved:
            raise Refusal(412, "plan.moved", "guestbook: something else was deployed since the plan was made", "Make the plan again and look at it.")
        return 202, {"fleet": begin(fake, body, person)}
    if path.startswith("/fleets/"):
        fleet = fake.fleets.get(int(path.split("/")[2]))
        if fleet is None:
            raise Refusal(404, "fleet.not-found", "There is no such rollback")
        until = time.monotonic() + min(5, int(first("wait", "0")))
        while fleet["state"] != "finished" and time.monotonic() < until:
            time.sleep(0.02)
        return 200, fleet
    return None


def plan(fake, body, at):
    data = fake.data
    projects = body.get("projects")
    items = []
    changed, _ = compare(data, at, data.sequence, projects[0] if projects else None)
    for one in changed:
        item = {"application": one["application"], "notes": [], "changes": []}
        name = one["application"]["name"]
        change = {"group": "apps", "kind": "Deployment", "namespace": "demo", "name": name}
        if one["change"] == "appeared":
            item.update(action="delete", offered=not body.get("delete"), expects={}, changes=[{**change, "action": "prune"}], notes=["it did not exist then"])
        elif one["before"].get("state") != "whole":
            item.update(action="cannot", error={"code": "plan.state-mixed", "message": f"what was deployed of {name} then was no one revision's",
                                                "hint": f"roll it back by itself to a revision of `shiplog app history {name}`"})
        else:
            item.update(action="rollback", offered=False, target=one["before"]["deployed"]["sequence"],
                        expects={"applied": data.applications[name]["lastRevision"]}, changes=[{**change, "action": "update"}])
        items.append(item)
    return {"kind": "rollback", "at": instant(data, at), "madeAt": data.revisions[max(data.revisions)]["recordedAt"], "asOf": data.sequence,
            "options": {name: body.get(name, False) for name in ("recreate", "delete", "replace", "keepSecrets")}, "items": items}


def begin(fake, body, person):
    with fake.lock:
        event = fake.data.add_event("fleet.started", None, person["name"])
        group = event["sequence"]
        fleet = {"group": group, "at": body["plan"]["at"]["sequence"], "actor": {"name": person["name"], "means": "session"},
                 "startedAt": event["recordedAt"], "reason": body["reason"], "continueOnError": bool(body.get("continueOnError")), "state": "running",
                 "items": [{"application": one["application"], "action": one["action"], "target": one.get("target"), "result": "waiting"}
                           for one in body["plan"]["items"]]}
        fake.fleets[group] = fleet

    def run():
        for item in fleet["items"]:
            item["result"] = "running"
            time.sleep(fake.operation_seconds / 2)
            with fake.lock:
                revision = fake.happen(item["application"]["name"], 99, kind="rollback", cause="manual", actor=person["name"], reason=body["reason"],
                                       rolled_back_to=item["target"])
                item.update(result="succeeded", revision=revision["sequence"])
        fleet.update(state="finished", outcome="succeeded")

    threading.Thread(target=run, daemon=True).start()
    return fleet
