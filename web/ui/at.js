// The time machine: what was deployed at a moment, what differs since or between two, and the way back.

import {h, icon, table, cell, say} from "./dom.js";
import {get, query, isSignedIn, me} from "./api.js";
import {start} from "./live.js";
import {slider} from "./slider.js";
import {badge, commit, subject, moment, time, person, applicationAddress, revisionLink, filters, empty, loading, problemPanel} from "./parts.js";

const pageSize = 500;

const shortcuts = [["now", 0], ["an hour ago", 3600], ["a day ago", 86_400], ["a week ago", 604_800]];

/** What the API takes for an instant: the row wins over the moment. */
function instant(row, stamp) {
    const digits = String(row ?? "").trim().replace(/^[#@]/, "");
    return digits || stamp || null;
}

export async function show(context) {
    const {place, values, signal, title, go} = context;
    title("Time machine");
    if (/^\d+$/.test(values.fleet ?? "")) {
        const {showFleet} = await import("./fleet.js");
        return showFleet(context, Number(values.fleet));
    }
    const names = ["t", "row", "to", "project"];
    let current = Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
    let run = new AbortController();
    const summary = h("p.summary.muted", {role: "status"});
    const list = h("div");
    const work = h("div");
    const form = filters([
        {name: "t", label: "Moment", kind: "moment"},
        {name: "row", label: "or row", search: true, placeholder: "#48211"},
        {name: "to", label: "Compare with", kind: "moment"},
        {name: "project", label: "Project"},
    ], current, (next) => { current = next; load(); }, "Choose the moment");
    const quick = h("p.row.quick", h("span.muted.small", "Go to "), shortcuts.map(([text, seconds]) => h("button.button.small", {type: "button", onclick: () => {
        const stamp = seconds ? new Date(Math.floor(Date.now() / 1000 - seconds) * 1000).toISOString().replace(".000", "") : "";
        go(query("/at", {t: stamp, to: current.to, project: current.project}), {replace: true});
    }}, text)));
    const lever = slider((row) => form.put({t: "", row: String(row)}));
    place.append(h("div.head", h("h1", "Time machine"), summary), form, quick, lever.element, list, work);

    async function everything(at, own) {
        const items = [];
        let cursor = null;
        let first = null;
        do {
            const page = await get(query("/state", {at, project: current.project, limit: pageSize, cursor}), own);
            first ??= page;
            items.push(...page.items);
            cursor = page.nextCursor ?? null;
        } while (cursor);
        return {...first, items};
    }

    async function load() {
        run.abort();
        run = new AbortController();
        signal.addEventListener("abort", () => run.abort(), {once: true});
        const own = run.signal;
        work.replaceChildren();
        const done = loading(list, "the past");
        try {
            const at = instant(current.row, current.t);
            const state = await everything(at, own);
            start(state.asOf);
            const from = state.at.sequence;
            const comparison = from ? await get(query("/state/compare", {from, to: current.to, project: current.project}), own) : null;
            done();
            if (own.aborted) return;
            lever.set(from || 1, state.asOf);
            paint(state, comparison);
            await lever.mark(current.project, own);
        } catch (problem) {
            done();
            if (problem.name === "AbortError") return;
            summary.textContent = "";
            list.replaceChildren(problemPanel(problem, load));
        }
    }

    function paint(state, comparison) {
        if (!state.at.sequence) {
            summary.textContent = "";
            list.replaceChildren(empty("Nothing had been recorded by then", h("p", "The log begins later. Choose a later moment.")));
            return;
        }
        summary.replaceChildren("As of row ", h("span.number", "#" + state.at.sequence), ", recorded ", time(state.at.recordedAt));
        const changes = new Map((comparison?.items ?? []).map((item) => [item.application.uid, item]));
        const appeared = [...changes.values()].filter((item) => item.change === "appeared");
        if (!state.items.length && !appeared.length) {
            list.replaceChildren(empty("There was no application then", h("p", current.project ? "None of this project." : "The first one was registered later.")));
            return;
        }
        const other = current.to && comparison?.to.sequence ? ["At #" + comparison.to.sequence] : ["Now"];
        const rows = [
            ...state.items.map((one) => row(one, changes.get(one.application.uid), other[0])),
            ...appeared.map((item) => row({application: item.application, presence: "not-created"}, item, other[0])),
        ];
        const differing = changes.size;
        list.replaceChildren(
            h("p.lead", differing ? [h("strong", String(differing)), differing === 1 ? " application differs " : " applications differ ",
                current.to ? ["from what was deployed at row #" + comparison.to.sequence, ", ", time(comparison.to.recordedAt)] : "from what is deployed now",
                "; ", String(comparison?.unchanged ?? 0), " are the same."] : current.to ? "Nothing differs between the two." : "What was deployed then is what is deployed now."),
            table("What was deployed", ["Application", "State", "Revision", "Commit", "Deployed", "Who", "Health", other[0]], rows, "past"));
        say("As of row " + state.at.sequence + ", " + differing + " differ");
        const mayTry = isSignedIn() && (me().role === "deployer" || me().role === "admin");
        if (mayTry && differing && !current.to) {
            work.replaceChildren(h("section", h("p.row", h("button.button", {type: "button", onclick: async () => {
                const {planner} = await import("./fleet.js");
                work.replaceChildren();
                await planner(context, work, state.at, current.project);
            }}, icon("rollback"), "Plan a rollback to this moment…"))));
        }
    }

    await load();
}

const words = {whole: "Whole", mixed: "Mixed", "in-progress": "In progress", nothing: "Nothing deployed", deleted: "Deleted", "not-created": "Not there yet"};
const looks = {whole: "check", mixed: "warning", "in-progress": "progress", nothing: "missing", deleted: "cross", "not-created": "missing"};
const tones = {whole: "good", mixed: "warn", "in-progress": "busy", nothing: "dim", deleted: "dim", "not-created": "dim"};

function stateBadge(state) {
    const word = state.presence === "existed" ? state.state : state.presence;
    return h("span.badge", {class: tones[word] ?? "plain"}, icon(looks[word] ?? "info"), words[word] ?? word);
}

/** What else is worth knowing of a state that is no one revision's. */
function detail(state) {
    if (state.state === "mixed") {
        return h("div.sub", "parts of ", [...(state.parts ?? []).map((part) => part.sequence), state.base?.sequence].filter(Boolean)
            .map((sequence, index) => [index ? ", " : null, revisionLink(sequence)]),
            (state.parts ?? []).some((part) => part.unknown) ? "; how far one of them got is on no record" : null);
    }
    if (state.state === "in-progress") {
        return h("div.sub", "a " + state.attempt.kind + " was under way", state.base ? [" over ", revisionLink(state.base.sequence)] : null);
    }
    if (state.deployed?.leftover) return h("div.sub", state.deployed.leftover + " left over from earlier");
    return null;
}

function row(state, change, label) {
    const deployed = state.deployed;
    const name = state.application.name;
    const after = change?.after;
    const now = !change ? h("span.badge", {class: "dim"}, icon("check"), "same")
        : change.change === "vanished" ? h("span.badge", {class: "warn"}, icon("cross"), "deleted since")
            : h("span", h("span.badge", {class: "back"}, icon("outofsync"), change.change === "appeared" ? "new" : "differs"),
                after?.deployed ? h("div.sub", revisionLink(after.deployed.sequence), after.deployed.commit ? [" ", commit(after.deployed.commit)] : null)
                    : after?.state ? h("div.sub", words[after.state] ?? after.state) : null);
    return h("tr", {class: state.state === "mixed" ? "bad" : null},
        h("th.app", {scope: "row", role: "rowheader", "data-label": "Application"},
            h("a", {href: applicationAddress(name), data: {row: name}}, h("bdi", name)),
            h("div.sub.muted", h("bdi", state.application.project), state.pin ? [" · pinned to #", String(state.pin.target)] : null)),
        cell("State", null, stateBadge(state), detail(state)),
        cell("Revision", {class: "tight"}, deployed ? revisionLink(deployed.sequence) : null),
        cell("Commit", null, deployed ? [commit(deployed.commit), " ", subject(deployed.subject)] : null),
        cell("Deployed", {class: "tight"}, deployed ? moment(deployed.deployedAt) : null),
        cell("Who", null, deployed ? person(deployed.actor) : null),
        cell("Health", {class: "tight"}, state.health ? badge(state.health) : null),
        cell(label, null, now));
}
