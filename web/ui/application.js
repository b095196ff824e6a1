// One application: how it stands, what a person may do about it, and its tabs.

import {h, icon, table, cell, say, dialog} from "./dom.js";
import {get, ask, post, applicationPath, follow, isSignedIn, mayAct} from "./api.js";
import {listen, start} from "./live.js";
import {badge, commit, subject, moment, time, person, applicationAddress, revisionLink, resourceName, loading, problemPanel, errorPanel,
    signInAddress, empty, activityText, repositoryLink} from "./parts.js";
import {clusterName} from "./applications.js";
import {timeline} from "./history.js";

const tabs = [["history", "History"], ["resources", "Resources"], ["tree", "Tree"], ["diff", "Diff"], ["manifests", "Manifests"]];

export async function show(context) {
    const {place, name, tab, signal, title} = context;
    title(name);
    const header = h("div.application");
    const body = h("section.tab", {"aria-labelledby": "tab-" + tab});
    const heading = h("h1", h("bdi", name));
    const acts = h("div.row.acts");
    const result = h("div");
    const parts = h("nav.tabs", {"aria-label": "Parts of " + name}, tabs.map(([id, text]) =>
        h("a", {id: "tab-" + id, href: applicationAddress(name, id === "history" ? "" : id), "aria-current": id === tab ? "page" : null}, text)));
    place.append(
        h("nav.crumbs", {"aria-label": "Breadcrumb"}, h("a", {href: "/apps", data: {up: ""}}, "Applications"), icon("right")),
        h("div.head", heading, acts), result, header, parts, body);

    let application = null;
    async function load() {
        const answer = await get(applicationPath(name), signal);
        application = answer.application ?? answer;
        paint();
    }

    function paint() {
        header.replaceChildren(statusCards(application), ...conditionPanels(application));
        paintActs(acts, application, context, result, load);
        if (tab === "resources") body.replaceChildren(resourcesView(application));
    }

    let busy = false;
    listen((message) => {
        if (message.type === "application" && message.data.name === name && application) {
            application = {...application, pin: undefined, conditions: [], deployed: undefined, ...message.data,
                resources: message.data.resources ?? application.resources};
            paint();
            if (tab === "resources" && !message.data.resources && !busy) {
                busy = true;
                setTimeout(() => { busy = false; if (!signal.aborted) load().catch(() => {}); }, 1000);
            }
        }
        if (message.type === "stale") load().catch(() => {});
    }, signal);

    const done = loading(header, name);
    try {
        // Without the application there are no parts of it, and no history to promise.
        const whole = load().catch((error) => {
            parts.remove();
            body.remove();
            throw error;
        });
        if (tab === "history") {
            await Promise.all([whole, timeline(context, body, name)]);
        } else {
            await whole;
            // A stream needs a position to start from; the application itself carries none.
            get("/revisions?limit=1", signal).then((page) => start(page.asOf), () => {});
            if (tab === "tree") await treeTab(body, name, signal);
            if (tab === "diff") await diffTab(body, name, signal);
            if (tab === "manifests") await manifestsTab(body, context, application);
        }
    } finally {
        done();
    }
}

function card(title, ...kids) {
    return h("div.card", h("h2", title), kids);
}

function statusCards(application) {
    const {deployed, targetCommit: target, source, pin} = application;
    const repository = source?.repository;
    const resources = application.resources ?? [];
    const out = resources.filter((one) => one.sync !== "Synced").length;
    const behind = target && deployed?.commit && target.id !== deployed.commit;
    return h("div.cards",
        card("Sync", h("p.big", badge(application.sync)),
            h("p.sub", out ? out + " of " + resources.length + " resources differ" : resources.length ? resources.length + " resources" : "no resources known"),
            h("p.sub", application.activity && application.activity !== "idle" ? h("span.activity", icon("progress"), activityText(application))
                : application.comparedAt ? ["compared ", moment(application.comparedAt)] : "not compared yet")),
        card("Health", h("p.big", badge(application.health?.status ?? "Unknown")),
            application.health?.message ? h("p.sub", h("bdi", application.health.message)) : null),
        card("Deployed", deployed ? [
            h("p.line", revisionLink(deployed.sequence), deployed.commit ? [" ", commit(deployed.commit, repository)] : null, " ", subject(deployed.subject)),
            h("p.sub", deployed.kind === "rollback" ? "rolled back by " : "by ", person(deployed.actor), " · ", moment(deployed.finishedAt)),
        ] : h("p.muted", "nothing yet")),
        card("Source", h("p.line", h("code.ref", source?.targetRevision ?? "HEAD"), " ", target ? commit(target.id, repository) : null, " ",
                behind ? subject(target.subject) : h("span.muted", target ? "is what is deployed" : "not read yet")),
            h("p.sub", repositoryLink(repository), source?.path ? [" · ", h("bdi", source.path)] : null)),
        card("Goes to", h("p.line", h("bdi", application.destination?.namespace || "namespaces of the manifests")),
            h("p.sub", "cluster ", h("bdi", clusterName(application.destination)), " · project ", h("bdi", application.project ?? "default")),
            h("p.sub", policyWords(application))),
        pin ? h("div.card.pin", h("h2", icon("pin"), "Pinned"), h("p.line", "to ", revisionLink(pin.target), pin.commit ? [" ", commit(pin.commit, repository)] : null),
            h("p.sub", pin.hold === "until-unpinned" ? "until somebody unpins it" : "until a new commit changes the manifests"),
            h("p.sub", "Automatic sync and self-heal keep this state.")) : null);
}

function policyWords(application) {
    const automated = application.automated;
    if (!automated) return "syncs by hand";
    const extras = [automated.prune ? "prune" : null, automated.selfHeal ? "self-heal" : null, automated.allowEmpty ? "may become empty" : null].filter(Boolean);
    return "syncs automatically" + (extras.length ? " (" + extras.join(", ") + ")" : "");
}

function conditionPanels(application) {
    return (application.conditions ?? []).map((condition) => h("section.panel.note.condition",
        h("p", icon("warning"), h("bdi", condition.message)),
        condition.hint ? h("p.remedy", h("strong", "What to do: "), condition.hint) : null,
        h("p.muted.small", h("code", condition.code), " · since ", moment(condition.since))));
}

function paintActs(place, application, context, result, load) {
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    if (!mayAct(application)) {
        place.replaceChildren(isSignedIn() ? "" : h("a.muted.small", {href: signInAddress()}, "Sign in to sync or roll back"));
        return;
    }
    const {name, signal} = context;
    const run = (label, act) => async (event) => {
        const button = event.currentTarget;
        button.disabled = true;
        result.replaceChildren();
        try {
            await act();
            await load();
        } catch (problem) {
            if (problem.name !== "AbortError") result.replaceChildren(problemPanel(problem));
        }
        button.disabled = false;
        say(label);
    };
    place.replaceChildren(
        h("a.button", {href: applicationAddress(name, "sync"), data: {act: "sync"}}, icon("sync"), "Sync…"),
        h("button.button", {type: "button", data: {act: "refresh"}, onclick: run("Refreshed", async () => {
            const {operation} = await post(applicationPath(name, "/refresh"), {}, signal);
            const end = await follow(operation, () => {}, signal);
            if (end.state === "refused" && end.error) result.replaceChildren(errorPanel(end.error, "It was refused"));
        })}, icon("refresh"), "Refresh"),
        h("a.button", {href: applicationAddress(name, "rollback"), data: {act: "rollback"}}, icon("rollback"), "Rollback…"),
        application.activity === "applying" ? h("button.button", {type: "button", data: {act: "terminate"}, onclick: run("Asked to stop", async () => {
            const isSure = await dialog("Stop the running attempt?", (close) => [
                h("p", "What it has applied so far stays applied; the attempt is recorded as superseded."),
                h("p.row.end", h("button.button", {type: "button", autofocus: true, onclick: () => close(false)}, "Cancel"),
                    h("button.button.danger", {type: "button", onclick: () => close(true)}, "Stop it"))]);
            if (isSure) await post(applicationPath(name, "/terminate"), {}, signal);
        })}, icon("cross"), "Stop…") : null,
        application.pin ? h("button.button", {type: "button", data: {act: "unpin"}, onclick: run("Unpinned", async () => {
            const reason = await askUnpin(application);
            if (reason !== undefined) await ask("DELETE", applicationPath(name, "/pin"), {body: reason ? {reason} : {}, signal});
        })}, icon("pin"), "Unpin…") : "");
    for (const gone of [...place.childNodes]) if (gone.nodeType === Node.TEXT_NODE) gone.remove();
    if (focused) place.querySelector('[data-act="' + focused + '"]')?.focus();
}

function askUnpin(application) {
    return dialog("Unpin " + application.name + "?", (close) => {
        const reason = h("input", {id: "unpin-reason", type: "text", autocomplete: "off"});
        return [
            h("p", "It stops holding #" + application.pin.target + (application.automated
                ? ". Automatic sync is on: it will apply what the target revision says at once." : ". Nothing changes until the next sync.")),
            h("form", {onsubmit: (event) => { event.preventDefault(); close(reason.value.trim()); }},
                h("div.field.wide", h("label", {for: "unpin-reason"}, "Reason (optional)"), reason),
                h("p.row.end", h("button.button", {type: "button", autofocus: true, onclick: () => close()}, "Cancel"),
                    h("button.button.primary", {type: "submit"}, icon("pin"), "Unpin"))),
        ];
    });
}

const order = {OutOfSync: 0, Unknown: 1, Synced: 2};
function resourcesView(application) {
    const resources = [...(application.resources ?? [])].sort((one, other) => (order[one.sync] ?? 1) - (order[other.sync] ?? 1));
    if (!resources.length) return empty("No resources", h("p", "Nothing is desired here and nothing in the cluster belongs to it, or it has not been compared yet."));
    return table("Resources of " + application.name, ["Resource", "Sync", "Health", "Message"], resources.map((one) => h("tr",
        h("th", {scope: "row", role: "rowheader", "data-label": "Resource"}, resourceName(one), h("div.sub", one.apiVersion)),
        cell("Sync", {class: "tight"}, badge(one.sync), one.requiresPruning ? h("div.sub", "no longer desired") : null),
        cell("Health", {class: "tight"}, one.health ? badge(one.health) : h("span.muted", "–")),
        cell("Message", {class: "message"}, one.message ? h("bdi", one.message) : null))), "resources");
}

/** Nested disclosures: the browser's own keys open and close them. */
function treeNode(node) {
    const facts = h("span.row", resourceName(node), node.hook ? h("span.muted", "hook") : null, node.deleting ? h("span.muted", "being deleted") : null,
        node.sync ? badge(node.sync) : null, node.health ? badge(node.health) : null, node.createdAt ? time(node.createdAt, "ago") : null);
    const more = [node.message ? h("div.sub", h("bdi", node.message)) : null, (node.images ?? []).map((image) => h("div.sub", h("bdi", image)))];
    const children = node.children ?? [];
    if (!children.length) return h("li.leaf", facts, more);
    return h("li", h("details", {open: true}, h("summary", facts), more, h("ul.tree", children.map(treeNode))));
}

async function treeTab(body, name, signal) {
    const content = h("div");
    body.append(h("p.row.between", h("span.muted", "What is in the cluster below each resource, by owner references."),
        h("button.button.small", {type: "button", onclick: () => load()}, icon("refresh"), "Look again")), content);
    async function load() {
        const done = loading(content, "the tree");
        try {
            const tree = await get(applicationPath(name, "/tree"), signal);
            done();
            const notes = tree.unread.map((one) => h("p.muted", h("bdi", one.kind), " in ", h("bdi", one.namespace), " could not be read: ", h("bdi", one.message)));
            if (tree.omitted) notes.push(h("p.muted", tree.omitted + " more are left out."));
            content.replaceChildren(tree.items.length ? h("ul.tree", {"aria-label": "Resources of " + name}, tree.items.map(treeNode))
                : empty("No resources", h("p", "Nothing of it is known yet: it has not been compared.")), ...notes);
        } catch (problem) {
            done();
            if (signal.aborted) return;
            content.replaceChildren(problemPanel(problem));
        }
    }
    await load();
}

async function diffTab(body, name, signal) {
    const content = h("div");
    body.append(h("p.row.between", h("span.muted", "From what is in the cluster to what is desired: the lines a sync would remove and add."),
        h("button.button.small", {type: "button", onclick: () => load()}, icon("refresh"), "Compare again")), content);
    async function load() {
        const done = loading(content, "the difference");
        try {
            const [page, {diffView}] = await Promise.all([get(applicationPath(name, "/diff"), signal), import("./diff.js")]);
            done();
            content.replaceChildren(diffView(page.items, "The cluster is as desired."));
        } catch (problem) {
            done();
            if (problem.name === "AbortError") return;
            content.replaceChildren(problemPanel(problem, load));
        }
    }
    await load();
}

async function manifestsTab(body, {name, values, signal}, application) {
    const sources = [["desired", "Desired (from Git)"], ["live", "Live (in the cluster)"], ["deployed", "Deployed (from the ledger)"], ["document", "The Application itself"]];
    const content = h("div");
    const select = h("select", {id: "manifest-source", onchange: () => {
        history.replaceState(history.state, "", location.pathname + "?source=" + select.value);
        load();
    }}, sources.map(([value, text]) => h("option", {value}, text)));
    select.value = sources.some(([value]) => value === values.source) ? values.source : "desired";
    body.append(h("div.row.field", h("label", {for: "manifest-source"}, "Show"), select), content);
    async function load() {
        const done = loading(content, "manifests");
        try {
            const {manifestsView} = await import("./diff.js");
            const items = select.value === "document" ? [application.document].filter(Boolean)
                : (await get(applicationPath(name, "/manifests?source=" + select.value), signal)).items;
            done();
            content.replaceChildren(manifestsView(items));
        } catch (problem) {
            done();
            if (problem.name === "AbortError") return;
            content.replaceChildren(problemPanel(problem, load));
        }
    }
    await load();
}
