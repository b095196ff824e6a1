// That a row stands in the signed log: the proof, checked in this browser with what the server says and nothing believed.
// RFC 9162 §2.1.3.2 for the path, c2sp.org/signed-note for the signature.

import {h, icon, say} from "./dom.js";
import {get, base} from "./api.js";
import {loading, problemPanel} from "./parts.js";

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const same = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

async function sha256(...parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

/** The root that the proof leads to; null when it is no proof for that place. */
export async function rootOf(leaf, index, size, proof) {
    if (!(index >= 0 && index < size)) return null;
    let [node, last, root] = [BigInt(index), BigInt(size) - 1n, leaf];
    for (const sibling of proof) {
        if (last === 0n) return null;
        if (node % 2n === 1n || node === last) {
            root = await sha256([1], sibling, root);
            while (node % 2n === 0n && node !== 0n) [node, last] = [node / 2n, last / 2n];
        } else {
            root = await sha256([1], root, sibling);
        }
        [node, last] = [node / 2n, last / 2n];
    }
    return last === 0n ? root : null;
}

/** The names of the keys whose signatures under the note hold. */
export async function signersOf(note, keys) {
    const cut = note.lastIndexOf("\n\n");
    const text = new TextEncoder().encode(note.slice(0, cut + 1));
    const names = [];
    for (const line of note.slice(cut + 2).split("\n").filter(Boolean)) {
        const [, name, code] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
        if (!name) continue;
        const signature = bytesOf(code);
        for (const key of keys) {
            // The name and the id hold no plus; base64 may.
            const [keyName, id, ...rest] = key.split("+");
            const data = rest.join("+");
            const hex = [...signature.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
            if (keyName !== name || id !== hex) continue;
            const known = await crypto.subtle.importKey("raw", bytesOf(data).slice(1), {name: "Ed25519"}, false, ["verify"]);
            if (await crypto.subtle.verify({name: "Ed25519"}, known, signature.slice(4), text)) names.push(key);
        }
    }
    return names;
}

/** The panel of one row. */
export function proofPanel(sequence, signal) {
    const content = h("div");
    const element = h("details.more-proof", {data: {proof: ""}}, h("summary", icon("right"), h("h2", "Proof")), content);
    element.addEventListener("toggle", async () => {
        if (!element.open || content.firstChild) return;
        const done = loading(content, "the proof");
        try {
            const [proof, log] = await Promise.all([get("/entries/" + sequence + "/proof", signal), get("/log", signal)]);
            done();
            content.replaceChildren(panel(sequence, proof, log, signal));
        } catch (problem) {
            done();
            if (problem.name !== "AbortError") content.replaceChildren(problemPanel(problem));
        }
    });
    return element;
}

function panel(sequence, proof, log, signal) {
    const keys = (log.epochs ?? []).flatMap((epoch) => epoch.keys);
    const result = h("ol.checks", {"aria-label": "What was checked"});
    const button = h("button.button", {type: "button", onclick: async () => {
        button.disabled = true;
        result.replaceChildren();
        const isProven = await check(sequence, proof, keys, signal, (isRight, text) =>
            result.append(h("li", {class: isRight ? "good" : "bad"}, icon(isRight ? "check" : "failed", isRight ? "right" : "wrong"), " ", text)));
        say(isProven ? "Entry " + sequence + " is proven" : "Entry " + sequence + " is not proven");
        button.disabled = false;
    }}, icon("check"), "Verify in this browser");
    const facts = [
        ["Leaf", h("span", proof.index + " of ", proof.size)],
        ["Leaf hash", h("code.digest", proof.leaf)],
        ["Root", h("code.digest", proof.root)],
        ["Signed by", proof.checkpoint ? h("code.digest", log.origin ?? "") : h("span.muted", "no checkpoint covers it yet")],
        ["Witnesses", log.selfAttested === false ? "others have signed or taken a checkpoint" : h("span", icon("info"), " self-attested: nobody outside has signed")],
    ];
    return h("div.panel",
        h("dl.facts", facts.map(([term, value]) => h("div", h("dt", term), h("dd", value)))),
        h("p.row", crypto.subtle ? button : h("span.muted", "This browser checks proofs over https or on this machine only."),
            h("a.button", {href: base + "/entries/" + sequence + "/proof", download: "proof-" + sequence + ".json"}, "Download the proof")),
        result,
        h("p.muted", "Without this page: ", h("code", "shiplog ledger proof " + sequence)));
}

async function check(sequence, proof, keys, signal, tell) {
    try {
        const answer = await fetch(base + "/entries/" + sequence, {signal, credentials: "same-origin"});
        if (!answer.ok) throw new Error("the entry could not be read");
        const leaf = await sha256([0], new Uint8Array(await answer.arrayBuffer()));
        const isLeaf = same(leaf, bytesOf(proof.leaf)) && proof.index === sequence - 1;
        tell(isLeaf, isLeaf ? "the stored bytes have the leaf hash" : "the stored bytes have another hash");
        const root = await rootOf(leaf, proof.index, proof.size, proof.proof.map(bytesOf));
        const leads = root !== null && same(root, bytesOf(proof.root));
        tell(leads, leads ? "the path of " + proof.proof.length + " hashes leads to the root" : "the path leads elsewhere");
        if (!proof.checkpoint) {
            tell(false, "no checkpoint signs this root yet");
            return false;
        }
        const lines = proof.checkpoint.split("\n");
        const isSigned = lines[1] === String(proof.size) && lines[2] === proof.root;
        tell(isSigned, isSigned ? "the checkpoint is over this root" : "the checkpoint is over another root");
        const signers = await signersOf(proof.checkpoint, keys);
        tell(signers.length > 0, signers.length > 0 ? ["signed by ", h("code.digest", signers.at(-1))] : "no signature is of a key of this log");
        return isLeaf && leads && isSigned && signers.length > 0;
    } catch (error) {
        if (error.name !== "AbortError") tell(false, "it could not be checked: " + error.message);
        return false;
    }
}
