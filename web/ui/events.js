// The audit log: every act that is no revision, for auditors.

import {h, icon, table, cell, say} from "./dom.js";
import {get, query, base} from "./api.js";
import {listen, start} from "./live.js";
import {badge, time, person, dayOf, dayTitle, applicationAddress, revisionLink, filters, empty, loading, problemPanel} from "./parts.js";

const kinds = ["attempt.started", "health.reached", "application.created", "application.changed", "application.deleted", "cluster.accepted",
    "pin.set", "pin.released", "pin.rejected", "webhook.delivered", "request.refused", "operation.terminated", "fleet.started", "fleet.ended", "token.created", "token.revoked", "session.opened",
    "session.closed", "secrets.erased", "body.erased", "ledger.folded", "epoch.started", "epoch.confirmed", "key.rotated", "checkpoint.cosigned", "checkpoint.anchored",
    "server.started", "server.stopped", "ledger.verified", "ledger.exported"];

export async function show({place, values, signal, title}) {
    title("Events");
    const names = ["kind", "application", "actor", "from", "to"];
    let current = Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
    let items = [];
    let cursor = null;
    let asOf = 0;
    let fresh = 0;
    const list = h("div");
    const news = h("div.news");
    const form = filters([
        {name: "kind", label: "Kind", kind: "select", options: kinds},
        {name: "application", label: "Application", search: true},
        {name: "actor", label: "Who"},
        {name: "from", label: "From", kind: "moment"},
        {name: "to", label: "To", kind: "moment"},
    ], current, (next) => { current = next; load(); }, "Filter events");
    place.append(h("div.head", h("h1", "Events"), h("p.summary.muted", "Every act worth auditing that is no revision; they share one numbering")), form, news, list);

    async function load() {
        const done = loading(list, "events");
        try {
            const page = await get(query("/events", {...current, limit: 50}), signal);
            done();
            items = page.items;
            cursor = page.nextCursor ?? null;
            asOf = page.asOf;
            fresh = 0;
            start(asOf);
            paint();
        } catch (problem) {
            done();
            if (problem.name !== "AbortError") list.replaceChildren(problemPanel(problem, load));
        }
    }

    async function older(event) {
        event.target.disabled = true;
        try {
            const page = await get(query("/events", {...current, limit: 50, cursor}), signal);
            items.push(...page.items);
            cursor = page.nextCursor ?? null;
            paint();
            say(page.items.length + " older events loaded");
        } catch (problem) {
            if (problem.name !== "AbortError") list.append(problemPanel(problem));
        }
    }

    function paint() {
        news.replaceChildren();
        if (!items.length) {
            list.replaceChildren(empty("No event matches", h("p", "Nothing fits these filters.")));
            return;
        }
        const groups = [];
        for (const item of items) {
            const day = dayOf(item.recordedAt);
            if (groups.at(-1)?.day !== day) groups.push({day, title: dayTitle(item.recordedAt), members: []});
            groups.at(-1).members.push(item);
        }
        list.replaceChildren(table("Events", ["Entry", "Time", "Event", "About", "Who", "Facts"],
            groups.map((group) => h("tbody", h("tr.group", h("th", {scope: "colgroup", colspan: "6", role: "rowheader"}, group.title)), group.members.map(row))), "events"),
            h("p.more", cursor ? h("button.button", {type: "button", onclick: older}, "Load older") : h("span.muted", "This is the beginning.")));
    }

    listen((message) => {
        const isNew = message.type === "event" && message.data.sequence > asOf && (!current.kind || message.data.kind === current.kind)
            && (!current.application || message.data.application?.name === current.application);
        if (!isNew && message.type !== "stale") return;
        if (isNew) fresh += 1;
        if (!fresh) return;
        news.replaceChildren(h("button.button.fresh", {type: "button", onclick: load}, icon("refresh"), fresh + " new – show"));
    }, signal);
    document.addEventListener("shiplog:zone", paint, {signal});
    await load();
}

function row(event) {
    const facts = [...Object.entries(event.facts ?? {}), ...Object.entries(event.detail && typeof event.detail === "object" ? event.detail : {})];
    return h("tr", {class: event.outcome === "refused" || event.outcome === "failed" ? "bad" : null},
        h("th", {scope: "row", role: "rowheader", class: "tight", "data-label": "Entry"},
            h("a.number", {href: base + "/entries/" + event.sequence, target: "_blank", data: {row: String(event.sequence)}}, "#" + event.sequence)),
        cell("Time", {class: "tight"}, time(event.recordedAt, "clock")),
        cell("Event", null, h("code.event", event.kind), event.outcome && event.outcome !== "succeeded" ? h("div.sub", badge(event.outcome)) : null),
        cell("About", null, event.application ? h("a", {href: applicationAddress(event.application.name)}, h("bdi", event.application.name)) : h("span.muted", "–"),
            event.revision ? [" ", revisionLink(event.revision)] : null),
        cell("Who", null, person(event.actor), event.actor ? h("div.sub", event.actor.means) : null),
        cell("Facts", {class: "message"}, facts.length ? h("span.small", facts.slice(0, 8).map(([key, value], index) =>
            [index ? "; " : null, h("span.muted", key + " "), h("bdi", typeof value === "string" ? value : JSON.stringify(value))])) : null));
}
