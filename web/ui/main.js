// The frame: where the reader is, the preferences, who is signed in, whether it is live. Screens are modules, loaded
// when they are needed; each exports `show(context)`.

import {h, icon, say} from "./dom.js";
import {ask, loadPerson, me, isSignedIn, mayAudit, Problem} from "./api.js";
import {listen, liveState} from "./live.js";
import {preference, setPreference, refreshTimes, problemPanel, signInAddress, time} from "./parts.js";

const main = document.getElementById("main");

const routes = [
    [/^\/(?:apps\/?)?$/, "applications", () => ({area: "apps"})],
    [/^\/apps\/([^/]+)\/(rollback|sync)$/, "operate", ([name, act]) => ({area: "apps", name, act})],
    [/^\/apps\/([^/]+)(?:\/(history|resources|tree|diff|manifests))?\/?$/, "application",
        ([name, tab]) => ({area: "apps", name, tab: tab ?? "history"})],
    [/^\/history\/?$/, "history", () => ({area: "history"})],
    [/^\/revisions\/(\d+)\/?$/, "revision", ([sequence]) => ({area: "history", sequence: Number(sequence)})],
    [/^\/at\/?$/, "at", () => ({area: "at"})],
    // Where the audit log used to be: links to it are kept.
    [/^\/(?:audit|events)\/?$/, "audit", () => ({area: "audit"})],
    [/^\/login\/?$/, "session", () => ({area: "login"})],
];

let leaving = new AbortController();
let visit = 0;

function decode(part) {
    try {
        return part === undefined ? undefined : decodeURIComponent(part);
    } catch {
        return part;
    }
}

function route(path) {
    for (const [pattern, screen, make] of routes) {
        const match = pattern.exec(path);
        if (match) return {screen, ...make(match.slice(1).map(decode))};
    }
    return null;
}

/** Shows what the address says. With `keep`, focus and scroll stay where they are. */
async function show({keep = false, scroll = 0} = {}) {
    leaving.abort();
    leaving = new AbortController();
    const own = ++visit;
    const place = h("div.screen");
    const title = (text) => { if (own === visit) document.title = text + " · Shiplog"; };
    const found = route(location.pathname);
    markArea(found?.area);
    try {
        if (!found) {
            title("Not found");
            place.append(h("h1", "Not found"), h("section.panel", h("p", "There is no page at ", h("code", location.pathname), "."),
                h("p", h("a", {href: "/apps"}, "All applications"), " · ", h("a", {href: "/history"}, "History"))));
            main.replaceChildren(place);
            focusHeading();
            return;
        }
        const module = await import("./" + found.screen + ".js");
        if (own !== visit) return;
        main.replaceChildren(place);
        const values = Object.fromEntries(new URLSearchParams(location.search));
        const done = module.show({...found, signal: leaving.signal, place, values, title, go, reload: () => show({keep: true})});
        if (!keep) focusHeading();
        await done;
        if (own === visit && scroll) scrollTo(0, scroll);
    } catch (error) {
        if (error.name === "AbortError" || own !== visit) return;
        if (!(error instanceof Problem)) console.error(error);
        if (!place.isConnected) main.replaceChildren(place);
        for (const left of place.querySelectorAll(".skeleton")) left.remove();
        if (!place.querySelector("h1")) place.prepend(h("h1", error.status === 404 ? "Not found" : "Something went wrong"));
        place.append(problemPanel(error, () => show({keep: true})));
        if (!keep) focusHeading();
    }
}

function focusHeading() {
    const heading = main.querySelector("h1");
    if (heading) heading.tabIndex = -1;
    // The first screen leaves the focus to the browser: nobody navigated inside the page yet.
    if (visit > 1) {
        scrollTo(0, 0);
        (heading ?? main).focus({preventScroll: true});
    }
}

/** Goes to an address of this page. */
export function go(address, {replace = false} = {}) {
    history.replaceState({scroll: scrollY}, "");
    if (replace) history.replaceState({}, "", address);
    else history.pushState({}, "", address);
    return show();
}

document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.classList.contains("skip")) {
        event.preventDefault();
        (main.querySelector("h1") ?? main).focus();
        return;
    }
    if (!route(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
});
addEventListener("popstate", () => show({scroll: history.state?.scroll ?? 0}));

// ---- the bar

function markArea(area) {
    for (const link of document.querySelectorAll(".places a")) {
        if (link.dataset.place === area) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
}

const themes = {auto: "Automatic", light: "Light", dark: "Dark"};
const liveWords = {connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", paused: "Paused"};
const liveIcons = {connecting: "paused", live: "live", reconnecting: "reconnecting", paused: "paused"};

function applyTheme() {
    document.documentElement.dataset.theme = preference("theme");
}

const live = h("span.live");
const zone = h("button.tool", {type: "button", onclick: () => {
    setPreference("zone", preference("zone") === "utc" ? "local" : "utc");
    paintTools();
    refreshTimes();
    document.dispatchEvent(new CustomEvent("shiplog:zone"));
}});
const theme = h("button.tool", {type: "button", onclick: () => {
    const names = Object.keys(themes);
    setPreference("theme", names[(names.indexOf(preference("theme")) + 1) % names.length]);
    applyTheme();
    paintTools();
}});
const help = h("button.tool.help", {type: "button", "aria-label": "Keyboard shortcuts and about", title: "Keyboard shortcuts and about (?)",
    onclick: showHelp}, icon("keys"));
const who = h("span.who");

async function showHelp() {
    (await import("./keys.js")).sheet();
}

function paintTools() {
    const local = preference("zone") !== "utc";
    zone.replaceChildren(icon("clock"), h("span", local ? "Local" : "UTC"));
    zone.setAttribute("aria-label", "Times in " + (local ? "local time; switch to UTC" : "UTC; switch to local time"));
    zone.title = zone.getAttribute("aria-label");
    const choice = preference("theme");
    theme.replaceChildren(icon(choice));
    theme.setAttribute("aria-label", "Colours: " + themes[choice].toLowerCase() + "; change");
    theme.title = theme.getAttribute("aria-label");
    if (isSignedIn()) {
        who.replaceChildren(h("span.person", icon("user"), h("bdi", me().name), " ", h("span.role", me().role)),
            h("button.tool", {type: "button", onclick: signOut, "aria-label": "Sign out", title: "Sign out"}, icon("out")));
    } else {
        who.replaceChildren(h("a.button.small", {href: "/login", onclick: (event) => {
            if (location.pathname === "/login") return;
            event.preventDefault();
            go(signInAddress());
        }}, "Sign in"));
    }
    const places = document.querySelector(".places");
    const audit = places.querySelector("[data-place=audit]");
    if (mayAudit() && !audit) places.append(h("a", {href: "/audit", data: {place: "audit"}}, "Audit"));
    if (!mayAudit()) audit?.remove();
    markArea(route(location.pathname)?.area);
}

async function signOut() {
    try {
        await ask("DELETE", "/session");
    } catch (problem) {
        if (problem.status !== 401) return say("Signing out failed: " + problem.message);
    }
    await loadPerson();
    paintTools();
    say("Signed out");
    go("/apps");
}

let liveSince = null;
function paintLive() {
    const state = liveState();
    if (state === "live") liveSince = new Date();
    live.className = "live " + state;
    live.replaceChildren(icon(liveIcons[state]), h("span", liveWords[state]),
        state === "reconnecting" && liveSince ? h("span.asof", " as of ", time(liveSince, "clock")) : "");
    live.title = {
        live: "Changes appear as they happen", connecting: "Opening the event stream",
        reconnecting: "The event stream was lost; what you see may be old", paused: "Paused while this tab was hidden",
    }[state];
}

listen((message) => {
    if (message.type === "state") {
        paintLive();
        if (liveState() === "reconnecting") say("Connection lost, reconnecting");
    } else if (message.type !== "stale") liveSince = new Date();
});

document.addEventListener("shiplog:person", paintTools);
document.addEventListener("shiplog:unauthorized", () => {
    if (location.pathname === "/login") return;
    go(signInAddress(), {replace: true});
});

applyTheme();
document.getElementById("tools").append(live, zone, theme, help, who);
paintLive();
paintTools();
setInterval(refreshTimes, 20_000);

import("./keys.js").then((keys) => keys.listenToKeys(go));
await loadPerson();
paintTools();
show();
// Behind the first view, which people wait for.
setTimeout(() => import("./signed.js").then(({showSigned}) => showSigned(document.getElementById("foot"))), 3000);
