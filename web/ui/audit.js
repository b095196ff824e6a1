// The audit log: every act that is no revision, for auditors; one of them beside the list.

import {h, icon, table, cell, say} from "./dom.js";
import {get, query, base} from "./api.js";
import {listen, start} from "./live.js";
import {badge, time, person, dayOf, dayTitle, applicationAddress, revisionLink, filters, empty, loading, problemPanel} from "./parts.js";
import {evidence} from "./evidence.js";
import {kinds, act, source, sentence, facts, changes} from "./events.js";

const names = ["kind", "application", "actor", "outcome", "from", "to"];

export async function show({place, values, signal, title}) {
    title("Audit log");
    let current = Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
    let selected = /^\d+$/.test(values.event ?? "") ? Number(values.event) : null;
    let items = [];
    let cursor = null;
    let asOf = 0;
    let fresh = 0;
    let visit = 0;
    const list = h("div.list");
    const news = h("div.news");
    const pane = h("aside.detail", {hidden: true, "aria-label": "One event"});
    const form = filters([
        {name: "kind", label: "Action", kind: "select", options: kinds},
        {name: "application", label: "Application", search: true},
        {name: "actor", label: "Who"},
        {name: "outcome", label: "Outcome", kind: "select", options: ["succeeded", "refused", "failed", "ignored"]},
        {name: "from", label: "From", kind: "moment"},
        {name: "to", label: "To", kind: "moment"},
    ], current, (next) => { current = next; load(); keepSelection(); }, "Filter the audit log");
    const split = h("div.split", list, pane);
    place.append(h("div.head", h("h1", "Audit log"), h("p.summary.muted", "Every act besides revisions, refused ones included; they share one numbering")),
        form, evidence(() => current, signal) ?? "", news, split);

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

    const address = (sequence) => query("/audit", {...current, event: sequence});
    // The filters write the address anew; what is open beside them stays in it.
    const keepSelection = () => history.replaceState(history.state, "", address(selected));

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
        list.replaceChildren(table("Audit log", ["Entry", "Time", "Who", "Action", "Target", "Outcome", "From"],
            groups.map((group) => h("tbody", h("tr.group", h("th", {scope: "colgroup", colspan: "7", role: "rowheader"}, group.title)), group.members.map(row))), "events"),
            h("p.more", cursor ? h("button.button", {type: "button", onclick: older}, "Load older") : h("span.muted", "This is the beginning.")));
        mark();
    }

    function row(event) {
        const open = (click) => {
            if (click.button !== 0 || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
            click.preventDefault();
            choose(event.sequence, true);
        };
        return h("tr", {class: event.outcome === "refused" || event.outcome === "failed" ? "bad" : null, data: {event: String(event.sequence)}},
            h("th", {scope: "row", role: "rowheader", class: "tight", "data-label": "Entry"},
                h("a.number", {href: address(event.sequence), onclick: open, data: {row: String(event.sequence)}}, "#" + event.sequence)),
            cell("Time", {class: "tight"}, time(event.recordedAt, "clock")),
            cell("Who", null, person(event.actor), h("div.sub", event.actor.means)),
            cell("Action", {class: "what"}, h("div.line", act(event)), h("div.sub", h("code.event", event.kind))),
            cell("Target", null, event.application ? h("a", {href: applicationAddress(event.application.name)}, h("bdi", event.application.name)) : h("span.muted", "–"),
                event.revision ? [" ", revisionLink(event.revision)] : null),
            cell("Outcome", null, badge(event.outcome)),
            cell("From", null, source(event) ?? h("span.muted", "–")));
    }

    function mark() {
        for (const line of list.querySelectorAll("tr[data-event]")) {
            const isOpen = Number(line.dataset.event) === selected;
            line.classList.toggle("open", isOpen);
            const link = line.querySelector("[data-row]");
            if (isOpen) link.setAttribute("aria-current", "true");
            else link.removeAttribute("aria-current");
        }
    }

    async function choose(sequence, byHand) {
        selected = sequence;
        const own = ++visit;
        keepSelection();
        mark();
        pane.hidden = sequence === null;
        split.classList.toggle("open", sequence !== null);
        if (sequence === null) return;
        pane.replaceChildren(h("h2", {tabindex: "-1"}, "#" + sequence));
        try {
            const [event, entry] = await Promise.all([get("/events/" + sequence, signal), bytes(sequence, signal)]);
            if (own !== visit) return;
            pane.replaceChildren(h("div.stack", h("div.row.detail-head", h("h2", {tabindex: "-1"}, "#" + sequence, " ", h("code", event.kind)), closer()),
                sentence(event), facts(event),
                event.changes ? [h("h3", "Before and after"), changes(event)] : null,
                h("details.entry", h("summary", "The entry: the bytes that were hashed"), h("pre", {tabindex: "0", "aria-label": "Entry"}, entry)),
                h("p.small", h("a", {href: base + "/entries/" + sequence, target: "_blank"}, "Entry"), " · ",
                    h("a", {href: base + "/events/" + sequence, target: "_blank"}, "JSON"))));
        } catch (problem) {
            if (problem.name === "AbortError" || own !== visit) return;
            pane.replaceChildren(h("div.row.detail-head", h("h2", {tabindex: "-1"}, "#" + sequence), closer()), problemPanel(problem, () => choose(sequence, true)));
        }
        if (byHand) pane.querySelector("h2").focus();
    }

    const closer = () => h("button.button.quiet", {type: "button", onclick: close, "aria-label": "Close event " + selected}, icon("cross"), "Close");

    function close() {
        const was = selected;
        choose(null);
        list.querySelector('[data-row="' + Number(was) + '"]')?.focus();
    }

    pane.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        close();
    });

    listen((message) => {
        const isNew = message.type === "event" && message.data.sequence > asOf && (!current.kind || message.data.kind === current.kind)
            && (!current.application || message.data.application?.name === current.application)
            && (!current.actor || message.data.actor?.name === current.actor) && (!current.outcome || message.data.outcome === current.outcome);
        if (!isNew && message.type !== "stale") return;
        if (isNew) fresh += 1;
        if (!fresh) return;
        news.replaceChildren(h("button.button.fresh", {type: "button", onclick: load}, icon("refresh"), fresh + " new – show"));
    }, signal);
    document.addEventListener("shiplog:zone", paint, {signal});
    await load();
    if (selected !== null) await choose(selected, false);
}

/** An entry, verbatim: what is shown is what was hashed. */
async function bytes(sequence, signal) {
    const answer = await fetch(base + "/entries/" + sequence, {signal, credentials: "same-origin"});
    return answer.ok ? answer.text() : "The entry cannot be shown (" + answer.status + ").";
}
