// Talking to the server: requests, problems, who is signed in.

export const base = "/api/shiplog/v1";

/** An answer that is no success, or no answer at all (status 0). */
export class Problem extends Error {
    constructor(status, body, request) {
        super(body.detail ?? body.title ?? "The server answered " + status);
        this.status = status;
        this.code = body.code ?? (status === 0 ? "server.unreachable" : "http." + status);
        this.title = body.title ?? null;
        this.hint = body.hint ?? null;
        this.instance = body.instance ?? null;
        this.errors = Array.isArray(body.errors) ? body.errors : [];
        this.request = request;
    }
}

/** Asks for JSON. Throws `Problem`, or `AbortError` when the signal says stop. */
export async function ask(method, path, {body, signal, headers} = {}) {
    let response;
    try {
        response = await fetch(base + path, {
            method,
            signal,
            credentials: "same-origin",
            headers: {
                Accept: "application/json",
                ...(body === undefined ? {} : {"Content-Type": "application/json"}),
                ...headers,
            },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, {
            title: "The server cannot be reached",
            detail: "The request to " + location.host + " got no answer",
            hint: "Check that shiplog is running and that this machine can reach it.",
        }, method + " " + path);
    }
    if (response.status === 204) return null;
    const isJSON = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
    let value = null;
    try {
        value = isJSON ? await response.json() : null;
    } catch (error) {
        if (error.name === "AbortError") throw error;
    }
    if (!response.ok) {
        const problem = new Problem(response.status, value ?? {}, method + " " + path);
        problem.instance ??= response.headers.get("X-Request-Id");
        if (response.status === 401 && path !== "/session" && path !== "/me") document.dispatchEvent(new CustomEvent("shiplog:unauthorized"));
        throw problem;
    }
    if (!isJSON) throw new Problem(502, {title: "The answer is not JSON", hint: "A proxy between this page and Shiplog may have answered instead."}, path);
    return value;
}

export const get = (path, signal) => ask("GET", path, {signal});
export const post = (path, body, signal) => ask("POST", path, {body: body ?? {}, signal});

/** A path with a query; null, undefined, "" and false leave a field out, a list repeats it. */
export function query(path, fields) {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(fields)) {
        for (const one of Array.isArray(value) ? value : [value]) {
            if (one === null || one === undefined || one === "" || one === false) continue;
            parameters.append(key, String(one));
        }
    }
    const text = parameters.toString();
    return text ? path + "?" + text : path;
}

/** A path of one application. */
export const applicationPath = (name, rest = "") => "/applications/" + encodeURIComponent(name) + rest;

let person = {name: null, role: "viewer", means: "anonymous"};
/** Who is asking, as the server sees it; refreshed by `loadPerson`. */
export const me = () => person;
export const isSignedIn = () => person.means === "session" || person.means === "token";

export async function loadPerson() {
    try {
        person = {name: null, role: "viewer", means: "anonymous", ...await get("/me")};
    } catch (problem) {
        person = {name: null, role: "none", means: "anonymous"};
        if (!(problem instanceof Problem)) throw problem;
        return problem;
    }
    return null;
}

function globMatches(glob, text) {
    const pattern = [...String(glob)].map((character) =>
        character === "*" ? ".*" : character === "?" ? "." : character.replace(/[\\^$.|+()[\]{}]/g, "\\$&")).join("");
    return new RegExp("^" + pattern + "$", "u").test(text);
}

const covers = (globs, text) => !Array.isArray(globs) || globs.length === 0 || globs.some((glob) => globMatches(glob, text));

/** Whether acts on this application are offered. The server decides; this only spares people useless buttons. */
export function mayAct(application) {
    return isSignedIn() && (person.role === "deployer" || person.role === "admin")
        && covers(person.projects, application.project ?? "default") && covers(person.applications, application.name);
}

/** Whether the audit pages are offered. */
export const mayAudit = () => person.role === "auditor" || person.role === "admin";

/**
 * Waits for an operation to end, by long polls; `progress` hears each state. A lost connection is tried again for two
 * minutes, because an operation goes on without its watcher.
 */
export async function follow(operation, progress, signal) {
    let current = operation;
    let lostSince = 0;
    while (current.state !== "finished" && current.state !== "refused") {
        progress(current, lostSince > 0);
        try {
            const answer = await get("/operations/" + encodeURIComponent(current.id) + "?wait=20", signal);
            const next = answer.operation ?? answer;
            // A server that answers at once must not make this loop spin.
            if (next.state === current.state && next.attempt === current.attempt) await pause(500, signal);
            current = next;
            lostSince = 0;
        } catch (problem) {
            if (!(problem instanceof Problem) || (problem.status !== 0 && problem.status < 500)) throw problem;
            lostSince ||= Date.now();
            if (Date.now() - lostSince > 120_000) throw problem;
            await pause(2000, signal);
        }
    }
    return current;
}

function pause(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, milliseconds);
        signal?.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(new DOMException("stopped", "AbortError"));
        }, {once: true});
    });
}
