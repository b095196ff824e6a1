// Signing in with a token. The token goes into one request and nowhere else: the server answers with a cookie that no
// script can read.

import {h, icon, say} from "./dom.js";
import {ask, loadPerson, isSignedIn, me} from "./api.js";
import {problemPanel} from "./parts.js";

export async function show({place, values, title, go}) {
    title("Sign in");
    const next = /^\/(?![/\\])/.test(values.next ?? "") && !values.next.startsWith("/login") ? values.next : "/apps";
    const token = h("input", {id: "token", type: "password", autocomplete: "off", spellcheck: "false", autocapitalize: "off", required: true});
    const outcome = h("div");
    const button = h("button.button.primary", {type: "submit"}, icon("user"), "Sign in");
    const form = h("form.panel.sign-in", {onsubmit: async (event) => {
        event.preventDefault();
        const secret = token.value.trim();
        if (!secret) return;
        button.disabled = true;
        outcome.replaceChildren();
        try {
            await ask("POST", "/session", {body: {token: secret}});
            token.value = "";
            await loadPerson();
            document.dispatchEvent(new CustomEvent("shiplog:person"));
            say("Signed in as " + me().name);
            await go(next, {replace: true});
        } catch (problem) {
            token.value = "";
            token.focus();
            outcome.replaceChildren(problemPanel(problem));
        }
        button.disabled = false;
    }},
        isSignedIn() ? h("p", "You are signed in as ", h("strong", me().name), " (" + me().role + "). Another token takes its place.") : null,
        h("div.field.wide", h("label", {for: "token"}, "Token"), token),
        h("p.muted", "An administrator makes tokens with ", h("code", "shiplog token create"), ". The first one lies in ", h("code", "tokens/admin"), " of the data directory."),
        outcome,
        h("p.row", button, h("a", {href: "/apps"}, "Go on without signing in")));
    place.append(h("div.head", h("h1", "Sign in")), form);
}
