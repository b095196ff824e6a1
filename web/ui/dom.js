// Building the page out of nodes. Text from a commit, a cluster or a person only ever becomes a text node, so no string
// is parsed as HTML anywhere (Trusted Types would refuse it).

const svgNamespace = "http://www.w3.org/2000/svg";
const sprite = new URL("./icons.svg", import.meta.url).pathname;

// Control and formatting characters that can make a line read as something else than it says ("Trojan Source"), and
// terminal escapes. Tab and line feed are text; the two joiners are left alone, many scripts and emoji need them.
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function codePoint(character) {
    return "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
}

/** The text with unseen characters written out, for titles and labels. */
export function plain(text) {
    return String(text).replace(unseen, (character) => "⟨" + codePoint(character) + "⟩");
}

/** Nodes for the text, unseen characters as visible marks. */
export function reveal(text) {
    const value = String(text);
    const nodes = [];
    let end = 0;
    for (const match of value.matchAll(unseen)) {
        if (match.index > end) nodes.push(document.createTextNode(value.slice(end, match.index)));
        const mark = document.createElement("span");
        mark.className = "unseen";
        mark.textContent = codePoint(match[0]);
        nodes.push(mark);
        end = match.index + match[0].length;
    }
    if (end < value.length || nodes.length === 0) nodes.push(document.createTextNode(value.slice(end)));
    return nodes;
}

/** The address if a link may lead there: a path of this server, or http(s); else null. */
export function safeAddress(address) {
    const text = String(address);
    if (/^\/(?![/\\])/.test(text) || text.startsWith("#") || text.startsWith("?")) return text;
    try {
        const url = new URL(text);
        const plainWeb = url.protocol === "https:" || url.protocol === "http:";
        return plainWeb && !url.username && !url.password ? url.href : null;
    } catch {
        return null;
    }
}

function append(element, kids) {
    for (const kid of kids) {
        if (kid === null || kid === undefined || kid === false || kid === true) continue;
        if (Array.isArray(kid)) append(element, kid);
        else if (kid instanceof Node) element.append(kid);
        else element.append(...reveal(kid));
    }
}

// CSS turns tables into blocks on narrow screens, which would take their meaning away from assistive technology.
const roles = {
    table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell",
};

/**
 * An element: `h("a.link", {href: "/apps"}, "Applications")`. A property that starts with `on` is a listener, `data`
 * holds data attributes, false and null leave an attribute out; kids are nodes, text, lists, or nothing.
 */
export function h(tag, properties, ...kids) {
    const [name, ...classes] = tag.split(".");
    const element = document.createElement(name);
    if (classes.length) element.className = classes.join(" ");
    if (properties && (properties instanceof Node || typeof properties !== "object" || Array.isArray(properties))) {
        kids.unshift(properties);
        properties = null;
    }
    if (roles[name]) element.setAttribute("role", roles[name]);
    for (const [key, value] of Object.entries(properties ?? {})) {
        if (value === null || value === undefined || value === false) continue;
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else if (key === "data") Object.assign(element.dataset, value);
        else if (key === "class") element.classList.add(...value.split(" ").filter(Boolean));
        else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") element[key] = value;
        else if (key === "style") throw new Error("styles live in app.css");
        else if (key === "href") {
            const address = safeAddress(value);
            if (address === null) continue;
            element.setAttribute("href", address);
            if (!address.startsWith("/") && !address.startsWith("#")) element.rel = "noopener noreferrer";
        } else element.setAttribute(key, value === true ? "" : plain(value));
    }
    append(element, kids);
    return element;
}

/** A drawing of the sprite; without a label it is decoration. */
export function icon(name, label) {
    const element = document.createElementNS(svgNamespace, "svg");
    element.setAttribute("class", "icon icon-" + name);
    if (label) {
        element.setAttribute("role", "img");
        element.setAttribute("aria-label", plain(label));
    } else element.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(svgNamespace, "use");
    use.setAttribute("href", sprite + "#" + name);
    element.append(use);
    return element;
}

/** An SVG element with attributes. */
export function svg(name, attributes, ...kids) {
    const element = document.createElementNS(svgNamespace, name);
    for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
    append(element, kids);
    return element;
}

/** A table with a caption for assistive technology and column heads; rows are `tr` elements. */
export function table(caption, columns, rows, className = "") {
    const heads = columns.map((column) =>
        h("th", {scope: "col", role: "columnheader", class: column.class}, column.title ?? column));
    return h("table.grid", {class: className, "aria-label": caption},
        h("thead", h("tr", heads)),
        rows instanceof Node || (Array.isArray(rows) && rows[0]?.tagName === "TBODY") ? rows : h("tbody", rows));
}

/** A cell; `label` is its column's name, shown where the columns are folded. */
export function cell(label, properties, ...kids) {
    return h("td", {"data-label": label || null, ...properties}, ...kids);
}

/** Runs `act` once calls have stopped for so many milliseconds. */
export function debounce(milliseconds, act) {
    let timer = 0;
    return (...values) => {
        clearTimeout(timer);
        timer = setTimeout(() => act(...values), milliseconds);
    };
}

let pending = [];
let sayTimer = 0;
let lastSaid = 0;
/** Tells assistive technology, politely and at most once in five seconds; what comes meanwhile is said together. */
export function say(text) {
    if (!pending.includes(text)) pending.push(text);
    if (sayTimer) return;
    sayTimer = setTimeout(() => {
        sayTimer = 0;
        lastSaid = Date.now();
        const region = document.getElementById("say");
        if (region) region.textContent = plain(pending.slice(-3).join(". "));
        pending = [];
    }, Math.max(50, lastSaid + 5000 - Date.now()));
}

/**
 * A modal dialog with a title. `build(close)` returns its content; the first focus goes to `[autofocus]` in it. Resolves
 * with what `close` was given, undefined when it was dismissed.
 */
export function dialog(title, build, className = "") {
    return new Promise((resolve) => {
        let answer;
        const before = document.activeElement;
        const close = (value) => { answer = value; element.close(); };
        const element = h("dialog.dialog", {class: className, "aria-labelledby": "dialog-title"},
            h("h2", {id: "dialog-title"}, title));
        append(element, [build(close)]);
        element.addEventListener("close", () => {
            element.remove();
            if (before instanceof HTMLElement && before.isConnected) before.focus();
            resolve(answer);
        });
        element.addEventListener("click", (event) => { if (event.target === element) close(); });
        document.body.append(element);
        element.showModal();
    });
}
