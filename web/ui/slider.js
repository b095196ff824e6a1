// A slider over the whole log, with a mark for each of the newest deployments: the time machine's lever.

import {h, say} from "./dom.js";
import {get, query} from "./api.js";

const marksShown = 100;

/**
 * @param choose takes the row that was chosen.
 * @returns its element, and `set(row, newest, text)` for the row that is shown, the log's newest and when it was recorded.
 */
export function slider(choose) {
    const ticks = h("datalist", {id: "deployments"});
    const lever = h("input", {type: "range", min: "1", max: "1", step: "1", value: "1", list: "deployments", "aria-label": "Row of the log"});
    const shown = h("output.number", {});
    let marks = [];
    let start = 1;

    function label(row) {
        const mark = marks.find((one) => one.sequence === row);
        return "#" + row + (mark ? ", " + mark.kind + " of " + mark.application.name + (mark.outcome === "succeeded" ? "" : ", " + mark.outcome) : "");
    }
    function tell() {
        const row = Number(lever.value);
        shown.textContent = label(row);
        lever.setAttribute("aria-valuetext", label(row));
    }
    /** The next deployment before or after the row that is shown. */
    function step(direction) {
        const rows = marks.map((one) => one.sequence).sort((a, b) => a - b);
        const row = direction < 0 ? rows.findLast((one) => one < start) : rows.find((one) => one > start);
        if (row === undefined) return say(direction < 0 ? "No deployment before this one is marked" : "There is no later deployment");
        choose(row);
    }
    lever.addEventListener("input", tell);
    lever.addEventListener("change", () => choose(Number(lever.value)));

    const element = h("div.lever", {role: "group", "aria-label": "Move through the log"},
        h("button.button.small", {type: "button", onclick: () => step(-1)}, "Deployment before"),
        lever, ticks,
        h("button.button.small", {type: "button", onclick: () => step(1)}, "Deployment after"), shown);
    element.hidden = true;

    return {
        element,
        set(row, newest) {
            element.hidden = !(newest > 1);
            start = row;
            lever.max = String(Math.max(newest, row));
            lever.value = String(row);
            tell();
        },
        /** Marks are a help: without them the lever still moves. */
        async mark(project, signal) {
            const page = await get(query("/revisions", {kind: ["sync", "rollback"], project, limit: marksShown}), signal).catch(() => null);
            if (!page) return;
            marks = page.items;
            ticks.replaceChildren(...marks.map((one) => h("option", {value: String(one.sequence), label: label(one.sequence)})));
            tell();
        },
    };
}
