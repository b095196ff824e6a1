// Rollback and sync: the plan first, the act after it. The button works only for the plan that stands on the page.

import {h, icon, table, cell, say, dialog} from "./dom.js";
import {get, post, query, applicationPath, follow, mayAct, isSignedIn} from "./api.js";
import {start} from "./live.js";
import {badge, commit, subject, moment, person, applicationAddress, revisionLink, loading, problemPanel, errorPanel, signInAddress} from "./parts.js";
import {planView, diffView, isDestructive} from "./diff.js";

export async function show(context) {
    const {place, name, act, signal, title} = context;
    const isRollback = act === "rollback";
    title((isRollback ? "Roll back " : "Sync ") + name);
    const heading = h("h1", isRollback ? "Roll back " : "Sync ", h("bdi", name));
    const body = h("div");
    place.append(
        h("nav.crumbs", {"aria-label": "Breadcrumb"}, h("a", {href: "/apps"}, "Applications"), icon("right"),
            h("a", {href: applicationAddress(name), data: {up: ""}}, h("bdi", name)), icon("right")),
        h("div.head", heading), body);
    const done = loading(body, name);
    let application;
    try {
        const answer = await get(applicationPath(name), signal);
        application = answer.application ?? answer;
    } finally {
        done();
    }
    get("/revisions?limit=1", signal).then((page) => start(page.asOf), () => {});
    if (!mayAct(application)) {
        body.replaceChildren(h("section.panel.note", h("h2", icon("warning"), "Not with this role"),
            h("p", "This needs the role deployer or admin for the application."),
            isSignedIn() ? null : h("p", h("a.button", {href: signInAddress()}, icon("user"), "Sign in"))));
        return;
    }
    if (isRollback) await rollback(context, body, application);
    else await sync(context, body, application);
}

function now(application) {
    const deployed = application.deployed;
    return h("p.lead", deployed ? ["Deployed now: ", revisionLink(deployed.sequence), deployed.commit ? [" ", commit(deployed.commit, application.source?.repository)] : null,
        " ", subject(deployed.subject), h("span.muted", " by ", person(deployed.actor), ", ", moment(deployed.finishedAt))] : "Nothing is deployed yet.",
        " ", badge(application.sync), " ", badge(application.health?.status ?? "Unknown"));
}

async function rollback(context, body, application) {
    const {name, values, signal} = context;
    const targets = h("div");
    let chosen = /^\d+$/.test(values.to ?? "") ? Number(values.to) : null;
    let candidates = [];
    let cursor = null;
    const hold = radios("hold", "Afterwards, hold this state", [
        ["until-new-commit", "until a new commit changes the manifests", "Commits that render to what was left behind do not count."],
        ["until-unpinned", "until somebody unpins it", "New commits are recorded and not applied."],
    ], application.pin?.hold ?? "until-new-commit", () => work.replan());
    const options = h("div.options");
    const work = worker(context, application, {
        path: "/rollback",
        ready: () => chosen !== null,
        missing: "Choose a target to see what would change.",
        request: () => ({to: {sequence: chosen}, prune: work.flag("prune"), hold: hold.value(), replace: work.flag("replace"), keepSecrets: work.flag("keepSecrets")}),
        // Refused if somebody else deployed meanwhile: the difference shown would be another one.
        confirm: () => application.deployed?.desired ? {ifDesired: application.deployed.desired} : {},
        label: () => chosen === null ? "Roll back…" : "Roll back to #" + chosen + "…",
        question: () => "Roll " + name + " back to #" + chosen + "?",
        sure: (plan) => [h("p", "From ", application.deployed ? number(application.deployed) : "nothing", " to ", h("strong", "#" + chosen),
            plan.source?.commit ? [" (", commit(plan.source.commit.id), ")"] : null, ". It is then held ",
            hold.value() === "until-unpinned" ? "until somebody unpins it." : "until a new commit changes the manifests.")],
        verb: "Roll back",
        difference: "From what is deployed now to the target",
        secrets: "Secrets whose values would go back",
        noDifference: "The target has the same manifests as what is deployed.",
        reasonIsRequired: true,
    });
    const number = (deployed) => "#" + deployed.sequence;
    options.append(hold.element, work.flags([
        ["prune", "Remove resources that the target does not have", Boolean(application.automated?.prune), true],
        ["keepSecrets", "Leave Secrets' values as they are in the cluster", false, false],
        ["replace", "Replace what cannot be changed in place (delete, then create)", false, false],
    ]));

    async function load(more) {
        const page = await get(query(applicationPath(name, "/rollback-candidates"), {limit: 8, cursor: more}), signal);
        candidates.push(...page.items);
        cursor = page.nextCursor ?? null;
        paint();
    }
    function paint() {
        const known = candidates.some((one) => one.sequence === chosen);
        const rows = candidates.map((one) => {
            const id = "target-" + one.sequence;
            const current = application.deployed?.sequence === one.sequence || (one.desired && one.desired === application.deployed?.desired);
            const radio = h("input", {type: "radio", name: "target", id, value: String(one.sequence), checked: one.sequence === chosen, disabled: Boolean(current),
                onchange: () => {
                    chosen = one.sequence;
                    history.replaceState(history.state, "", query(location.pathname, {to: chosen}));
                    work.replan();
                }});
            return h("tr", cell("", {class: "tight"}, radio),
                h("th", {scope: "row", role: "rowheader", class: "tight", "data-label": "Revision"}, h("label", {for: id}, "#" + one.sequence), " ",
                    h("a.small", {href: "/revisions/" + one.sequence, "aria-label": "Show revision #" + one.sequence}, icon("link"))),
                cell("Commit", null, h("label", {for: id}, h("div.line", badge(one.kind, one.rolledBackTo ? "Rollback to #" + one.rolledBackTo : undefined), " ", commit(one.source?.commit?.id), " ", subject(one.source?.commit?.subject)))),
                cell("When", {class: "tight"}, moment(one.recordedAt)),
                cell("Who", null, person(one.actor)),
                cell("Health", {class: "tight"}, current ? h("span.muted", "same as now") : badge(one.healthReached ?? one.health)));
        });
        targets.replaceChildren(
            candidates.length ? table("Targets", ["Choose", "Revision", "Commit", "When", "Who", "Health"], rows, "targets")
                : h("p.panel.calm", "There is no earlier whole, successful deployment to return to."),
            chosen !== null && !known ? h("p.panel.calm", "Chosen by its number: ", revisionLink(chosen)) : "",
            cursor ? h("p.more", h("button.button.small", {type: "button", onclick: (event) => {
                event.target.disabled = true;
                load(cursor).catch((problem) => { if (problem.name !== "AbortError") targets.append(problemPanel(problem)); });
            }}, "Load older")) : "");
    }
    body.replaceChildren(now(application),
        h("section", {"aria-labelledby": "t1"}, h("h2.step", {id: "t1"}, "Target"), targets),
        h("section", {"aria-labelledby": "t2"}, h("h2.step", {id: "t2"}, "Options"), options),
        work.element);
    const done = loading(targets, "targets");
    try {
        await load();
    } finally {
        done();
    }
    if (chosen !== null) work.replan();
}

async function sync(context, body, application) {
    const {name} = context;
    const revision = h("input", {id: "sync-revision", type: "text", autocomplete: "off", spellcheck: "false",
        placeholder: application.source?.targetRevision ?? "HEAD", onchange: () => work.replan()});
    const work = worker(context, application, {
        path: "/sync",
        ready: () => true,
        missing: "",
        request: () => ({revision: revision.value.trim() || undefined, prune: work.flag("prune"), replace: work.flag("replace")}),
        confirm: () => ({}),
        label: () => "Sync…",
        question: () => "Sync " + name + "?",
        sure: (plan) => h("p", "To ", plan.source?.commit ? [commit(plan.source.commit.id), " ", subject(plan.source.commit.subject)] : "what is desired",
            application.pin ? ". This also lets go of the pin to #" + application.pin.target + "." : "."),
        verb: "Sync",
        difference: "From what is deployed now to what the sync would apply",
        secrets: "Secrets whose values would change",
        noDifference: "The manifests are the ones deployed; a sync still corrects what differs in the cluster.",
        reasonIsRequired: false,
    });
    const options = h("div.options",
        application.automated ? h("p.muted", "Automatic sync is on, so the revision is always ", h("code", application.source?.targetRevision ?? "HEAD"), ".")
            : h("div.field", h("label", {for: "sync-revision"}, "Branch, tag or commit"), revision),
        work.flags([
            ["prune", "Remove resources that are no longer desired", Boolean(application.automated?.prune), true],
            ["replace", "Replace what cannot be changed in place (delete, then create)", false, false],
        ]));
    body.replaceChildren(now(application), h("section", {"aria-labelledby": "t2"}, h("h2.step", {id: "t2"}, "Options"), options), work.element);
    await work.replan();
}

function radios(name, legend, choices, value, changed) {
    const inputs = choices.map(([id, text, detail]) => {
        const input = h("input", {type: "radio", name, id: name + "-" + id, value: id, checked: id === value, onchange: changed});
        return [input, h("div.choice", input, h("label", {for: name + "-" + id}, text, h("span.sub", detail)))];
    });
    return {element: h("fieldset", h("legend", legend), inputs.map(([, element]) => element)), value: () => inputs.find(([input]) => input.checked)?.[0].value};
}

// The part both share: flags, plan, difference, reason, button, confirmation, and following it to its revision.
function worker(context, application, kind) {
    const {name, signal, go} = context;
    const checks = new Map();
    const planPlace = h("div.plan");
    const outcome = h("div", {"aria-live": "polite"});
    const reason = h("input", {id: "reason", type: "text", autocomplete: "off", maxlength: "1000", required: kind.reasonIsRequired, oninput: () => paintButton()});
    const ticket = h("input", {id: "ticket", type: "text", autocomplete: "off", maxlength: "200"});
    const hint = h("span.muted", {id: "act-hint"});
    const button = h("button.button.primary", {type: "submit", disabled: true, "aria-describedby": "act-hint"});
    const back = () => go(applicationAddress(name));
    let shown = null;          // the plan on the page, and the request it answers
    let run = new AbortController();
    let isRunning = false;

    const form = h("form", {onsubmit: (event) => { event.preventDefault(); submit(); }},
        h("section", {"aria-labelledby": "t3"}, h("h2.step", {id: "t3"}, "What will change"), planPlace),
        h("section", {"aria-labelledby": "t4"}, h("h2.step", {id: "t4"}, "Why"),
            h("div.fields",
                h("div.field.wide", h("label", {for: "reason"}, kind.reasonIsRequired ? "Reason (required)" : "Reason"), reason),
                h("div.field", h("label", {for: "ticket"}, "Ticket"), ticket))),
        outcome,
        h("div.row.decide", h("button.button", {type: "button", onclick: back}, "Cancel"), button, hint));

    function paintButton() {
        button.replaceChildren(icon(kind.path.slice(1)), kind.label());
        const blocked = isRunning ? "It is under way."
            : !kind.ready() ? kind.missing
                : !shown ? "Available once the changes are shown above."
                    : shown.plan.changes.some((change) => change.action === "cannot") ? "Something cannot be done as it is; see what to do above."
                        : kind.reasonIsRequired && !reason.value.trim() ? "Give a reason." : "";
        button.disabled = blocked !== "";
        hint.textContent = blocked;
    }

    async function replan() {
        run.abort();
        run = new AbortController();
        signal.addEventListener("abort", () => run.abort(), {once: true});
        const own = run.signal;
        shown = null;
        paintButton();
        if (!kind.ready()) {
            planPlace.replaceChildren(h("p.panel.calm", kind.missing));
            return;
        }
        const request = kind.request();
        const done = loading(planPlace, "the plan");
        try {
            const answer = await post(applicationPath(name, kind.path), {...request, dryRun: true}, own);
            done();
            if (own.aborted) return;
            const plan = answer.plan ?? answer;
            planPlace.replaceChildren();
            for (const part of [planView(plan, kind.secrets), h("h3", kind.difference), diffView(plan.diff ?? [], kind.noDifference)].flat()) if (part) planPlace.append(part);
            reveal(plan);
            // From here on the reader can see it; what is sent later is this request and no other.
            shown = {plan, request};
            paintButton();
            say("The plan is shown");
        } catch (problem) {
            done();
            if (problem.name === "AbortError") return;
            planPlace.replaceChildren(problemPanel(problem, replan));
        }
    }

    // Choices that make sense only for this plan appear with it.
    function reveal(plan) {
        const need = {keepSecrets: plan.secrets?.length > 0, replace: plan.changes.some((change) => change.action === "cannot")};
        for (const [flag, {input, element, isAlways}] of checks) element.hidden = !(isAlways || input.checked || need[flag]);
    }

    async function submit() {
        if (button.disabled || !shown) return;
        const {plan, request} = shown;
        const destructive = plan.changes.filter(isDestructive);
        const isSure = await dialog(kind.question(), (close) => confirmation(plan, destructive, close));
        if (!isSure || shown?.plan !== plan) return;
        isRunning = true;
        paintButton();
        try {
            const answer = await post(applicationPath(name, kind.path), {
                ...request, ...kind.confirm(),
                reason: reason.value.trim() || undefined, ticket: ticket.value.trim() || undefined,
                confirmDestructive: destructive.length ? true : undefined,
            }, signal);
            const end = await follow(answer.operation ?? answer, (operation, isLost) => {
                outcome.replaceChildren(h("p.panel.calm", badge(operation.state === "running" ? "running" : "queued"), " ",
                    isLost ? "The server does not answer; the operation goes on without this page. Trying again."
                        : operation.state === "running" ? "Applying…" : "Waiting for its turn…"));
            }, signal);
            if (end.state === "finished" && end.revision) {
                say("It " + (end.outcome ?? "finished") + " as revision #" + end.revision);
                await go("/revisions/" + end.revision);
                return;
            }
            outcome.replaceChildren(end.error ? errorPanel(end.error, "It was refused") : h("p.panel.calm", "It ended without a revision: nothing had to be done."));
        } catch (problem) {
            if (problem.name === "AbortError") return;
            outcome.replaceChildren(problemPanel(problem));
            if (problem.status === 409 || problem.status === 412) outcome.append(h("p", h("button.button", {type: "button", onclick: context.reload}, icon("refresh"), "Plan again")));
        }
        isRunning = false;
        paintButton();
    }

    function confirmation(plan, destructive, close) {
        const confirm = h("button.button.primary", {type: "submit", class: destructive.length ? "danger" : null, disabled: destructive.length > 0}, icon(kind.path.slice(1)), kind.verb);
        const typed = h("input", {id: "typed", type: "text", autocomplete: "off", spellcheck: "false", oninput: () => { confirm.disabled = typed.value.trim() !== name; }});
        const tally = {};
        for (const change of plan.changes) tally[change.action] = (tally[change.action] ?? 0) + 1;
        return h("form", {onsubmit: (event) => { event.preventDefault(); if (!confirm.disabled) close(true); }},
            kind.sure(plan),
            h("p.row", ["create", "update", "prune", "leftover", "unchanged"].filter((word) => tally[word]).map((word) => badge(word, tally[word] + " " + word))),
            destructive.length ? h("section.panel.problem", h("h3", icon("warning"), "This deletes what cannot be brought back"),
                h("ul", destructive.map((change) => h("li", change.kind + " ", h("bdi", change.name)))),
                h("div.field.wide", h("label", {for: "typed"}, "Type the application's name, ", h("code", name), ", to go on"), typed)) : null,
            h("p.row.end", h("button.button", {type: "button", autofocus: true, onclick: () => close(false)}, "Cancel"), confirm));
    }

    paintButton();
    planPlace.append(h("p.panel.calm", kind.missing || "Working out what would change…"));
    return {
        element: form,
        replan,
        flag: (flag) => checks.get(flag)?.input.checked ?? false,
        flags: (list) => h("fieldset", h("legend", "How"), list.map(([flag, text, value, isAlways]) => {
            const input = h("input", {type: "checkbox", id: "flag-" + flag, checked: value, onchange: () => replan()});
            const element = h("div.choice", {hidden: !isAlways && !value}, input, h("label", {for: "flag-" + flag}, text));
            checks.set(flag, {input, element, isAlways});
            return element;
        })),
    };
}
