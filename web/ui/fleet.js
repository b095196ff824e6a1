// Many applications back to one moment: the plan first, the act after it, and what became of each.

import {h, icon, table, cell, say, dialog} from "./dom.js";
import {get, post, query, me, Problem} from "./api.js";
import {badge, time, person, applicationAddress, revisionLink, resourceName, loading, problemPanel} from "./parts.js";

const actionWords = {rollback: "Roll back", recreate: "Register again", delete: "Delete", none: "Nothing to do", cannot: "Cannot"};
const actionIcons = {rollback: "rollback", recreate: "refresh", delete: "cross", none: "check", cannot: "failed"};
const actionTones = {rollback: "back", recreate: "busy", delete: "bad", none: "dim", cannot: "bad"};

const isAct = (item) => ["rollback", "recreate", "delete"].includes(item.action);

function actionBadge(item) {
    return h("span.badge", {class: item.offered ? "dim" : actionTones[item.action]}, icon(actionIcons[item.action] ?? "info"),
        (item.offered ? "Offered: " : "") + (actionWords[item.action] ?? item.action));
}

function tally(item, ...words) {
    return (item.changes ?? []).filter((change) => words.includes(change.action)).length;
}

/** Shows the plan for a moment below the table, and carries out what is chosen of it. */
export async function planner(context, place, at, project) {
    const {signal, go} = context;
    const isAdmin = me().role === "admin";
    const chosen = new Set();
    const options = {recreate: false, delete: false, replace: false, keepSecrets: false};
    const planPlace = h("div.plan");
    const outcome = h("div", {"aria-live": "polite"});
    const reason = h("input", {id: "fleet-reason", type: "text", autocomplete: "off", maxlength: "1000", required: true, oninput: () => paintButton()});
    const ticket = h("input", {id: "fleet-ticket", type: "text", autocomplete: "off", maxlength: "200"});
    const goOn = h("input", {id: "fleet-continue", type: "checkbox"});
    const hold = h("select", {id: "fleet-hold", onchange: () => replan()},
        h("option", {value: "until-new-commit"}, "until a new commit"), h("option", {value: "until-unpinned"}, "until unpinned"));
    const hint = h("span.muted", {id: "fleet-hint"});
    const button = h("button.button.primary", {type: "submit", disabled: true, "aria-describedby": "fleet-hint"});
    const heading = h("h2.step", {id: "f1", tabindex: "-1"}, "Rollback to row #" + at.sequence);
    let plan = null;
    let isRunning = false;
    let run = new AbortController();

    const flag = (name, text) => h("div.choice",
        h("input", {type: "checkbox", id: "fleet-" + name, onchange: (event) => { options[name] = event.target.checked; replan(); }}),
        h("label", {for: "fleet-" + name}, text));
    place.append(h("form", {onsubmit: (event) => { event.preventDefault(); submit(); }},
        h("section", {"aria-labelledby": "f1"}, heading,
            h("p.muted", "Configuration outside of the manifests, data and what ran once do not go back."),
            h("fieldset", h("legend", "How"),
                h("div.field", h("label", {for: "fleet-hold"}, "Afterwards, hold the applications"), hold),
                isAdmin ? flag("recreate", "Register applications again that were deleted since") : null,
                isAdmin ? flag("delete", "Delete applications that did not exist then, with what they deployed") : null,
                flag("replace", "Replace what cannot be changed in place (delete, then create)"),
                flag("keepSecrets", "Leave Secrets' values as they are in the cluster")),
            planPlace),
        h("section", {"aria-labelledby": "f2"}, h("h2.step", {id: "f2"}, "Why"),
            h("div.fields",
                h("div.field.wide", h("label", {for: "fleet-reason"}, "Reason (required)"), reason),
                h("div.field", h("label", {for: "fleet-ticket"}, "Ticket"), ticket),
                h("div.field.check", goOn, h("label", {for: "fleet-continue"}, "Go on with the others when one fails")))),
        outcome,
        h("div.row.decide", h("button.button", {type: "button", onclick: () => { run.abort(); place.replaceChildren(); context.reload(); }}, "Cancel"), button, hint)));
    heading.focus();

    const picked = () => (plan?.items ?? []).filter((item) => isAct(item) && !item.offered && chosen.has(item.application.uid));

    function paintButton() {
        const count = picked().length;
        button.replaceChildren(icon("rollback"), count === 1 ? "Roll back 1 application…" : "Roll back " + count + " applications…");
        const blocked = isRunning ? "It is under way."
            : !plan ? "Available once the plan is shown above."
                : count === 0 ? "Choose at least one application."
                    : !reason.value.trim() ? "Give a reason." : "";
        button.disabled = blocked !== "";
        hint.textContent = blocked;
    }

    async function replan() {
        run.abort();
        run = new AbortController();
        signal.addEventListener("abort", () => run.abort(), {once: true});
        const own = run.signal;
        plan = null;
        paintButton();
        const done = loading(planPlace, "the plan");
        try {
            const answer = await post("/plans", {at: String(at.sequence), hold: hold.value, ...options, ...(project ? {projects: [project]} : {})}, own);
            done();
            if (own.aborted) return;
            plan = answer.plan;
            chosen.clear();
            for (const item of plan.items) if (isAct(item) && !item.offered) chosen.add(item.application.uid);
            planPlace.replaceChildren(planTable());
            paintButton();
            say("The plan is shown");
        } catch (problem) {
            done();
            if (problem.name === "AbortError") return;
            planPlace.replaceChildren(problemPanel(problem, replan));
        }
    }

    function planTable() {
        const rows = plan.items.filter((item) => item.action !== "none").map((item) => {
            const uid = item.application.uid;
            const can = isAct(item) && !item.offered;
            const box = h("input", {type: "checkbox", id: "fleet-app-" + uid, checked: can, disabled: !can, "aria-label": "Include " + item.application.name,
                onchange: (event) => {
                    if (event.target.checked) chosen.add(uid);
                    else chosen.delete(uid);
                    paintButton();
                }});
            const visible = (item.changes ?? []).filter((change) => change.action !== "unchanged");
            return h("tr", cell("", {class: "tight"}, box),
                h("th.app", {scope: "row", role: "rowheader", "data-label": "Application"}, h("a", {href: applicationAddress(item.application.name), data: {row: uid}}, h("bdi", item.application.name))),
                cell("Action", {class: "tight"}, actionBadge(item), item.target ? [" ", revisionLink(item.target)] : null),
                cell("Changes", null, h("span.counts", ["create", "update", "prune"].map((word) => {
                    const count = word === "update" ? tally(item, "update", "replace") : tally(item, word);
                    return count ? [badge(word, count + " " + word), " "] : null;
                })), visible.length ? h("details", h("summary", "Resources"), h("ul.plain", visible.map((change) =>
                    h("li", badge(change.action), " ", resourceName(change), change.message ? h("div.sub", h("bdi", change.message)) : null)))) : null),
                cell("", {class: "message"}, item.error ? [h("bdi", item.error.message), item.error.hint ? h("div.remedy", h("strong", "What to do: "), item.error.hint) : null, h("div.muted.small", h("code", item.error.code))] : null,
                    (item.notes ?? []).map((note) => h("div.sub", h("bdi", note)))));
        });
        const same = plan.items.filter((item) => item.action === "none").length;
        return h("div", rows.length ? table("The plan", ["Include", "Application", "Action", "Changes", "Notes"], rows, "fleet") : h("p.panel.calm", "There is nothing to do."),
            same ? h("p.muted.small", same + (same === 1 ? " application has" : " applications have") + " the same manifests already.") : null);
    }

    async function submit() {
        if (button.disabled || !plan) return;
        const own = plan;
        const items = picked();
        const projects = new Set(items.map((item) => item.application.project));
        const prunes = items.reduce((sum, item) => sum + tally(item, "prune"), 0);
        const word = items.length === 1 ? items[0].application.name : projects.size === 1 ? [...projects][0] : "all " + items.length;
        const isSure = await dialog(items.length === 1 ? "Roll back " + word + "?" : "Roll back " + items.length + " applications?", (close) => {
            const confirm = h("button.button.primary", {type: "submit", class: prunes ? "danger" : null, disabled: true}, icon("rollback"), "Roll back");
            const typed = h("input", {id: "typed", type: "text", autocomplete: "off", spellcheck: "false", oninput: () => { confirm.disabled = typed.value.trim() !== word; }});
            return h("form", {onsubmit: (event) => { event.preventDefault(); if (!confirm.disabled) close(true); }},
                h("p", "To what was deployed at row ", h("strong", "#" + at.sequence), ", ", time(at.recordedAt), "."),
                prunes ? h("section.panel.problem", h("h3", icon("warning"), prunes + (prunes === 1 ? " object is" : " objects are") + " removed from the cluster")) : null,
                h("div.field.wide", h("label", {for: "typed"}, "Type ", h("code", word), " to go on"), typed),
                h("p.row.end", h("button.button", {type: "button", autofocus: true, onclick: () => close(false)}, "Cancel"), confirm));
        });
        if (!isSure || plan !== own) return;
        isRunning = true;
        paintButton();
        try {
            const sent = {...own, items: items.map(({changes, notes, ...rest}) => rest)};
            const answer = await post("/plans/apply", {plan: sent, reason: reason.value.trim(), ticket: ticket.value.trim() || undefined, continueOnError: goOn.checked || undefined}, signal);
            await go("/at?fleet=" + answer.fleet.group);
            return;
        } catch (problem) {
            if (problem.name === "AbortError") return;
            outcome.replaceChildren(problemPanel(problem));
            if (problem.status === 409 || problem.status === 412) outcome.append(h("p", h("button.button", {type: "button", onclick: () => { outcome.replaceChildren(); replan(); }}, icon("refresh"), "Plan again")));
        }
        isRunning = false;
        paintButton();
    }

    paintButton();
    await replan();
}

const resultTones = {waiting: "dim", running: "busy", succeeded: "good", failed: "bad", skipped: "dim"};
const resultIcons = {waiting: "progress", running: "progress", succeeded: "check", failed: "failed", skipped: "superseded"};

/** One rollback of many applications, followed to its end; its address can be kept. */
export async function showFleet({place, signal, title}, group) {
    title("Rollback #" + group);
    const summary = h("p.summary.muted");
    const list = h("div");
    place.append(
        h("nav.crumbs", {"aria-label": "Breadcrumb"}, h("a", {href: "/at", data: {up: ""}}, "Time machine"), icon("right")),
        h("div.head", h("h1", "Rollback #" + group), summary), list);
    const done = loading(list, "the rollback");
    let fleet = await get("/fleets/" + group, signal).finally(done);
    paint();
    let lostSince = 0;
    while (fleet.state !== "finished") {
        try {
            fleet = await get(query("/fleets/" + group, {wait: 20}), signal);
            lostSince = 0;
        } catch (problem) {
            if (problem.name === "AbortError") return;
            if (!(problem instanceof Problem) || (problem.status !== 0 && problem.status < 500)) throw problem;
            lostSince ||= Date.now();
            if (Date.now() - lostSince > 120_000) throw problem;
            await new Promise((resolve) => setTimeout(resolve, 2000));
        }
        if (signal.aborted) return;
        paint();
    }
    say("The rollback has " + (fleet.outcome === "succeeded" ? "succeeded" : "ended with failures"));

    function paint() {
        const counted = {};
        for (const item of fleet.items) counted[item.result] = (counted[item.result] ?? 0) + 1;
        summary.replaceChildren(badge(fleet.state === "finished" ? fleet.outcome : "running"), " to row ",
            h("a.number", {href: "/at?row=" + fleet.at}, "#" + fleet.at), " by ", person(fleet.actor), ", ", time(fleet.startedAt));
        list.replaceChildren(
            fleet.reason ? h("p.lead", h("bdi", fleet.reason), fleet.ticket ? h("span.muted", " · ", h("bdi", fleet.ticket)) : null) : "",
            h("p.row", ["succeeded", "running", "waiting", "failed", "skipped"].filter((word) => counted[word]).map((word) =>
                h("span.badge", {class: resultTones[word]}, icon(resultIcons[word]), counted[word] + " " + word))),
            table("Applications", ["Application", "Action", "Result", "Revision", "Message"], fleet.items.map((item) =>
                h("tr", {class: item.result === "failed" ? "bad" : null},
                    h("th.app", {scope: "row", role: "rowheader", "data-label": "Application"}, h("a", {href: applicationAddress(item.application.name), data: {row: item.application.uid}}, h("bdi", item.application.name))),
                    cell("Action", {class: "tight"}, actionBadge(item), item.target ? [" ", revisionLink(item.target)] : null),
                    cell("Result", {class: "tight"}, h("span.badge", {class: resultTones[item.result]}, icon(resultIcons[item.result]), item.result)),
                    cell("Revision", {class: "tight"}, item.revision ? revisionLink(item.revision) : null),
                    cell("", {class: "message"}, item.error ? [h("bdi", item.error.message), item.error.hint ? h("div.remedy", h("strong", "What to do: "), item.error.hint) : null] : null))), "fleet"));
    }
}
