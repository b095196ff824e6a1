// All applications: what needs a person first, then the rest.

import {h, icon, table, cell, say} from "./dom.js";
import {get, query} from "./api.js";
import {listen, start} from "./live.js";
import {badge, commit, subject, moment, person, applicationAddress, revisionLink, filters, empty, loading, problemPanel, activityText} from "./parts.js";

const pageSize = 200;

/** Why an application needs a person, most urgent first; empty when it does not. */
export function attention(application) {
    const reasons = [];
    if (application.lastOutcome === "failed") reasons.push("the last attempt failed");
    if (application.health?.status === "Degraded") reasons.push("degraded");
    if (application.health?.status === "Missing") reasons.push("resources are missing");
    if (application.conditions?.length) reasons.push(application.conditions[0].message);
    if (application.sync === "OutOfSync" && application.activity === "idle") reasons.push("out of sync");
    if (application.pin) reasons.push("pinned to #" + application.pin.target);
    return reasons;
}

function urgency(application) {
    if (application.lastOutcome === "failed") return 0;
    if (application.health?.status === "Degraded") return 1;
    if (application.conditions?.length) return 2;
    if (application.pin) return 3;
    return attention(application).length ? 4 : 9;
}

const byUrgency = (one, other) => urgency(one) - urgency(other) || one.name.localeCompare(other.name);

export async function show({place, values, signal, title}) {
    title("Applications");
    const list = h("div");
    const news = h("div.news");
    const summary = h("p.summary.muted");
    const fieldsOf = {q: values.q ?? "", sync: values.sync ?? "", health: values.health ?? "", project: values.project ?? ""};
    let current = fieldsOf;
    let items = [];
    let cursor = null;
    let rows = new Map();
    let run = new AbortController();
    const unlisted = new Set();

    const form = filters([
        {name: "q", label: "Search", search: true, wide: true, placeholder: "name, repository, namespace"},
        {name: "sync", label: "Sync", kind: "select", options: ["Synced", "OutOfSync", "Unknown"]},
        {name: "health", label: "Health", kind: "select", options: ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]},
        {name: "project", label: "Project"},
    ], fieldsOf, (next) => { current = next; load(); }, "Filter applications");
    place.append(h("div.head", h("h1", "Applications"), summary), form, news, list);

    async function load({quiet = false} = {}) {
        run.abort();
        run = new AbortController();
        const own = run.signal;
        const done = quiet ? () => {} : loading(list, "applications");
        try {
            const page = await get(query("/applications", {...current, limit: pageSize}), own);
            if (signal.aborted || own.aborted) return;
            done();
            items = page.items;
            cursor = page.nextCursor ?? null;
            unlisted.clear();
            news.replaceChildren();
            start(page.asOf);
            paint();
        } catch (problem) {
            if (problem.name === "AbortError" || signal.aborted) return;
            done();
            if (quiet) return;
            list.replaceChildren(problemPanel(problem, () => load()));
        }
    }

    function paint() {
        // Whoever stands on a row stays on it when the list is taken again.
        const held = [...rows].find(([, element]) => element.contains(document.activeElement))?.[0];
        rows = new Map();
        const active = Object.values(current).some(Boolean);
        summary.replaceChildren(items.length + (cursor ? "+" : "") + (items.length === 1 ? " application" : " applications") + (active ? " match" : ""));
        if (!items.length) {
            list.replaceChildren(active
                ? empty("No application matches", h("p", "Nothing fits these filters."), h("button.button", {type: "button", onclick: form.clear}, "Clear filters"))
                : empty("No application yet", h("p", "Declare one, in the format Argo CD uses, and give it to Shiplog:"),
                    h("pre", "shiplog app apply -f application.yaml"),
                    h("p.muted", "It needs a token of an admin. If you expected applications here, ask whoever made your token which projects it covers.")));
            return;
        }
        const sorted = [...items].sort(byUrgency);
        const needing = sorted.filter((item) => urgency(item) < 9);
        const rest = sorted.filter((item) => urgency(item) === 9);
        const group = (name, shape, members) => members.length ? h("tbody",
            h("tr.group", h("th", {scope: "colgroup", colspan: "5", role: "rowheader"}, icon(shape), name, " ", h("span.muted", "(" + members.length + ")"))),
            members.map(row)) : null;
        list.replaceChildren(
            table("Applications", ["Application", "Sync", "Health", "Deployed", "Target"],
                [group("Needs attention", "warning", needing), group(needing.length ? "All others" : "All in order", "check", rest)].filter(Boolean), "apps"),
            cursor ? h("p.more", h("button.button", {type: "button", onclick: more}, "Load more")) : "");
        if (held) rows.get(held)?.querySelector("[data-row]")?.focus();
    }

    async function more(event) {
        event.target.disabled = true;
        const page = await get(query("/applications", {...current, limit: pageSize, cursor}), signal).catch((problem) => {
            if (problem.name !== "AbortError") list.append(problemPanel(problem));
            return null;
        });
        if (!page) return;
        items.push(...page.items);
        cursor = page.nextCursor ?? null;
        paint();
    }

    function row(application) {
        const element = h("tr", rowCells(application));
        rows.set(application.name, element);
        return element;
    }

    listen((message) => {
        if (message.type === "stale") load({quiet: true});
        if (message.type === "application") {
            const at = items.findIndex((item) => item.name === message.data.name);
            if (at >= 0) {
                // In place: a row keeps its position under the reader's eyes until the list is loaded again.
                items[at] = message.data;
                const element = rows.get(message.data.name);
                const focused = element?.contains(document.activeElement);
                element?.replaceChildren(...rowCells(message.data));
                if (focused) element.querySelector("[data-row]")?.focus();
            } else if (!Object.values(current).some(Boolean)) {
                unlisted.add(message.data.name);
                offer();
            }
        }
        if (message.type === "event" && message.data.kind === "application.deleted") {
            const name = message.data.application?.name;
            unlisted.delete(name);
            if (items.some((item) => item.name === name)) {
                rows.get(name)?.classList.add("gone");
                offer(1);
            }
        }
    }, signal);

    function offer(extra = 0) {
        const count = unlisted.size + extra;
        if (!count) return;
        news.replaceChildren(h("button.button.fresh", {type: "button", onclick: () => load({quiet: true})}, icon("refresh"),
            "The list has changed – show"));
        say("The list of applications has changed");
    }

    await load();
}

function rowCells(application) {
    const reasons = attention(application);
    const deployed = application.deployed;
    const target = application.targetCommit;
    const behind = target && deployed?.commit && target.id !== deployed.commit;
    return [
        h("th", {scope: "row", role: "rowheader", "data-label": "Application"},
            h("a.name", {href: applicationAddress(application.name), data: {row: ""}}, application.name),
            h("div.sub", application.project !== "default" ? [h("bdi", application.project), " · "] : null,
                h("bdi", application.destination?.namespace || "–"), " on ", h("bdi", clusterName(application.destination)),
                application.activity && application.activity !== "idle" ? [" · ", h("span.activity", icon("progress"), activityText(application))] : null),
            reasons.length ? h("div.why", application.pin ? icon("pin") : icon("warning"), h("bdi", reasons.slice(0, 2).join("; "))) : null),
        cell("Sync", {class: "tight"}, badge(application.sync), autoWord(application)),
        cell("Health", {class: "tight"}, badge(application.health?.status ?? "Unknown")),
        cell("Deployed", null, deployed ? [
            h("div.line", revisionLink(deployed.sequence), deployed.commit ? [" ", commit(deployed.commit, application.source?.repository)] : null, " ", subject(deployed.subject)),
            h("div.sub", deployed.kind === "rollback" ? "rolled back by " : "by ", person(deployed.actor), " · ", moment(deployed.finishedAt)),
        ] : h("span.muted", "never")),
        cell("Target", null, h("div.line", h("code.ref", application.source?.targetRevision ?? "HEAD"), target ? [" ", commit(target.id, application.source?.repository)] : null),
            h("div.sub", behind ? subject(target.subject) : target ? "deployed" : "not read yet")),
    ];
}

function clusterName(destination) {
    if (!destination) return "–";
    if (destination.name) return destination.name;
    return destination.server === "https://kubernetes.default.svc" ? "in-cluster" : destination.server ?? "–";
}

function autoWord(application) {
    return h("div.sub", application.pin ? "pinned" : application.automated ? "automatic" : "by hand");
}

export {clusterName};
