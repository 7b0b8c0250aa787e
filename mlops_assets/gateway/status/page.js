// Keeps the page current: asks for it anew and puts what changed in its place. Says so when nobody answers.
"use strict";
const gone = document.getElementById("gone");
let since = 0;
async function renew() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error("it answers " + answer.status);
    const text = await answer.text();
    const part = text.slice(text.indexOf("<main"), text.indexOf("</main>") + 7);
    const next = new DOMParser().parseFromString(part, "text/html").querySelector("main");
    const now = document.querySelector("main");
    if (next.outerHTML !== now.outerHTML) now.replaceWith(document.adoptNode(next));
    document.title = next.dataset.title;
    since = 0;
    gone.hidden = true;
  } catch (error) {
    since = since || Date.now();
    gone.textContent = "⚠ This gateway has not answered for " + Math.round((Date.now() - since) / 1000) +
      " s (" + error.message + "). What stands here is old.";
    gone.hidden = false;
  }
  setTimeout(renew, document.hidden ? 10000 : 1000);
}
setTimeout(renew, 1000);
