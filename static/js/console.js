// What the screen and the serial line share: a way in by a pass, a line that says how it stands, and coming back.
const TRIES = [0.5, 1, 2, 4];
const LOST = 1006;
const SILENCE = 10000; // milliseconds

export class Console {
  // `open` draws what a socket brings and may return what undoes it; it is called for each new connection.
  constructor(root, open) {
    this.root = root;
    this.open = open;
    this.status = root.querySelector("#console-status");
    this.failures = 0;
    this.wanted = true;
    root.hidden = false;
    root.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act === "connect") this.connect();
      if (act === "leave") this.leave();
    });
  }

  async connect() {
    clearTimeout(this.timer);
    this.leave(true);
    this.wanted = true;
    this.say("connecting");
    const pass = await this.pass().catch(() => null);
    if (!pass?.pass) return this.again(pass?.message);
    const address = new URL(this.root.dataset.socket, location);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, ["binary", `pass.${pass.pass}`]);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("close", (event) => this.socket === socket && this.closed(event));
    this.undo = this.open(socket);
    this.silence = setTimeout(() => this.say("silent", "warning"), SILENCE);
  }

  async pass() {
    return await (await this.post(this.root.dataset.pass)).json();
  }

  post(address) {
    const headers = { "X-CSRFToken": document.querySelector("#verbs [name=csrfmiddlewaretoken]").value };
    return fetch(address, { method: "POST", headers });
  }

  connected() {
    clearTimeout(this.silence);
    this.failures = 0;
    this.say("connected", "success");
    this.buttons(true);
  }

  closed({ reason, code }) {
    this.leave(true);
    const said = (kind, word) => this.root.querySelector(`[data-${kind}="${CSS.escape(word)}"]`)?.textContent;
    const final = said("closed", reason);
    if (final) {
      this.wanted = false;
      this.tell(final, "danger");
      this.buttons(false);
      return;
    }
    // What neither the server nor the network has closed was closed here, over what it said.
    const garbled = !reason && code !== LOST;
    if (this.wanted) this.again(said("waiting", reason) ?? (garbled && said("state", "garbled")));
  }

  // Trying again costs a request: after a while only every few seconds, and never for what the server has refused.
  again(message) {
    const pause = TRIES[Math.min(this.failures++, TRIES.length - 1)];
    if (message) this.tell(message, "warning");
    else this.say("waiting", "warning");
    this.buttons(false);
    this.timer = setTimeout(() => this.wanted && this.connect(), pause * 1000);
  }

  leave(again = false) {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    const { socket, undo } = this;
    this.socket = this.undo = null;
    undo?.();
    socket?.close();
    if (again) return;
    this.wanted = false;
    this.say("left");
    this.buttons(false);
  }

  buttons(connected) {
    this.root.dataset.connected = connected;
    for (const button of this.root.querySelectorAll("[data-act]")) {
      const { act } = button.dataset;
      if (act === "connect") button.hidden = connected;
      else if (act === "leave") button.hidden = !connected;
      else button.disabled = !connected && act !== "full";
    }
  }

  say(state, tone = "info") {
    this.tell(this.root.querySelector(`[data-state="${state}"]`).textContent, tone);
  }

  tell(text, tone) {
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.className = `app-status app-console-status app-status--${tone}`;
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen().catch(() => {}); // the browser may have been told never to
  }
}

export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
