// A machine's screen over VNC: noVNC draws it, this adds the buttons around it.
import { Console, download } from "./console.js";

const root = document.getElementById("screen");
const canvas = document.getElementById("canvas");
const paste = document.getElementById("paste");
const text = document.getElementById("paste-text");
const data = root.dataset;
const PACE = 12; // milliseconds between typed keys: a guest that boots drops what comes faster
const SHIFT = 0xffe1;
let rfb, client, line;

function draw(socket) {
  rfb = new client(canvas, socket, { shared: true });
  rfb.scaleViewport = !pressed("scale");
  rfb.viewOnly = pressed("watch");
  rfb.background = "transparent";
  rfb.addEventListener("connect", () => {
    line.connected();
    rfb.focus();
  });
  // A host that is reached through a tunnel asks for a password, as viewers are asked.
  rfb.addEventListener("credentialsrequired", async () => {
    const told = await (await line.post(data.ticket)).json();
    rfb?.sendCredentials({ password: told.password ?? "" });
  });
  rfb.addEventListener("clipboard", (event) => (text.value = event.detail.text));
  const drawn = rfb;
  return () => {
    drawn.disconnect();
    if (rfb === drawn) rfb = null;
  };
}

const pressed = (act) => root.querySelector(`[data-act=${act}]`).getAttribute("aria-pressed") === "true";

function press(codes) {
  for (const code of codes) rfb.sendKey(code, null, true);
  for (const code of [...codes].reverse()) rfb.sendKey(code, null, false);
}

async function type(written) {
  const { default: keysyms } = await import(data.keysyms);
  for (const sign of written.replaceAll("\r\n", "\n")) {
    if (!rfb) return;
    const code = { "\n": 0xff0d, "\t": 0xff09 }[sign] ?? keysyms.lookup(sign.codePointAt(0));
    press(/[A-Z~!@#$%^&*()_+{}|:"<>?]/.test(sign) ? [SHIFT, code] : [code]);
    await new Promise((resolve) => setTimeout(resolve, PACE));
  }
}

const ACTS = {
  cad: () => rfb.sendCtrlAltDel(),
  keys: () => press(document.getElementById("keys").value.split(" ").map(Number)),
  paste: () => paste.showModal(),
  shot: () => canvas.querySelector("canvas").toBlob((image) => download(`${data.name}.png`, image)),
  scale: () => (rfb.scaleViewport = !pressed("scale")),
  watch: () => (rfb.viewOnly = pressed("watch")),
  full: () => line.fullScreen(),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button || !(button.dataset.act in ACTS) || (!rfb && button.dataset.act !== "full")) return;
  const was = button.getAttribute("aria-pressed");
  if (was) button.setAttribute("aria-pressed", was === "false");
  ACTS[button.dataset.act]();
  if (button.dataset.act !== "paste") rfb?.focus();
});

paste.addEventListener("close", () => {
  if (paste.returnValue === "type") type(text.value);
  if (paste.returnValue === "clipboard") rfb?.clipboardPasteFrom(text.value);
  if (paste.returnValue) text.value = "";
  rfb?.focus();
});

// Before noVNC hears of it: else nobody without a mouse would get out again.
root.addEventListener(
  "keydown",
  (event) => {
    const away = event.key === "F12" && event.shiftKey;
    const mapped = "mapKeys" in data && event.key === "End" && event.ctrlKey && event.altKey;
    if (!away && !mapped) return;
    event.preventDefault();
    event.stopPropagation();
    if (mapped) return rfb?.sendCtrlAltDel();
    rfb?.blur();
    root.querySelector("[data-act=cad]").focus();
  },
  true,
);

// Chosen in the console options; no browser lets a page do it without a hand of its user's.
if ("full" in data) canvas.addEventListener("click", () => document.fullscreenElement ?? line.fullScreen(), { once: true });

// Whoever came here by "Console" and has chosen a viewer gets its file, once.
function openViewer() {
  if (location.hash !== "#open") return;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("open-viewer")?.click();
}

// The page above keeps itself up to date: when it says that the screen is there, it is opened.
async function follow() {
  openViewer();
  const there = document.getElementById("console-state")?.dataset.state === data.open;
  if (there && !line) {
    line = new Console(root, draw);
    client = (await import(data.client)).default;
    line.connect();
    return;
  }
  if (line) root.hidden = !there && !rfb;
  if (there && client && line.wanted && !line.socket) line.connect();
}

document.addEventListener("htmx:afterSettle", follow);
addEventListener("hashchange", openViewer); // "Console" on this very page
follow();
