// How far the log is signed, at the foot of every page.

import {h, icon} from "./dom.js";
import {get} from "./api.js";
import {listen} from "./live.js";

const every = 15_000;
let asked = 0;
let timer = 0;

/** Keeps the place up to date; it stays empty where nothing is signed. */
export function showSigned(place) {
    async function paint() {
        asked = Date.now();
        try {
            const log = await get("/log");
            if (!log.checkpoint) return place.replaceChildren();
            const size = log.checkpoint.size.toLocaleString("en");
            const [shape, tone, words] = log.trouble ? ["warning", "warn", "signed to #" + size + " only: " + log.trouble.message]
                : log.confirmed === false ? ["warning", "warn", "restored copy, not confirmed"]
                    : ["signed", "good", "Log signed to #" + size + (log.selfAttested ? "" : ", witnessed")];
            place.replaceChildren(h("span.signed", {class: tone}, icon(shape), h("span", words)));
        } catch {
            place.replaceChildren();
        }
    }
    listen((message) => {
        if (message.type !== "revision" && message.type !== "event" && message.type !== "stale") return;
        clearTimeout(timer);
        // The checkpoint follows the row within a second.
        timer = setTimeout(paint, Math.max(1500, asked + every - Date.now()));
    });
    paint();
}
