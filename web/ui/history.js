// The timeline: of all applications at /history, of one on its own page.

import {h, icon, table, cell, say} from "./dom.js";
import {get, query} from "./api.js";
import {listen, start} from "./live.js";
import {badge, commit, subject, time, person, counts, duration, dayOf, dayTitle, applicationAddress, revisionLink, filters, empty,
    loading, problemPanel} from "./parts.js";

const pageSize = 50;
const causes = ["manual", "automated", "unhealthy", "self-heal", "webhook", "poll", "watch", "retry", "spec-change", "startup", "recovery"];

/** Whether a revision that just happened belongs into a list with these filters. */
export function fits(revision, filter) {
    if (filter.application && revision.application?.name !== filter.application) return false;
    if (filter.project && revision.application?.project !== filter.project) return false;
    if (filter.kind && revision.kind !== filter.kind) return false;
    if (filter.cause && revision.cause !== filter.cause) return false;
    if (filter.outcome && revision.outcome !== filter.outcome) return false;
    if (filter.actor && revision.actor?.name !== filter.actor) return false;
    if (filter.commit && !revision.source?.commit?.id?.startsWith(filter.commit.toLowerCase())) return false;
    if (filter.from && revision.recordedAt < filter.from) return false;
    if (filter.to && revision.recordedAt > filter.to) return false;
    return filter.includeUnchanged === "true" || revision.sameAs === undefined || revision.sameAs === null;
}

export async function show(context) {
    context.title("History");
    context.place.append(h("div.head", h("h1", "History"), h("p.summary.muted", "Every sync, rollback and change found, of all applications")));
    await timeline(context, context.place, null);
}

/** The timeline with its filters; of one application when `name` is given. */
export async function timeline({values, signal}, place, name) {
    const names = ["kind", "cause", "outcome", "actor", "commit", "from", "to", "includeUnchanged", ...(name ? [] : ["application"])];
    let current = Object.fromEntries(names.map((field) => [field, values[field] ?? ""]));
    let items = [];
    let cursor = null;
    let fresh = [];
    let asOf = 0;
    let waiting = null;        // what the stream said while a snapshot was under way
    let run = new AbortController();
    const news = h("div.news");
    const strip = h("div.strip-place");
    const list = h("div");
    const form = filters([
        ...(name ? [] : [{name: "application", label: "Application", search: true}]),
        {name: "kind", label: "Kind", kind: "select", options: ["sync", "rollback", "reconcile"]},
        {name: "outcome", label: "Outcome", kind: "select", options: ["succeeded", "failed", "superseded"]},
        {name: "cause", label: "Cause", kind: "select", options: causes},
        {name: "actor", label: "Who", search: Boolean(name)},
        {name: "commit", label: "Commit", placeholder: "SHA"},
        {name: "from", label: "From", kind: "moment"},
        {name: "to", label: "To", kind: "moment"},
        {name: "includeUnchanged", label: "Unchanged reconciles too", kind: "check"},
    ], current, (next) => { current = next; load(); }, "Filter history");
    place.append(form, strip, news, list);

    const fields = () => ({...current, ...(name ? {application: name} : {})});
    const request = (more) => query("/revisions", {...fields(), limit: pageSize, ...more});

    async function load({quiet = false} = {}) {
        run.abort();
        run = new AbortController();
        const own = run.signal;
        waiting = [];
        const done = quiet ? () => {} : loading(list, "history");
        try {
            const page = await get(request({}), own);
            if (signal.aborted || own.aborted) return;
            done();
            items = page.items;
            cursor = page.nextCursor ?? null;
            asOf = page.asOf ?? 0;
            fresh = [];
            const missed = waiting;
            waiting = null;
            start(asOf);
            paint();
            for (const revision of missed) arrive(revision);
        } catch (problem) {
            if (problem.name === "AbortError" || signal.aborted) return;
            done();
            waiting = null;
            if (!quiet) list.replaceChildren(problemPanel(problem, () => load()));
        }
    }

    // After a gap: what is new joins what waits to be shown, rows stay where they are. Only when more than a page was
    // missed is the list itself taken again.
    async function catchUp() {
        if (waiting) return;
        try {
            const page = await get(request({}), signal);
            const newest = Math.max(asOf, items[0]?.sequence ?? 0, fresh[0]?.sequence ?? 0);
            const isWhole = !page.nextCursor || page.items.some((item) => item.sequence <= newest);
            if (!isWhole || page.asOf < asOf) await load({quiet: true});
            else for (const item of [...page.items].reverse()) if (item.sequence > newest) arrive(item);
        } catch (problem) {
            if (problem.name !== "AbortError" && problem.status === undefined) throw problem;
        }
    }

    async function older(event) {
        const button = event.target;
        button.disabled = true;
        try {
            const page = await get(request({cursor}), signal);
            const first = page.items[0];
            const known = new Set(items.map((item) => item.sequence));
            items.push(...page.items.filter((item) => !known.has(item.sequence)));
            cursor = page.nextCursor ?? null;
            paint();
            if (first) list.querySelector('[data-row="' + Number(first.sequence) + '"]')?.focus();
            say(page.items.length + " older revisions loaded");
        } catch (problem) {
            if (problem.name === "AbortError") return;
            button.disabled = false;
            button.parentElement.append(problemPanel(problem));
        }
    }

    function paint() {
        paintNews();
        strip.replaceChildren(items.length > 1 ? markStrip(items) : "");
        const active = Object.values(current).some(Boolean);
        if (!items.length) {
            list.replaceChildren(active
                ? empty("No revision matches", h("p", "Nothing fits these filters."), h("button.button", {type: "button", onclick: form.clear}, "Clear filters"))
                : empty("Nothing has happened yet", h("p", "The first reconcile, sync or rollback will appear here as it ends.")));
            return;
        }
        const groups = [];
        for (const item of items) {
            const day = dayOf(item.recordedAt);
            if (groups.at(-1)?.day !== day) groups.push({day, title: dayTitle(item.recordedAt), members: []});
            groups.at(-1).members.push(item);
        }
        const columns = ["Revision", "Time", ...(name ? [] : ["Application"]), "What", "Result", "Who", {title: "Took", class: "num"}];
        list.replaceChildren(
            table("Revisions", columns, groups.map((group) => h("tbody",
                h("tr.group", h("th", {scope: "colgroup", colspan: String(columns.length), role: "rowheader"}, group.title)),
                group.members.map((item) => revisionRow(item, name)))), "timeline"),
            h("p.more", cursor
                ? h("button.button", {type: "button", onclick: older}, "Load older")
                : h("span.muted", "This is the beginning" + (active ? " of what matches." : "."))));
    }

    function arrive(revision) {
        if (revision.sequence <= asOf || !fits(revision, fields())) return;
        if (fresh.some((one) => one.sequence === revision.sequence) || items.some((one) => one.sequence === revision.sequence)) return;
        fresh.unshift(revision);
        paintNews();
        say(fresh.length + (fresh.length === 1 ? " new revision" : " new revisions"));
    }

    function paintNews() {
        news.replaceChildren(fresh.length ? h("button.button.fresh", {type: "button", onclick: () => {
            items = [...fresh, ...items];
            const newest = fresh[0].sequence;
            fresh = [];
            paint();
            list.querySelector('[data-row="' + Number(newest) + '"]')?.focus();
        }}, icon("refresh"), fresh.length + " new – show") : "");
    }

    listen((message) => {
        if (message.type === "revision") {
            if (waiting) waiting.push(message.data);
            else arrive(message.data);
        }
        if (message.type === "stale") catchUp();
    }, signal);
    document.addEventListener("shiplog:zone", () => paint(), {signal});

    await load();
}

function revisionRow(revision, name) {
    const said = revision.reason ? h("div.sub.reason", "“", h("bdi", revision.reason), "”") : null;
    const failed = revision.outcome === "failed";
    return h("tr", {class: failed ? "bad" : revision.kind === "rollback" ? "back" : null},
        h("th", {scope: "row", role: "rowheader", class: "tight", "data-label": "Revision"},
            revisionLink(revision.sequence, {data: {row: String(revision.sequence)}})),
        cell("Time", {class: "tight"}, time(revision.recordedAt, "clock")),
        name ? null : cell("Application", {class: "app"}, h("a", {href: applicationAddress(revision.application.name)}, revision.application.name)),
        cell("What", {class: "what"},
            h("div.line", badge(revision.kind, kindWords(revision)), " ",
                revision.source?.commit ? [commit(revision.source.commit.id, revision.source.repository), " ", subject(revision.source.commit.subject)] : null),
            failed && revision.error ? h("div.sub.error", h("bdi", revision.error.message)) : null, said),
        cell("Result", {class: "result"}, h("div.line", badge(revision.outcome), " ", counts(revision.counts)),
            h("div.sub.states", badge(revision.sync), " ", badge(revision.health))),
        cell("Who", {class: "whom"}, person(revision.actor), h("div.sub", causeWords[revision.cause] ?? revision.cause)),
        cell("Took", {class: "num tight took"}, duration(revision.durationMs)));
}

function kindWords(revision) {
    if (revision.kind !== "rollback") return undefined;
    const word = revision.reactsTo ? "Automatic rollback" : "Rollback";
    return revision.rolledBackTo ? word + " to #" + revision.rolledBackTo : word;
}

export const causeWords = {manual: "by hand", automated: "automatic", unhealthy: "not Healthy", "self-heal": "self-heal", webhook: "webhook", poll: "poll",
    retry: "retry", startup: "at start", recovery: "recovery", watch: "cluster watch", "spec-change": "new specification"};
export {kindWords};

// One mark a revision, oldest left: a picture of what the table says, so it is hidden from those the table is read to.
function markStrip(items) {
    const marks = items.filter((item) => item.kind !== "reconcile" || item.outcome !== "succeeded").slice(0, 60).reverse();
    if (marks.length < 3) return "";
    return h("div.strip", {"aria-hidden": "true"}, marks.map((item) => {
        const tone = item.outcome === "failed" ? "bad" : item.outcome === "superseded" ? "dim" : item.kind === "rollback" ? "back" : "good";
        const shape = item.outcome === "failed" ? "cross" : item.outcome === "superseded" ? "paused" : item.kind === "rollback" ? "rollback" : "live";
        return h("a", {href: "/revisions/" + item.sequence, tabindex: "-1", class: tone,
            title: "#" + item.sequence + " " + item.kind + " " + item.outcome}, icon(shape));
    }));
}
