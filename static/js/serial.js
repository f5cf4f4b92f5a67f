// A machine's serial line: xterm.js draws it, the server says who types.
import { Console } from "./console.js";

const root = document.getElementById("screen");
const canvas = document.getElementById("canvas");
const paste = document.getElementById("paste");
const text = document.getElementById("paste-text");
const typist = document.getElementById("typist");
const find = document.getElementById("find");
const data = root.dataset;
const encoder = new TextEncoder();
const linkHandler = { activate() {} }; // what a guest calls a link leads nowhere
let line, terminal, fit, search, mine;

// xterm.js makes style sheets while it runs, which this page's policy takes from its own scripts alone.
const { nonce } = document.querySelector("script[nonce]");
const make = document.createElement.bind(document);
document.createElement = (name, ...more) => {
  const element = make(name, ...more);
  if (name === "style") element.nonce = nonce;
  return element;
};

function draw(socket) {
  terminal.reset();
  socket.addEventListener("open", () => line.connected());
  socket.addEventListener("message", ({ data: said }) => {
    if (typeof said === "string") tell(JSON.parse(said));
    else terminal.write(new Uint8Array(said));
  });
}

function tell(told) {
  if (told.skipped) return terminal.write(`\r\n${typist.dataset.skipped.replace("{count}", told.skipped)}\r\n`);
  mine = told.you;
  const { you, other, nobody, off } = typist.dataset;
  const who = told.you ? you : told.typist ? other.replace("{name}", told.typist) : nobody;
  typist.textContent = told.open ? who : off;
  root.querySelector("[data-act=take]").disabled = told.you;
  terminal.options.disableStdin = !told.you;
}

const send = (typed) => mine && line.socket?.readyState === 1 && line.socket.send(encoder.encode(typed));

const ACTS = {
  take: () => line.socket?.send("take"),
  paste: () => paste.showModal(),
  // A serial line has no way to tell a size: the guest's shell is told in words.
  size: () => send(`stty rows ${terminal.rows} cols ${terminal.cols}\r`),
  full: () => line.fullScreen(),
};

root.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (!(act in ACTS)) return;
  ACTS[act]();
  if (act !== "paste") terminal.focus();
});
paste.addEventListener("close", () => {
  if (paste.returnValue === "type") send(text.value.replace(/\r?\n/g, "\r"));
  text.value = "";
  terminal.focus();
});
find.addEventListener("input", () => search.findPrevious(find.value, { incremental: true }));
find.addEventListener("keydown", (event) => event.key === "Enter" && search.findPrevious(find.value));

async function begin() {
  const [{ Terminal }, { FitAddon }, { SearchAddon }] = await Promise.all(
    [data.terminal, data.fit, data.search].map((path) => import(path)),
  );
  terminal = new Terminal({ scrollback: 10000, cursorBlink: false, fontSize: 14, screenReaderMode: true, linkHandler });
  fit = new FitAddon();
  search = new SearchAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(search);
  terminal.open(canvas);
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(canvas);
  terminal.onData(send);
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== "F12" || !event.shiftKey) return true;
    root.querySelector("[data-act=paste]").focus();
    return false;
  });
  line.connect();
}

function follow() {
  const there = document.getElementById("console-state")?.dataset.state === data.open;
  if (there && !line) {
    line = new Console(root, draw);
    begin();
  }
  if (line) root.hidden = !there;
}

document.addEventListener("htmx:afterSettle", follow);
follow();
