// One revision: what happened, in a sentence and in full.

import {h, icon} from "./dom.js";
import {get, query, base, mayAct} from "./api.js";
import {listen, start} from "./live.js";
import {badge, commit, subject, time, person, countSentence, duration, applicationAddress, revisionLink, loading,
    problemPanel, errorPanel, changesTable, repositoryLink} from "./parts.js";
import {causeWords, kindWords} from "./history.js";
import {proofPanel} from "./proof.js";

export async function show({place, sequence, values, signal, title}) {
    title("Revision #" + sequence);
    const done = loading(place, "revision #" + sequence);
    let revision;
    try {
        const answer = await get("/revisions/" + sequence, signal);
        revision = answer.revision ?? answer;
    } finally {
        done();
    }
    const name = revision.application.name;
    title("#" + sequence + " " + revision.kind + " of " + name);
    const canReturn = revision.outcome === "succeeded" && revision.kind !== "reconcile" && revision.desired;
    const acts = h("div.row.acts");
    const heading = h("h1", {tabindex: "-1"}, "Revision #" + sequence);
    const movesFocus = document.activeElement === document.body || document.activeElement === document.getElementById("main");
    place.replaceChildren(
        h("nav.crumbs", {"aria-label": "Breadcrumb"}, h("a", {href: "/apps"}, "Applications"), icon("right"),
            h("a", {href: applicationAddress(name), data: {up: ""}}, h("bdi", name)), icon("right")),
        h("div.head", heading, h("span.row", badge(revision.kind, kindWords(revision)), badge(revision.outcome)), acts),
        h("p.lead", sentence(revision)),
        revision.error ? errorPanel(revision.error, revision.outcome === "superseded" ? "It was superseded" : "It failed") : "",
        revision.warnings?.length ? h("ul.panel.notes", {"aria-label": "Warnings"}, revision.warnings.map((text) => h("li", icon("warning"), h("bdi", text)))) : "",
        facts(revision),
        h("section", {"aria-labelledby": "resources-title"}, h("h2", {id: "resources-title"}, "Resources"),
            revision.resources?.length ? changesTable("Resources of revision #" + sequence, revision.resources)
                : h("p.panel.calm", revision.sameAs ? ["Nothing had changed; it stands as ", revisionLink(revision.sameAs), " left it."] : "No resource was touched or found different.")),
        differences(revision, values, signal),
        manifests(revision, signal),
        proofPanel(revision.sequence, signal));
    if (movesFocus) heading.focus({preventScroll: true});
    if (canReturn) {
        get("/applications/" + encodeURIComponent(name), signal).then((answer) => {
            const application = answer.application ?? answer;
            if (!mayAct(application)) return;
            acts.append(application.deployed?.sequence === sequence ? h("span.muted", "This is what is deployed.")
                : h("a.button", {href: applicationAddress(name, "rollback") + "?to=" + sequence}, icon("rollback"), "Roll back to this…"));
        }, () => {});
    }
    get("/revisions?limit=1", signal).then((page) => start(page.asOf), () => {});
    listen(() => {}, signal);
}

function sentence(revision) {
    const name = h("a", {href: applicationAddress(revision.application.name)}, h("bdi", revision.application.name));
    const source = revision.source;
    const what = source?.commit ? [" ", commit(source.commit.id, source.repository), " “", subject(source.commit.subject), "”"] : null;
    const who = person(revision.actor);
    const act = revision.kind === "rollback"
        ? [who, " rolled ", name, " back", revision.rolledBackTo ? [" to ", revisionLink(revision.rolledBackTo)] : null, what ? [", commit", what] : null]
        : revision.kind === "sync" ? [who, " synced ", name, what ? [" to commit", what] : null]
            : [who, " compared ", name, what ? [" with commit", what] : null];
    const end = revision.outcome === "succeeded" ? "it succeeded" : revision.outcome === "failed" ? "it failed" : "it was superseded";
    return [act, " (", causeWords[revision.cause] ?? revision.cause, ") on ", time(revision.startedAt), "; ", countSentence(revision.counts), "; ",
        end, " after ", duration(revision.durationMs), ", ", revision.sync === "OutOfSync" ? "out of sync" : revision.sync?.toLowerCase(), " and ", (revision.health ?? "Unknown").toLowerCase(), "."];
}

function facts(revision) {
    const {source, actor, options = {}} = revision;
    const origin = source?.commit;
    const given = Object.entries({prune: options.prune, replace: options.replace, "confirm destructive": options.confirmDestructive,
        "keep Secrets": options.keepSecrets, hooks: options.hooks, "dry run": options.dryRun}).filter(([, value]) => value).map(([word]) => word);
    if (options.hold) given.push("hold " + options.hold);
    if (options.deletion) given.push("delete with resources, " + options.deletion.toLowerCase());
    if (options.resources) given.push("only " + options.resources.map((key) => key.kind + " " + (key.namespace ? key.namespace + "/" : "") + key.name).join(", "));
    const digest = (value) => value ? h("code.digest", value) : null;
    const rows = (list) => list.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
        .map(([term, value]) => h("div", h("dt", term), h("dd", value)));
    return h("div.columns",
        h("section.panel", h("h2", "Who and why"), h("dl.facts", rows([
            ["Actor", actor ? [person(actor), h("span.muted", " by " + actor.means)] : null],
            ["Token", actor?.tokenID ? h("code", actor.tokenID) : null],
            ["Cause", causeWords[revision.cause] ?? revision.cause],
            ["Takes back", revision.reactsTo ? revisionLink(revision.reactsTo) : null],
            ["Reason", revision.reason ? h("bdi", revision.reason) : null],
            ["Ticket", revision.ticket ? h("bdi", revision.ticket) : null],
            ["Options", given.length ? given.join(", ") : null],
            ["Retry", revision.retry ? "number " + revision.retry : null],
            ["Started", time(revision.startedAt)],
            ["Finished", [time(revision.finishedAt), h("span.muted", " after " + duration(revision.durationMs))]],
        ]))),
        h("section.panel", h("h2", "What"), h("dl.facts", rows([
            ["Commit", origin ? [commit(origin.id, source.repository), " ", subject(origin.subject)] : null],
            ["Author", origin ? [h("bdi", origin.author), h("span.muted", " ", time(origin.authoredAt))] : null],
            ["Signature", origin ? (origin.signed ? h("span", icon("signed"), " the commit carries one") : "none") : null],
            ["Before", source?.previousCommit ? commit(source.previousCommit, source.repository) : null],
            ["Repository", source ? repositoryLink(source.repository) : null],
            ["Path", source ? h("code", source.path || ".") : null],
            ["Target", source ? h("code", source.targetRevision) : null],
            ["Changes", countSentence(revision.counts)],
            ["State after", [badge(revision.sync), " ", badge(revision.health)]],
        ]))),
        h("section.panel", h("h2", "Record"), h("dl.facts", rows([
            ["Recorded", time(revision.recordedAt)],
            ["Application", [h("bdi", revision.application.name), h("span.muted", " project "), h("bdi", revision.application.project ?? "default")]],
            ["Cluster", revision.cluster ? [h("bdi", revision.cluster.name), " ", h("code.digest", revision.cluster.server)] : null],
            ["Desired", digest(revision.desired)],
            ["Live before", digest(revision.liveBefore)],
            ["Attempt", revision.attempt ? revision.attempt === true ? "yes" : "#" + revision.attempt : null],
            ["Leaf hash", digest(revision.digest)],
            ["Erased", revision.erased?.length ? revision.erased.join(", ") : null],
            ["Entry", h("a", {href: base + "/entries/" + revision.sequence, target: "_blank"}, "the stored bytes", icon("link", "opens in a new tab"))],
        ]))));
}

function differences(revision, values, signal) {
    const content = h("div");
    const choice = values.against ?? "previous";
    const isNumber = /^\d+$/.test(choice);
    const select = h("select", {id: "against", onchange: () => {
        other.hidden = select.value !== "other";
        if (select.value === "other") other.focus();
        else load();
    }}, h("option", {value: "previous"}, "the previous deployment"), h("option", {value: "live"}, "the cluster now"), h("option", {value: "other"}, "another revision"));
    const other = h("input", {type: "text", inputmode: "numeric", "aria-label": "Number of the other revision", placeholder: "#",
        autocomplete: "off", size: "8", onchange: () => { if (/^#?\d+$/.test(other.value.trim())) load(); }});
    select.value = isNumber ? "other" : ["previous", "live"].includes(choice) ? choice : "previous";
    other.hidden = !isNumber;
    if (isNumber) other.value = choice;
    let run = new AbortController();
    async function load(isFirst = false) {
        run.abort();
        run = new AbortController();
        signal.addEventListener("abort", () => run.abort(), {once: true});
        const own = run.signal;
        const against = select.value === "other" ? other.value.trim().replace(/^#/, "") : select.value;
        if (!isFirst) history.replaceState(history.state, "", query(location.pathname, {against: against === "previous" ? "" : against}));
        const done = loading(content, "the difference");
        try {
            const [page, {diffView}] = await Promise.all([get("/revisions/" + revision.sequence + "/diff?against=" + encodeURIComponent(against), own), import("./diff.js")]);
            done();
            if (!own.aborted) content.replaceChildren(diffView(page.items, "The manifests are the same."));
        } catch (problem) {
            done();
            if (problem.name !== "AbortError") content.replaceChildren(problem.status === 404 || problem.status === 409 || problem.status === 422
                ? h("p.panel.calm", problem.message, problem.hint ? [". ", problem.hint] : null) : problemPanel(problem, () => load()));
        }
    }
    load(true);
    return h("section", {"aria-labelledby": "diff-title"}, h("div.row.between", h("h2", {id: "diff-title"}, "Manifest diff"),
        h("span.row.field", h("label", {for: "against"}, "against"), select, other)), content);
}

function manifests(revision, signal) {
    const content = h("div");
    const element = h("details.more-manifests", h("summary", icon("right"), h("h2", "Manifests")), content);
    element.addEventListener("toggle", async () => {
        if (!element.open || content.firstChild) return;
        const done = loading(content, "manifests");
        try {
            const [page, {manifestsView}] = await Promise.all([get("/revisions/" + revision.sequence + "/manifests", signal), import("./diff.js")]);
            content.replaceChildren(manifestsView(page.items, "This revision stored no manifests."));
        } catch (problem) {
            if (problem.name !== "AbortError") content.replaceChildren(problemPanel(problem));
        }
        done();
    });
    return element;
}
