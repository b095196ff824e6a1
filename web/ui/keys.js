// Keys that move; none of them changes anything on the server. They can be switched off, and they are silent in fields,
// with modifiers and while text is being composed.

import {h, icon, dialog} from "./dom.js";
import {get, me, isSignedIn} from "./api.js";
import {preference, setPreference} from "./parts.js";

const sheetRows = [
    [["/"], "Search or filter"],
    [["j"], "Next row"], [["k"], "Previous row"],
    [["Enter"], "Open the row"],
    [["Esc"], "Leave the field, close, or go up one level"],
    [["g", "a"], "Applications"], [["g", "h"], "History"], [["g", "t"], "Time machine"], [["g", "l"], "Audit log (auditors)"],
    [["?"], "This sheet"],
];

const places = {a: "/apps", h: "/history", t: "/at", l: "/audit"};

function isField(element) {
    return element instanceof HTMLElement
        && (element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName));
}

function step(by) {
    const rows = [...document.querySelectorAll("#main [data-row]")].filter((row) => row.getClientRects().length > 0);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row === document.activeElement || row.closest("tr")?.contains(document.activeElement));
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
    rows[next].focus();
    rows[next].scrollIntoView({block: "nearest"});
}

export function listenToKeys(go) {
    let afterG = 0;
    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
        if (document.querySelector("dialog[open]")) return;
        const target = event.target;
        if (event.key === "Escape") {
            if (isField(target)) {
                // A search field would be emptied by its browser: leaving it keeps what was found.
                event.preventDefault();
                target.blur();
                return;
            }
            if (preference("keys") === "on") document.querySelector("#main [data-up]")?.click();
            return;
        }
        if (preference("keys") !== "on" || isField(target)) return;
        const wasG = Date.now() - afterG < 1500;
        afterG = 0;
        const act = {
            "/": () => {
                const field = document.querySelector("#main [data-search]");
                field?.focus();
                field?.select();
                return Boolean(field);
            },
            j: () => step(1) ?? true,
            k: () => step(-1) ?? true,
            "?": () => sheet() && true,
            g: () => { afterG = Date.now(); return true; },
        };
        if (wasG && places[event.key]) {
            event.preventDefault();
            go(places[event.key]);
        } else if (act[event.key]?.()) event.preventDefault();
    });
}

/** The sheet of keys, and what this server is. */
export function sheet() {
    return dialog("Keyboard and about", (close) => {
        const facts = h("dl.facts");
        get("/system").then((system) => {
            const rows = [["Version", system.version], ["Build", system.build ?? system.commit],
                ["Cluster", system.sandbox === true || system.mode === "sandbox" ? "embedded; it runs no containers" : null],
                ["Ledger", system.ledger?.newest ?? system.asOf ? "up to #" + (system.ledger?.newest ?? system.asOf) : null],
                ["Signed in", isSignedIn() ? me().name + " (" + me().role + ")" : "no"]];
            for (const [name, value] of rows) if (value) facts.append(h("dt", name), h("dd", String(value)));
        }, () => facts.append(h("dt", "Server"), h("dd", "did not say")));
        const toggle = h("input", {type: "checkbox", id: "keys-on", checked: preference("keys") === "on",
            onchange: (event) => setPreference("keys", event.target.checked ? "on" : "off")});
        return [
            h("dl.keys", sheetRows.map(([keys, text]) => [
                h("dt", keys.map((key, index) => [index ? " then " : null, h("kbd", key)])), h("dd", text)])),
            h("p.check", toggle, h("label", {for: "keys-on"}, "Single-key shortcuts in this browser")),
            h("h3", "About"), facts,
            h("p.row.end", h("button.button", {type: "button", autofocus: true, onclick: () => close()}, icon("cross"), "Close")),
        ];
    });
}
