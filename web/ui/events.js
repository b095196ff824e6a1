// What an act of the audit log says: in a sentence, and field by field.

import {h, reveal, table, cell} from "./dom.js";
import {badge, time, person, applicationAddress, revisionLink} from "./parts.js";

export const kinds = ["attempt.started", "health.reached", "application.created", "application.changed", "application.deleted", "project.created", "project.changed",
    "project.deleted", "policy.refused", "policy.overridden", "cluster.accepted", "pin.set", "pin.released", "pin.rejected", "rollback.withheld",
    "webhook.delivered", "request.refused", "operation.terminated", "operation.confirmed", "operation.joined", "fleet.started", "fleet.ended",
    "token.created", "token.revoked", "session.opened", "session.closed", "secrets.erased", "body.erased", "ledger.folded", "epoch.started", "epoch.confirmed",
    "key.rotated", "checkpoint.cosigned", "checkpoint.anchored", "notification.dead", "notification.retried", "notification.delivered", "server.started", "server.stopped", "configuration.loaded", "ledger.verified", "ledger.exported"];

const fact = (event, name) => event.facts?.[name];
const because = (event) => event.reason ? [" because “", h("bdi", event.reason), "”"] : "";

const acts = {
    "attempt.started": (event) => ["began a ", fact(event, "kind") ?? "sync", because(event)],
    "health.reached": (event) => ["saw it become ", fact(event, "health") ?? event.outcome],
    "application.created": () => ["made the application"],
    "application.changed": (event) => ["changed ", changed(event), " of the specification"],
    "application.deleted": (event) => ["deleted the application", because(event)],
    "project.created": (event) => ["made the project ", h("bdi", fact(event, "name"))],
    "project.changed": (event) => ["changed ", changed(event), " of the project ", h("bdi", fact(event, "name"))],
    "project.deleted": (event) => ["deleted the project ", h("bdi", fact(event, "name")), because(event)],
    "policy.refused": (event) => ["did not go on: ", h("code", fact(event, "code")), " of the project ", h("bdi", fact(event, "project"))],
    "policy.overridden": (event) => ["set a sync window aside for a ", fact(event, "operation") ?? "sync", because(event)],
    "cluster.accepted": () => ["accepted the cluster that answers at the destination"],
    "pin.set": (event) => ["pinned it", because(event)],
    "pin.released": (event) => ["released the pin: ", fact(event, "why") ?? "asked for", because(event)],
    "pin.rejected": () => ["kept a rejected state from coming back"],
    "rollback.withheld": (event) => ["did not go back although ", event.revision ? revisionLink(event.revision) : "a new commit", " had not become Healthy: ",
        h("code", fact(event, "code"))],
    "webhook.delivered": (event) => ["delivered a ", fact(event, "event") ?? "webhook", ", which woke ", String(fact(event, "woken") ?? 0)],
    "request.refused": (event) => [event.outcome === "failed" ? "asked in vain: " : "was refused: ", h("code", fact(event, "code")),
        fact(event, "count") > 1 ? " " + fact(event, "count") + " times" : ""],
    "operation.terminated": () => ["ended what was running"],
    "operation.confirmed": (event) => ["confirmed ", String(fact(event, "count") ?? ""), " prunes that a sync waited with"],
    "operation.joined": () => ["asked for a refresh that another look answered"],
    "token.created": (event) => ["made a token for ", h("bdi", fact(event, "name")), ", ", fact(event, "role") ?? ""],
    "token.revoked": (event) => ["revoked the token ", h("code", fact(event, "id"))],
    "session.opened": () => ["signed in"],
    "session.closed": () => ["signed out"],
    "secrets.erased": (event) => ["erased stored secrets", because(event)],
    "body.erased": (event) => ["erased the ", fact(event, "erased")?.name ?? "part", " of #" + (fact(event, "erased")?.sequence ?? "?"), because(event)],
    "ledger.folded": (event) => fact(event, "entries") === undefined ? ["let ", String(fact(event, "bundles")), " bundles of folded rows go"]
        : ["folded ", String(fact(event, "entries")), " unchanged rows up to #" + fact(event, "last")],
    "epoch.started": (event) => [fact(event, "lostFirst") ? "began epoch " + fact(event, "epoch") + "; #" + fact(event, "lostFirst") + " to #" + fact(event, "lostLast") + " were lost"
        : "began the signed log", because(event)],
    "epoch.confirmed": (event) => ["confirmed what was restored", because(event)],
    "fleet.started": (event) => ["began to take ", count(fact(event, "applications"), "application"), " back to #" + (fact(event, "at") ?? "?"), because(event)],
    "fleet.ended": (event) => ["ended the rollback #" + (fact(event, "group") ?? "?") + ": ", String(fact(event, "succeeded") ?? "?"), " succeeded, ",
        String(fact(event, "failed") ?? "?"), " failed, ", String(fact(event, "skipped") ?? "?"), " skipped"],
    "ledger.exported": (event) => ["exported ", count(fact(event, "entries"), "entry", "entries"), ", #" + (fact(event, "first") ?? "?") + " to #" + (fact(event, "last") ?? "?")],
    "key.rotated": (event) => ["replaced the key that signs the log", because(event)],
    "ledger.verified": (event) => ["verified the ledger: ", String(fact(event, "findings") ?? "?"), " findings in ", String(fact(event, "rows") ?? "?"), " rows"],
    "notification.dead": (event) => ["gave up telling ", h("bdi", fact(event, "notification") ?? "?"), " of ", about(event), " after ", String(fact(event, "tries") ?? "?"), " tries"],
    "notification.retried": (event) => ["wants ", h("bdi", fact(event, "notification") ?? "?"), " told of ", about(event), " after all"],
    "notification.delivered": (event) => ["told ", h("bdi", fact(event, "notification") ?? "?"), " of ", about(event), " after all"],
    "server.started": (event) => ["started, version ", fact(event, "version") ?? "?",
        fact(event, "unfinished") ? "; the start before, #" + fact(event, "unfinished") + ", has no end" : ""],
    "server.stopped": (event) => ["stopped: ", fact(event, "why") ?? "?"],
    "configuration.loaded": (event) => ["loaded ", fact(event, "file") ? h("bdi", fact(event, "file")) : "the standard configuration",
        fact(event, "changed")?.length ? ", changed in " + changed(event) : ""],
};

const count = (number, one, many = one + "s") => (number ?? "?") + " " + (number === 1 ? one : many);
const about = (event) => "#" + (fact(event, "sequence") ?? "?");

function changed(event) {
    const number = fact(event, "changed")?.length;
    return number === undefined ? "parts" : number + (number === 1 ? " field" : " fields");
}

/** What somebody did, without the name. */
export const act = (event) => acts[event.kind]?.(event) ?? [event.kind];

/** `ada released the pin of guestbook: asked for.` */
export function sentence(event) {
    return h("p.sentence", person(event.actor), " ", act(event),
        event.application ? [" – ", h("a", {href: applicationAddress(event.application.name)}, h("bdi", event.application.name))] : null, ".");
}

/** Where it came from: an address, or the way in when that is not shown or was erased. */
export const source = (event) => event.detail?.address ?? (event.erased?.includes("address") ? "erased" : null);

/** Everything there is to know of one event. */
export function facts(event) {
    const rows = [
        ["Time", time(event.recordedAt)], ["Who", [person(event.actor), " (", event.actor.means, ")"]],
        ["Token", event.actor.tokenID ? h("code", event.actor.tokenID) : null], ["From", source(event)],
        ["Request", event.requestID ? h("code", event.requestID) : null], ["Outcome", badge(event.outcome)],
        ["Target", event.application ? h("bdi", event.application.name + " (" + event.application.project + ")") : null],
        ["Revision", event.revision ? revisionLink(event.revision) : null],
        // The table of what changed says it better.
        ...Object.entries(event.facts ?? {}).filter(([name]) => name !== "changed" || !event.changes).map(([name, value]) => [name, text(value)]),
        ["Message", event.detail?.message], ["Erased", event.erased?.length ? event.erased.join(", ") : null],
        ["Leaf hash", event.digest ? h("code.hash", event.digest) : null],
    ];
    return h("dl.facts", rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
        h("div", h("dt", name), h("dd", value))));
}

const text = (value) => h("bdi", typeof value === "string" ? value : JSON.stringify(value));

/** Before and after, field by field. */
export function changes(event) {
    if (!event.changes) return null;
    if (!event.changes.length) return h("p.muted", "Nothing differs.");
    const side = (value, sign, className) => value === undefined ? h("span.muted", "–")
        : h("span", {class: className}, h("span", {"aria-hidden": "true"}, sign + " "), text(value));
    return table("What changed", ["Field", "Before", "After"], event.changes.map((change) => h("tr",
        h("th", {scope: "row", role: "rowheader"}, h("code", reveal(change.path || "/"))),
        cell("Before", null, side(change.before, "−", "was")), cell("After", null, side(change.after, "+", "is")))), "changed");
}
