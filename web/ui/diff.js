// Differences as the server worked them out, plans, and manifests as YAML.

import {h, icon} from "./dom.js";
import {resourceName, changesTable} from "./parts.js";

const lazyAbove = 400;
const changeWords = {added: ["+", "Added", "good"], removed: ["−", "Removed", "bad"], changed: ["~", "Changed", "busy"], same: ["=", "Same", "dim"]};

const keyOf = (resource) => [resource.group, resource.kind, resource.namespace, resource.name].join("/");

/** One resource's hunks, foldable; long ones are painted when opened. */
function resourceDiff(diff, isOpen) {
    const lines = diff.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
    const count = (kind) => diff.hunks.reduce((sum, hunk) => sum + hunk.lines.filter((line) => line.kind === kind).length, 0);
    const [sign, word, tone] = changeWords[diff.change] ?? ["?", diff.change, "dim"];
    const added = count("added");
    const removed = count("removed");
    const body = h("div.hunks");
    const element = h("details.diff", {open: isOpen && lines <= lazyAbove, data: {resource: keyOf(diff)}},
        h("summary", icon("right"), h("span.badge", {class: tone}, h("b", {"aria-hidden": "true"}, sign), word), resourceName(diff),
            h("span.tally", added ? h("span.count-created", "+" + added) : null, removed ? h("span.count-pruned", "−" + removed) : null)),
        body);
    const paint = () => {
        if (body.firstChild) return;
        body.append(diff.hunks.length ? h("table.lines", {"aria-label": "Difference of " + diff.kind + " " + diff.name},
            h("colgroup", h("col.at"), h("col.at"), h("col")),
            h("thead.hide", h("tr", ["Old line", "New line", "Text"].map((text) => h("th", {scope: "col", role: "columnheader"}, text)))),
            diff.hunks.map((hunk, index) => h("tbody",
                index || hunk.oldStart > 1 ? h("tr.jump", h("td", {colspan: "3"}, "line " + hunk.newStart)) : null, hunkRows(hunk))))
            : h("p.muted.pad", diff.change === "same" ? "Nothing differs." : "No line to show."));
    };
    if (element.open) paint();
    element.addEventListener("toggle", () => { if (element.open) paint(); });
    return element;
}

function hunkRows(hunk) {
    let old = hunk.oldStart;
    let next = hunk.newStart;
    return hunk.lines.map((line) => {
        const isOld = line.kind !== "added";
        const isNew = line.kind !== "removed";
        const sign = line.kind === "added" ? "+" : line.kind === "removed" ? "−" : " ";
        return h("tr", {class: line.kind},
            h("td.at", isOld ? String(old++) : ""), h("td.at", isNew ? String(next++) : ""),
            h("td.text", h("span.sign", sign), marked(line)));
    });
}

// `words` are ranges of the line's UTF-16 code units that differ from its counterpart.
function marked(line) {
    const text = String(line.text ?? "");
    if (!line.words?.length) return h("span", text);
    const parts = [];
    let end = 0;
    for (const [from, to] of line.words) {
        if (from < end || to <= from) continue;
        parts.push(text.slice(end, from), h("mark", text.slice(from, to)));
        end = to;
    }
    parts.push(text.slice(end));
    return h("span", parts.filter((part) => part !== ""));
}

/** All differences of a set, the changed ones open. `none` is said when nothing differs. */
export function diffView(diffs, none = "Nothing differs.") {
    const changed = diffs.filter((diff) => diff.change !== "same");
    const same = diffs.length - changed.length;
    if (!changed.length) return h("p.panel.calm", icon("check"), " ", none);
    let budget = 1500;
    const views = changed.map((diff) => {
        budget -= diff.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
        return resourceDiff(diff, budget > 0);
    });
    const all = h("button.button.small.quiet", {type: "button", onclick: () => {
        const isOpening = views.some((view) => !view.open);
        for (const view of views) view.open = isOpening;
    }}, "Open or fold all");
    return h("div.diffs",
        h("p.row.between", h("span.muted", changed.length + (changed.length === 1 ? " resource differs" : " resources differ") + (same ? ", " + same + " the same" : "")), all),
        views);
}

/** What an operation would do; `secrets` heads the Secrets it would write. */
export function planView(plan, secrets) {
    const acting = plan.changes.filter((change) => change.action !== "unchanged");
    const cannot = plan.changes.filter((change) => change.action === "cannot");
    const still = plan.changes.length - acting.length;
    const notes = [...(plan.notes ?? []), ...(plan.warnings ?? [])];
    return [
        cannot.length ? h("section.panel.problem", h("h3", icon("failed"), "This cannot be done as it is"),
            cannot.map((change) => h("div.cannot", h("p", resourceName(change), ": ", h("bdi", change.message ?? "it cannot be changed")),
                change.hint ? h("p.remedy", h("strong", "What to do: "), change.hint) : null))) : null,
        notes.length ? h("ul.panel.notes", {"aria-label": "Notes"}, notes.map((note) => h("li", icon("info"), h("bdi", note)))) : null,
        plan.secrets?.length ? h("section.panel.note", h("h3", icon("warning"), secrets),
            h("ul", plan.secrets.map((key) => h("li", typeof key === "string" ? h("code", key) : resourceName(key))))) : null,
        acting.length ? changesTable("Planned changes", acting) : null,
        still ? h("p.muted", still + (still === 1 ? " resource stays as it is." : " resources stay as they are.")) : null,
    ];
}

/** Kinds whose removal takes data or much else with it. */
export const isDestructive = (change) => change.action === "prune"
    && (["Namespace", "PersistentVolumeClaim", "PersistentVolume"].includes(change.kind)
        || (change.kind === "CustomResourceDefinition" && change.group === "apiextensions.k8s.io"));

// ---- YAML, for reading

const plainScalar = /^[A-Za-z_./$(][A-Za-z0-9_./$()@%+=,-]*( [A-Za-z0-9_./$()@%+=,-]+)*$/;
const meansElse = /^(?:y|yes|n|no|true|false|on|off|null|~|\.nan|[-+]?\.inf|0o?[0-7]+|0x[0-9a-f]+|[-+]?[0-9][0-9_.:e+-]*)$/i;

function scalar(value) {
    if (value === null) return "null";
    if (typeof value !== "string") return String(value);
    if (plainScalar.test(value) && !meansElse.test(value)) return value;
    return JSON.stringify(value);
}

/** A JSON value as block YAML. */
export function yaml(value, indent = "") {
    if (Array.isArray(value)) {
        if (!value.length) return indent + "[]\n";
        return value.map((item) => {
            if (item === null || typeof item !== "object" || !Object.keys(item).length) return indent + "- " + inline(item) + "\n";
            return indent + "- " + yaml(item, indent + "  ").slice(indent.length + 2);
        }).join("");
    }
    if (value !== null && typeof value === "object") {
        const keys = Object.keys(value);
        if (!keys.length) return indent + "{}\n";
        return keys.map((key) => {
            const item = value[key];
            const head = indent + scalar(key) + ":";
            if (item !== null && typeof item === "object" && Object.keys(item).length) {
                return head + "\n" + yaml(item, Array.isArray(item) ? indent : indent + "  ");
            }
            if (typeof item === "string" && /^[^\s][^\r\t]*\n/.test(item) && !/[ \r]\n|\n\n$/.test(item)) {
                const chomp = item.endsWith("\n") ? "" : "-";
                const text = item.endsWith("\n") ? item.slice(0, -1) : item;
                return head + " |" + chomp + "\n" + text.split("\n").map((line) => (line ? indent + "  " + line : "") + "\n").join("");
            }
            return head + " " + inline(item) + "\n";
        }).join("");
    }
    return indent + inline(value) + "\n";
}

function inline(value) {
    if (Array.isArray(value)) return "[]";
    if (value !== null && typeof value === "object") return "{}";
    return scalar(value);
}

/** Manifests, each foldable. */
export function manifestsView(items, none = "There are no manifests.") {
    if (!items.length) return h("p.panel.calm", none);
    return h("div.diffs", items.map((item) => {
        const resource = {kind: item.kind ?? "?", name: item.metadata?.name ?? "?", namespace: item.metadata?.namespace};
        const body = h("div.hunks");
        const element = h("details.diff", {open: items.length <= 3}, h("summary", icon("right"), resourceName(resource),
            h("span.tally.muted", item.apiVersion ?? "")), body);
        const paint = () => { if (!body.firstChild) body.append(codeBlock(yaml(item), resource.kind + " " + resource.name)); };
        if (element.open) paint();
        element.addEventListener("toggle", () => { if (element.open) paint(); });
        return element;
    }));
}

/** YAML with keys, comments and strings told apart. */
export function codeBlock(text, label) {
    return h("pre.yaml", {"aria-label": label, role: "group"}, text.replace(/\n$/, "").split("\n").map((line, index) => {
        const match = /^(\s*(?:- )*)("(?:[^"\\]|\\.)*"|[^\s":#][^:#"]*?)(:)(?=\s|$)(.*)$/.exec(line);
        const parts = match ? [match[1], h("span.k", match[2]), match[3] + match[4]] : [line];
        return [index ? "\n" : null, parts];
    }));
}

