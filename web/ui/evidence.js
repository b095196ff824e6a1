// How many entries a question finds, under which signature, and the evidence pack that proves it.

import {h, icon, plain, say} from "./dom.js";
import {base, me, mayAudit, post, Problem} from "./api.js";
import {problemPanel} from "./parts.js";

/** What the page's filters ask, as the API takes it: revisions and events are asked alike. */
export function question(filters) {
    const list = (value) => (value ? [value] : undefined);
    return Object.fromEntries(Object.entries({
        kind: list(filters.kind), application: list(filters.application), project: list(filters.project),
        outcome: list(filters.outcome), actor: filters.actor || undefined,
        from: filters.from || undefined, to: filters.to || undefined,
    }).filter(([, value]) => value !== undefined));
}

/** A card for those who audit; null for everybody else. `filters` gives the page's present ones. */
export function evidence(filters, signal) {
    if (!mayAudit() || me().means === "anonymous") return null;
    const answer = h("div", {role: "status"});
    const count = h("button.button", {type: "button", onclick: () => act(count, counted)}, icon("search"), "Count what matches");
    const pack = h("button.button", {type: "button", onclick: () => act(pack, packed)}, icon("signed"), "Export evidence pack…");

    async function act(button, work) {
        button.disabled = true;
        answer.setAttribute("aria-busy", "true");
        try {
            answer.replaceChildren(...await work(question(filters())));
        } catch (problem) {
            if (problem.name !== "AbortError") answer.replaceChildren(problemPanel(problem));
        } finally {
            button.disabled = false;
            answer.removeAttribute("aria-busy");
        }
    }

    async function counted(asked) {
        const found = await post("/exports/population", asked, signal);
        say(found.matches + " entries match");
        return [population(found)];
    }

    async function packed(asked) {
        say("The pack is being made");
        const name = await download("/exports", {...asked, format: "pack"}, signal);
        return [h("p", "Saved as ", h("code", name), ". Check it with ", h("code", "shiplog ledger verify " + name),
            ", or with the verify.py that you trust.")];
    }

    return h("section.panel.evidence", {"aria-label": "Evidence"},
        h("p.muted", "Revisions and events that fit the filters, with the proof that none was left out. Exporting is itself recorded."),
        h("p", count, " ", pack), answer);
}

function population(found) {
    if (!found.first) return h("p", "The log has no entry there.");
    const fact = (name, ...value) => h("div", h("dt", name), h("dd", ...value));
    return h("dl.facts",
        fact("Matches", h("strong", String(found.matches)), found.matches ? " (#" + found.firstMatch + "–#" + found.lastMatch + ")" : ""),
        fact("Range", "#" + found.first + "–#" + found.last + ", " + found.entries + " entries, " + found.gaps + " gaps"),
        fact("Signed", found.root
            ? ["root ", h("code.hash", {title: found.root}, plain(found.root.slice(0, 12)) + "…"), " over " + found.size + " entries, key ",
                h("code.hash", found.key ?? "?"), found.selfAttested ? "; self-attested" : ""]
            : "this server signs nothing"),
        fact("Complete", found.completeness === "proven" ? "provable" : "integrity only"));
}

/** Saves what the server answers under the name that it gives. */
async function download(path, body, signal) {
    const response = await fetch(base + path, {
        method: "POST", signal, credentials: "same-origin",
        headers: {Accept: "*/*", "Content-Type": "application/json"}, body: JSON.stringify(body),
    }).catch((error) => {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, {title: "The server cannot be reached", detail: "The export got no answer"}, "POST " + path);
    });
    if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})), "POST " + path);
    const name = /filename="([\w.-]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "evidence.zip";
    let saved;
    try {
        saved = await response.blob();
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, {title: "The export broke off", detail: "The connection ended before the pack did", hint: "Try again, or use the command line."}, "POST " + path);
    }
    // The browser keeps a large one on its disk.
    const address = URL.createObjectURL(saved);
    const link = document.createElement("a");
    link.setAttribute("href", address);
    link.setAttribute("download", name);
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    return name;
}
