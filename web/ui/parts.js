// The pieces every screen is made of: times, badges, commits, people, problems, filters, manifests as YAML.

import {h, icon, table, cell, plain} from "./dom.js";
import {Problem, isSignedIn} from "./api.js";

// ---- what a person chose in this browser; nothing else is ever kept there

const defaults = {zone: "utc", theme: "auto", keys: "on"};

export function preference(name) {
    try {
        return localStorage.getItem("shiplog." + name) ?? defaults[name];
    } catch {
        return defaults[name];
    }
}

export function setPreference(name, value) {
    try {
        localStorage.setItem("shiplog." + name, value);
    } catch {
        // Storage is off: the choice lasts as long as the page.
    }
    defaults[name] = value;
}

// ---- times

const two = (number) => String(number).padStart(2, "0");
const dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

function fields(date) {
    if (preference("zone") === "utc") {
        return {year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(), weekday: date.getUTCDay(),
            clock: two(date.getUTCHours()) + ":" + two(date.getUTCMinutes()) + ":" + two(date.getUTCSeconds()), zone: "UTC"};
    }
    const offset = -date.getTimezoneOffset();
    const size = Math.abs(offset);
    return {year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate(), weekday: date.getDay(),
        clock: two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds()),
        zone: (offset < 0 ? "−" : "+") + two(Math.floor(size / 60)) + ":" + two(size % 60)};
}

/** `2026-11-24`, in the chosen zone. */
export function dayOf(stamp) {
    const at = fields(new Date(stamp));
    return at.year + "-" + two(at.month) + "-" + two(at.day);
}

/** `Tue 2026-11-24`. */
export function dayTitle(stamp) {
    return dayNames[fields(new Date(stamp)).weekday] + " " + dayOf(stamp) + " · " + fields(new Date(stamp)).zone;
}

function relative(date) {
    const seconds = Math.round((Date.now() - date.getTime()) / 1000);
    const size = Math.abs(seconds);
    const [count, unit] = size < 45 ? [0, ""] : size < 5400 ? [Math.round(size / 60), "min"]
        : size < 129_600 ? [Math.round(size / 3600), "h"] : [Math.round(size / 86_400), "d"];
    if (count === 0) return "just now";
    return seconds < 0 ? "in " + count + " " + unit : count + " " + unit + " ago";
}

const forms = {
    full: (date) => dayOf(date) + " " + fields(date).clock + " " + fields(date).zone,
    clock: (date) => fields(date).clock,
    ago: relative,
    short: (date) => dayOf(date).slice(5) + " " + fields(date).clock.slice(0, 5),
};

/** A `<time>` in one of the forms full, clock, ago, short; follows the zone toggle and the clock. */
export function time(stamp, form = "full") {
    const date = new Date(stamp);
    if (!stamp || Number.isNaN(date.getTime())) return h("span.muted", "–");
    return h("time", {datetime: date.toISOString(), data: {form}, title: form === "full" ? null : forms.full(date)},
        forms[form](date));
}

/** `3 min ago` with the moment itself beside it. */
export const moment = (stamp) => h("span.moment", time(stamp, "ago"), " ", h("span.muted.nowrap", time(stamp, "short")));

export function refreshTimes() {
    for (const element of document.querySelectorAll("time[data-form]")) {
        const date = new Date(element.dateTime);
        const text = forms[element.dataset.form](date);
        if (element.textContent !== text) element.textContent = text;
        if (element.title) element.title = forms.full(date);
    }
}

export function duration(milliseconds) {
    if (milliseconds === null || milliseconds === undefined) return "–";
    if (milliseconds < 1000) return Math.round(milliseconds) + " ms";
    const seconds = milliseconds / 1000;
    if (seconds < 60) return seconds.toFixed(1) + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";
    return Math.floor(seconds / 3600) + " h " + Math.round(seconds % 3600 / 60) + " min";
}

// ---- words with a shape and a colour

const looks = {
    Synced: ["synced", "good"], OutOfSync: ["outofsync", "warn"], Unknown: ["unknown", "dim"],
    Healthy: ["heart", "good"], Progressing: ["progress", "busy"], Degraded: ["broken", "bad"],
    Suspended: ["pause", "dim"], Missing: ["missing", "warn"],
    succeeded: ["check", "good"], failed: ["failed", "bad"], superseded: ["superseded", "dim"], refused: ["failed", "bad"],
    sync: ["sync", "plain"], rollback: ["rollback", "back"], reconcile: ["reconcile", "plain"],
    pinned: ["pin", "back"], running: ["progress", "busy"], queued: ["progress", "dim"],
    created: ["check", "good"], updated: ["check", "busy"], pruned: ["cross", "warn"], ran: ["check", "good"], unchanged: ["check", "dim"],
    leftover: ["missing", "warn"], skipped: ["superseded", "dim"], "out-of-sync": ["outofsync", "warn"], unknown: ["unknown", "dim"],
    create: ["check", "good"], update: ["check", "busy"], prune: ["cross", "warn"], keep: ["pause", "dim"], cannot: ["failed", "bad"],
};
const says = {OutOfSync: "Out of sync", succeeded: "Succeeded", failed: "Failed", superseded: "Superseded", refused: "Refused",
    sync: "Sync", rollback: "Rollback", reconcile: "Reconcile", "out-of-sync": "Out of sync", cannot: "Cannot"};

/** Icon and word; `text` replaces the word. */
export function badge(word, text) {
    const [shape, tone] = looks[word] ?? ["info", "plain"];
    return h("span.badge", {class: tone}, icon(shape), text ?? says[word] ?? (word ? word[0].toUpperCase() + word.slice(1) : "–"));
}

export const shortCommit = (id) => plain(String(id ?? "").slice(0, 7));

/** A page of the hosting service for a commit, for the two whose addresses are known; else null. */
/** Where a repository is read by people; one that no browser opens is text. */
export function repositoryLink(repository) {
    if (!repository) return "–";
    return /^https?:\/\//.test(repository) ? h("a", {href: repository.replace(/\.git$/, "")}, repository) : h("bdi", repository);
}

function commitAddress(repository, id) {
    const match = /^https?:\/\/([^/@]+)\/(.+?)(?:\.git)?\/?$/.exec(repository ?? "");
    if (!match || !/^[0-9a-f]{7,40}$/.test(id ?? "")) return null;
    const root = "https://" + match[1] + "/" + match[2];
    if (match[1] === "github.com") return root + "/commit/" + id;
    if (/(^|\.)gitlab\./.test(match[1])) return root + "/-/commit/" + id;
    return null;
}

/** A commit's short id, in monospace; a link where its page is known. */
export function commit(id, repository) {
    if (!id) return h("span.muted", "–");
    const address = commitAddress(repository, id);
    const text = h("code.hash", {title: id}, shortCommit(id));
    return address ? h("a", {href: address}, text) : text;
}

/** The first line of a commit's message, whatever direction it is written in. */
export const subject = (text) => h("bdi.subject", text ?? "");

/** Someone who did something, and how they came in. */
export function person(actor) {
    if (!actor) return h("span.muted", "–");
    const name = typeof actor === "string" ? actor : actor.name;
    return name === "shiplog" ? h("span", "shiplog") : h("bdi.person", name);
}

export const applicationAddress = (name, tab = "") => "/apps/" + encodeURIComponent(name) + (tab ? "/" + tab : "");

export const number = (sequence) => h("span.number", "#" + sequence);

export function revisionLink(sequence, properties) {
    return h("a.number", {href: "/revisions/" + sequence, ...properties}, "#" + sequence);
}

/** `Deployment web · namespace`. */
export function resourceName(resource) {
    return h("span.resource", h("span.kind", resource.kind), " ", h("bdi.name", resource.name),
        resource.namespace ? h("span.muted", " · ", h("bdi", resource.namespace)) : null);
}

const countWords = [["created", "+"], ["updated", "~"], ["pruned", "−"], ["failed", "✕"], ["leftover", "?"]];

/** `+1 ~2 −1`, spelled out for those who hear it. */
export function counts(value) {
    const present = countWords.filter(([word]) => value?.[word] > 0);
    if (!present.length) return h("span.muted", "no change");
    const words = present.map(([word]) => value[word] + " " + word).join(", ");
    return h("span.counts", {title: words}, h("span.hide", words),
        present.map(([word, sign]) => h("span", {"aria-hidden": "true", class: "count-" + word}, sign + value[word])));
}

export function countSentence(value) {
    const present = [...countWords, ["unchanged", ""]].filter(([word]) => value?.[word] > 0);
    if (!present.length) return "no resource was touched";
    const total = present.reduce((sum, [word]) => sum + value[word], 0);
    const list = present.map(([word]) => value[word] + " " + word).join(", ");
    return total + (total === 1 ? " resource: " : " resources: ") + list;
}

// ---- states of a screen

/** What went wrong, what to do, and a way to try again. */
export function problemPanel(problem, retry) {
    const known = problem instanceof Problem;
    const title = !known ? "This page failed" : problem.title && problem.title !== problem.message ? problem.title : {
        0: "The server cannot be reached", 401: "Please sign in", 403: "Not allowed", 404: "Not found",
        409: "It changed meanwhile", 422: "The server refused this",
    }[problem.status] ?? (problem.status >= 500 ? "The server failed" : "The request was refused");
    const signIn = known && (problem.status === 401 || (problem.status === 403 && !isSignedIn()));
    return h("section.panel.problem", {role: "alert"},
        h("h2", icon("failed"), title),
        h("p", problem.message),
        known && problem.errors.length ? h("ul", problem.errors.map((one) => h("li", h("code", one.pointer), " ", one.message))) : null,
        known && problem.hint ? h("p.remedy", h("strong", "What to do: "), problem.hint) : null,
        h("p.muted.small", "Code ", h("code", known ? problem.code : "page.error"),
            known && problem.instance ? [" · request ", h("code", problem.instance)] : null),
        h("div.row",
            retry ? h("button.button", {type: "button", onclick: retry}, icon("refresh"), "Try again") : null,
            signIn ? h("a.button", {href: signInAddress()}, icon("user"), "Sign in") : null));
}

export const signInAddress = () => "/login?next=" + encodeURIComponent(location.pathname + location.search);

/** A stored error or a condition with its remedy. */
export function errorPanel(error, title = "It failed") {
    return h("section.panel.problem",
        h("h2", icon("failed"), title),
        h("p", error.message ?? error.detail ?? error.title),
        error.hint ? h("p.remedy", h("strong", "What to do: "), error.hint) : null,
        h("p.muted.small", "Code ", h("code", error.code)));
}

export function empty(title, ...kids) {
    return h("section.panel.empty", h("h2", title), kids);
}

/** Fills a place once loading has taken 200 ms, so that quick answers do not flicker. */
export function loading(place, what) {
    place.setAttribute("aria-busy", "true");
    const timer = setTimeout(() => {
        // A row with the focus stays until what follows it is there: a skeleton would throw the keyboard back to the top.
        if (place.contains(document.activeElement)) return;
        place.replaceChildren(h("div.skeleton", {"aria-label": "Loading " + what, role: "img"}, h("i"), h("i"), h("i"), h("i")));
    }, 200);
    return () => {
        clearTimeout(timer);
        place.removeAttribute("aria-busy");
    };
}

// ---- filters that are the address

/**
 * A form of filters. `fields`: {name, label, kind: text|select|check|moment, options, wide}. Calls `changed(values)` and
 * writes the values into the address.
 */
export function filters(fields, values, changed, label) {
    const current = {...values};
    const controls = new Map();
    const apply = ({again = false} = {}) => {
        const before = {...current};
        for (const field of fields) current[field.name] = read(field, controls.get(field.name));
        // Leaving a field says "change" once more for what its typing said already.
        if (!again && fields.every((field) => current[field.name] === (before[field.name] ?? ""))) return;
        writeAddress(current);
        paint();
        changed({...current});
    };
    let timer = 0;
    const later = () => { clearTimeout(timer); timer = setTimeout(apply, 250); };
    const now = () => { clearTimeout(timer); apply(); };
    const again = () => { clearTimeout(timer); apply({again: true}); };
    const toggle = h("button.button.filter-toggle", {type: "button", "aria-expanded": "false", onclick: () => {
        const open = form.classList.toggle("open");
        toggle.setAttribute("aria-expanded", String(open));
    }});
    const clear = h("button.button.quiet", {type: "button", onclick: () => {
        for (const field of fields) write(field, controls.get(field.name), "");
        now();
        controls.get(fields[0].name).focus();
    }}, icon("cross"), "Clear filters");
    const form = h("form.filters", {role: "search", "aria-label": label, onsubmit: (event) => { event.preventDefault(); again(); }},
        fields.map((field) => {
            const id = "filter-" + field.name;
            let control;
            if (field.kind === "select") {
                const options = field.options.map((option) => Array.isArray(option) ? option : [option, says[option] ?? option]);
                if (current[field.name] && !options.some(([value]) => value === current[field.name])) {
                    options.push([current[field.name], current[field.name]]);
                }
                control = h("select", {id, onchange: now}, h("option", {value: ""}, field.any ?? "any"),
                    options.map(([value, text]) => h("option", {value}, text)));
            } else if (field.kind === "check") control = h("input", {id, type: "checkbox", onchange: now});
            else if (field.kind === "moment") control = h("input", {id, type: "datetime-local", onchange: now});
            else control = h("input", {id, type: field.search ? "search" : "text", autocomplete: "off", spellcheck: "false",
                placeholder: field.placeholder, oninput: later, onchange: now, data: field.search ? {search: "yes"} : {}});
            controls.set(field.name, control);
            write(field, control, current[field.name] ?? "");
            const text = h("label", {for: id}, field.label);
            return h("div.field", {class: (field.kind === "check" ? "check " : "") + (field.wide ? "wide " : "") + (field.search ? "always" : "")},
                field.kind === "check" ? [control, text] : [text, control]);
        }), toggle, clear);
    function paint() {
        const active = fields.filter((field) => current[field.name]).length;
        toggle.replaceChildren(icon("filter"), active ? "Filters (" + active + ")" : "Filters");
        clear.hidden = active === 0;
    }
    paint();
    form.clear = () => clear.click();
    /** Sets fields as if somebody had typed them; the keyboard stays where it is. */
    form.put = (values) => {
        for (const field of fields) if (field.name in values) write(field, controls.get(field.name), values[field.name]);
        now();
    };
    return form;
}

function read(field, control) {
    if (field.kind === "check") return control.checked ? "true" : "";
    if (field.kind !== "moment") return control.value.trim();
    if (!control.value) return "";
    const text = control.value.length === 16 ? control.value + ":00" : control.value;
    const date = new Date(preference("zone") === "utc" ? text + "Z" : text);
    return Number.isNaN(date.getTime()) ? "" : date.toISOString().replace(".000", "");
}

function write(field, control, value) {
    if (field.kind === "check") control.checked = value === "true";
    else if (field.kind === "moment") {
        const date = new Date(value);
        control.value = !value || Number.isNaN(date.getTime()) ? "" : dayOf(date) + "T" + fields(date).clock.slice(0, 5);
    } else control.value = value;
}

function writeAddress(values) {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(values)) if (value) parameters.append(key, value);
    const text = parameters.toString();
    history.replaceState(history.state, "", location.pathname + (text ? "?" + text : ""));
    // A screen may have gone to sign in and back; the filters must not be what was lost.
    document.dispatchEvent(new CustomEvent("shiplog:address"));
}

// ---- changes of a plan or a revision, one a row

export function changesTable(caption, changes) {
    const rows = changes.map((change) => h("tr",
        cell("Action", {class: "tight"}, badge(change.action)),
        cell("Resource", null, resourceName(change)),
        cell("", {class: "message"}, change.message ? h("bdi", change.message) : null,
            change.hint ? h("div.remedy", h("strong", "What to do: "), change.hint) : null,
            change.code ? h("div.muted.small", h("code", change.code)) : null),
        cell("Wave", {class: "num"}, (change.phase && change.phase !== "Sync" ? change.phase + " " : "") + (change.wave ?? 0))));
    return table(caption, ["Action", "Resource", "Message", {title: "Wave", class: "num"}], rows, "changes");
}

/** What goes on with an application, with how far it has come when that takes long. */
export function activityText(application) {
    return application.progress ? application.activity + ": " + application.progress : application.activity;
}
