// The event stream. One tab of a browser holds the connection and tells the others, since HTTP/1.1 allows six for a
// server and a person has more tabs than that. Screens take a snapshot, then hear every revision after it exactly once:
// the stream resumes by sequence, and `heard` drops what a reconnect repeats.

import {base, get, Problem} from "./api.js";

const listeners = new Set();
const hiddenLimit = 60_000;
const pollEvery = 15_000;

let last = 0;              // the newest sequence this tab has heard of
let source = null;         // the connection, in the leading tab
let leading = false;
let release = null;        // lets go of the lead
let state = "connecting";
let failures = 0;
let retryTimer = 0;
let pollTimer = 0;
let hiddenTimer = 0;
let paused = false;
let started = false;
let wasLive = false;

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("shiplog-stream") : null;

/** The indicator's state: connecting, live, reconnecting or paused. */
export const liveState = () => state;
/** The newest sequence heard of. */
export const newest = () => last;

/**
 * Hears `{type, data, sequence}`: `revision` and `event` (once each, in order), `application` (its new state), `state`
 * (the indicator), `stale` (something may have been missed: take the snapshot again).
 */
export function listen(listener, signal) {
    listeners.add(listener);
    signal?.addEventListener("abort", () => listeners.delete(listener), {once: true});
}

function tell(message) {
    for (const listener of [...listeners]) listener(message);
}

function setState(next) {
    if (leading && channel) channel.postMessage({state: next});
    if (next === state) return;
    state = next;
    tell({type: "state"});
}

/** Starts the stream where the first snapshot stands; does nothing after that. */
export function start(asOf) {
    if (started) return;
    started = true;
    last = Math.max(last, Number(asOf) || 0);
    lead();
    document.addEventListener("visibilitychange", visibility);
    addEventListener("pagehide", stop);
    addEventListener("pageshow", (event) => { if (event.persisted) resume(); });
    addEventListener("online", () => { if (leading && !source) connect(); });
    visibility();
}

function lead() {
    if (release) return;
    if (!navigator.locks || !channel) {
        release = () => {};
        leading = true;
        connect();
        return;
    }
    const controller = new AbortController();
    let letGo;
    const held = new Promise((resolve) => { letGo = resolve; });
    release = () => { controller.abort(); letGo(); };
    navigator.locks.request("shiplog-stream", {signal: controller.signal}, () => {
        if (controller.signal.aborted) return undefined;
        leading = true;
        connect();
        return held;
    }).catch(() => {});
    channel.postMessage({question: "state"});
}

function disconnect() {
    clearTimeout(retryTimer);
    source?.close();
    source = null;
}

function stop() {
    disconnect();
    clearInterval(pollTimer);
    pollTimer = 0;
    leading = false;
    release?.();
    release = null;
}

function resume() {
    paused = false;
    failures = 0;
    // While it was paused the stream went on elsewhere or nowhere: look again, then listen.
    tell({type: "stale"});
    lead();
}

function visibility() {
    clearTimeout(hiddenTimer);
    if (document.visibilityState === "hidden") {
        hiddenTimer = setTimeout(() => {
            paused = true;
            stop();
            state = "paused";
            tell({type: "state"});
        }, hiddenLimit);
    } else if (paused) resume();
}

function connect() {
    disconnect();
    if (!leading || paused) return;
    if (state !== "live") setState(failures ? "reconnecting" : "connecting");
    const stream = new EventSource(base + "/stream?after=" + last);
    source = stream;
    stream.addEventListener("open", () => {
        failures = 0;
        clearInterval(pollTimer);
        pollTimer = 0;
        setState("live");
        // States of applications carry no sequence and cannot be replayed; after a gap they have to be read again.
        if (wasLive) spread({type: "stale", quiet: true});
        wasLive = true;
    });
    for (const type of ["revision", "event", "application"]) {
        stream.addEventListener(type, (message) => {
            let data;
            try {
                data = JSON.parse(message.data);
            } catch {
                // A line that is no JSON says nothing; the next snapshot will.
                return;
            }
            // The state of an application has no sequence of its own: the browser repeats the id of what came before it.
            spread({type, data, sequence: type === "application" ? 0 : Number(message.lastEventId) || 0});
        });
    }
    stream.addEventListener("resync", () => {
        disconnect();
        retryTimer = setTimeout(resync, 250);
    });
    stream.addEventListener("error", () => {
        if (source !== stream) return;
        setState("reconnecting");
        failures += 1;
        if (failures >= 3 && !pollTimer) pollTimer = setInterval(() => spread({type: "stale", quiet: true}), pollEvery);
        // While it is CONNECTING the browser tries by itself, with Last-Event-ID; CLOSED means it gave up, without
        // saying why. Asking once tells a refused session from a server that is away.
        if (stream.readyState !== EventSource.CLOSED) return;
        disconnect();
        retryTimer = setTimeout(async () => {
            try {
                await get("/me");
            } catch (problem) {
                if (problem instanceof Problem && problem.status === 401) return;
            }
            connect();
        }, Math.min(30_000, 1000 * 2 ** Math.min(failures, 5)));
    });
}

// The server dropped us because we were too slow or asked for what it no longer has: find out where the ledger stands,
// have every screen take its snapshot again (which then is at least that new), and listen from there.
async function resync() {
    try {
        const page = await get("/revisions?limit=1");
        spread({type: "stale", restart: Number(page.asOf) || 0});
        connect();
    } catch (problem) {
        if (problem instanceof Problem && problem.status === 401) return;
        retryTimer = setTimeout(resync, 5000);
    }
}

function spread(message) {
    if (channel && leading) channel.postMessage({message});
    heard(message);
}

function heard(message) {
    if (message.restart !== undefined) last = message.restart;
    if (message.sequence) {
        if (message.sequence <= last) return;
        last = message.sequence;
    }
    tell(message);
}

channel?.addEventListener("message", ({data}) => {
    if (paused || !started) return;
    if (data.question === "state") {
        if (leading) channel.postMessage({state});
    } else if (data.state) {
        if (!leading && data.state !== state) {
            state = data.state;
            tell({type: "state"});
        }
    } else if (data.message && !leading) heard(data.message);
});
